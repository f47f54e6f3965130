package engine_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/tocsin-siem/tocsin/store/engine"
)

func TestABadConfigurationNamesTheKeyAndTheFix(t *testing.T) {
	for name, tc := range map[string]struct {
		change func(*engine.Config)
		want   []string
	}{
		"no directory":   {func(c *engine.Config) { c.Dir = "" }, []string{"engine.dir"}},
		"all interfaces": {func(c *engine.Config) { c.Listen = "0.0.0.0:0" }, []string{"engine.listen", "loopback", "clickhouse.addr"}},
		"host name":      {func(c *engine.Config) { c.Listen = "localhost:0" }, []string{"engine.listen", "loopback"}},
		"no port":        {func(c *engine.Config) { c.Listen = "127.0.0.1" }, []string{"engine.listen", "host:port"}},
		"little memory":  {func(c *engine.Config) { c.MemoryLimit = 1 << 20 }, []string{"engine.memory_limit", "256 MiB"}},
		"no library":     {func(c *engine.Config) { c.LibraryPath = filepath.Join(c.Dir, "none.so") }, []string{"engine.library", "none.so"}},
	} {
		cfg := config(t.TempDir())
		tc.change(&cfg)
		p, err := engine.Start(t.Context(), cfg)
		if err == nil {
			p.Close()
			t.Errorf("%s: started", name)
			continue
		}
		for _, want := range tc.want {
			if !strings.Contains(err.Error(), want) {
				t.Errorf("%s: error %q lacks %q", name, err, want)
			}
		}
	}
}

func TestAFileThatIsNotTheLibraryIsRefusedByTheChildWithItsReason(t *testing.T) {
	cfg := config(t.TempDir())
	cfg.LibraryPath = filepath.Join(cfg.Dir, "libchdb.so")
	must(t, os.WriteFile(cfg.LibraryPath, []byte("not a library"), 0o600))
	p, err := engine.Start(t.Context(), cfg)
	if err == nil {
		p.Close()
		t.Fatal("started")
	}
	if !strings.Contains(err.Error(), "load "+cfg.LibraryPath) {
		t.Errorf("error %q does not say which file could not be loaded", err)
	}
}

func TestAChildThatDiesAtOnceIsReportedWithItsLastWords(t *testing.T) {
	cfg := config(t.TempDir())
	cfg.LibraryPath = os.Args[0] // any file: this child never gets as far as to load it
	cfg.Command = []string{"/bin/sh", "-c", "echo out of luck >&2; exit 7"}
	p, err := engine.Start(t.Context(), cfg)
	if err == nil {
		p.Close()
		t.Fatal("started")
	}
	for _, want := range []string{"exit status 7", "out of luck"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("error %q lacks %q", err, want)
		}
	}
}
