package engine_test

import (
	"testing"

	"github.com/tocsin-siem/tocsin/store/engine"
)

func TestWhoAsksTheEngineToHurryReachesTheProcessThatStartedIt(t *testing.T) {
	cfg := config(t.TempDir())
	asked := make(chan struct{}, 10)
	cfg.Asked = func() { asked <- struct{}{} }
	p := start(t, cfg)
	if err := engine.Hurry(t.Context(), p.Addr(), "wrong"); err == nil {
		t.Error("anybody may ask")
	}
	for range 2 {
		must(t, engine.Hurry(t.Context(), p.Addr(), p.Token()))
		<-asked
	}
	if n := len(asked); n != 0 {
		t.Errorf("%d more calls than were asked for", n)
	}
}
