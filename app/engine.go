package app

import (
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/schollz/progressbar/v3"

	"github.com/tocsin-siem/tocsin/store/engine"
)

// EngineSettings says where the embedded engine keeps its data. It is used when no ClickHouse server is configured.
type EngineSettings struct {
	Dir         string `yaml:"dir"`          // Data directory.
	Library     string `yaml:"library"`      // Path of libchdb.so; default: fetched once into the user's cache folder.
	MemoryLimit int64  `yaml:"memory_limit"` // Bytes; 0: 2 GiB.
}

// EngineConfig is the embedded engine as the configuration wants it.
func EngineConfig(c Config) engine.Config {
	e := engine.DefaultConfig(c.Engine.Dir)
	e.LibraryPath = c.Engine.Library
	if c.Engine.MemoryLimit != 0 {
		e.MemoryLimit = c.Engine.MemoryLimit
	}
	return e
}

// defaultEngineDir is tocsin/data below the user's data folder.
func defaultEngineDir() string {
	if dir := os.Getenv("XDG_DATA_HOME"); dir != "" {
		return filepath.Join(dir, "tocsin", "engine")
	}
	if home, err := os.UserHomeDir(); err == nil {
		return filepath.Join(home, ".local", "share", "tocsin", "engine")
	}
	return filepath.Join("data", "engine")
}

// EngineProgress shows the fetching of the engine library: a bar on a terminal, a line a phase elsewhere.
func EngineProgress(w io.Writer) func(engine.Progress) {
	var bar *progressbar.ProgressBar
	phase := ""
	watched := onTerminal(w)
	return func(p engine.Progress) {
		if p.Phase != phase {
			phase = p.Phase
			if !watched {
				fmt.Fprintf(w, "engine: %s\n", phaseWords(phase))
				return
			}
			if bar != nil {
				_ = bar.Finish()
				fmt.Fprintln(w)
			}
			bar = progressbar.NewOptions64(max(p.Total, -1), progressbar.OptionSetWriter(w), progressbar.OptionSetDescription("engine: "+phaseWords(phase)), progressbar.OptionShowBytes(true))
		}
		if bar != nil {
			_ = bar.Set64(p.Done)
		}
	}
}

// phaseWords says what a phase of fetching means to whoever waits.
func phaseWords(phase string) string {
	switch phase {
	case "wait":
		return "preparing (another process that fetches it is waited for)"
	case "fetch":
		return "fetching the ClickHouse library with npm, about 167 MB, once"
	case "verify":
		return "verifying it"
	case "unpack":
		return "unpacking it, about 560 MB"
	}
	return phase
}
