package roles_test

import (
	"os"
	"testing"
	"time"

	"github.com/tocsin-siem/tocsin/integration/broker"
	"github.com/tocsin-siem/tocsin/testdata/scenarios"
)

func TestHold(t *testing.T) {
	if os.Getenv("HOLD") == "" {
		t.Skip()
	}
	b := broker.Start(t)
	for _, s := range scenarios.All()[0].Sources {
		os.WriteFile(os.Getenv("HOLD")+"/"+s.Name+".data", s.Data(), 0o600)
		b.CreateTopic("raw."+s.Name, 4, nil)
	}
	os.WriteFile(os.Getenv("HOLD")+"/addr", []byte(b.Addr()), 0o600)
	for {
		if _, err := os.Stat(os.Getenv("HOLD") + "/addr"); err != nil {
			return
		}
		time.Sleep(time.Second)
	}
}
