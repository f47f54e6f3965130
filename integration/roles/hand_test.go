package roles_test

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/twmb/franz-go/pkg/kgo"
)

func TestHandProduce(t *testing.T) {
	dir := os.Getenv("HOLD")
	if dir == "" {
		t.Skip()
	}
	addr, _ := os.ReadFile(dir + "/addr")
	c, err := kgo.NewClient(kgo.SeedBrokers(string(addr)))
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	files, _ := filepath.Glob(dir + "/*.data")
	for _, f := range files {
		n := strings.TrimSuffix(filepath.Base(f), ".data")
		if w := os.Getenv("WHICH"); w != "" && !strings.Contains(w, n) {
			continue
		}
		data, _ := os.ReadFile(f)
		var rs []*kgo.Record
		for l := range bytes.Lines(data) {
			rs = append(rs, &kgo.Record{Topic: "raw." + n, Value: bytes.TrimSpace(l)})
		}
		if err := c.ProduceSync(t.Context(), rs...).FirstErr(); err != nil {
			t.Fatal(err)
		}
		t.Log(n, len(rs))
	}
}
