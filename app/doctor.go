package app

import (
	"context"
	"fmt"
	"iter"
	"log/slog"
	"net"
	"os"
	"strings"

	"github.com/tocsin-siem/tocsin/enrich"
	"github.com/tocsin-siem/tocsin/store/engine"
	"github.com/tocsin-siem/tocsin/triage"
)

// Diagnosis is one check of the doctor. Codes are stable.
type Diagnosis struct {
	Code   string `json:"code"`
	Name   string `json:"name"`
	Good   bool   `json:"good"`
	Detail string `json:"detail"`
	Fix    string `json:"fix,omitempty"`
}

// Doctor checks what the service needs, in the order in which it would need it. Later checks are left out where an earlier one makes them
// pointless.
func Doctor(ctx context.Context, path string) iter.Seq[Diagnosis] {
	return func(yield func(Diagnosis) bool) {
		cfg, err := LoadConfig(path)
		if err != nil {
			yield(Diagnosis{"D001", "configuration", false, err.Error(), "mend the file; tocsin config print shows every key"})
			return
		}
		name := path
		if name == "" {
			name = "built-in defaults"
		}
		if !yield(Diagnosis{"D001", "configuration", true, name, ""}) {
			return
		}
		for _, check := range []func(context.Context, Config) Diagnosis{checkTables, checkRules, checkSources, checkConsole, checkEndpoints, checkLibrary, checkStore} {
			if d := check(ctx, cfg); !yield(d) || ctx.Err() != nil {
				return
			}
		}
	}
}

// CheckConfig checks what a configuration names: tables, rules, sources and endpoints. It starts nothing.
func CheckConfig(cfg Config) error {
	if _, err := NewCore(cfg); err != nil {
		return err
	}
	for _, check := range []func(context.Context, Config) Diagnosis{checkSources, checkEndpoints} {
		if d := check(context.Background(), cfg); !d.Good {
			return fmt.Errorf("%s: %s; %s", d.Name, d.Detail, d.Fix)
		}
	}
	return nil
}

func checkTables(_ context.Context, cfg Config) Diagnosis {
	d := Diagnosis{Code: "D002", Name: "enrichment"}
	live, problems := enrich.NewLive(cfg.Enrich, os.ReadFile)
	if len(problems) > 0 {
		d.Detail, d.Fix = Count(len(problems), "problem")+", the first: "+problems[0].String(), "mend the table files"
		return d
	}
	a, i, z, l, s := live.Tables().Counts()
	d.Good, d.Detail = true, strings.Join([]string{Count(a, "asset"), Count(i, "identity"), Count(z, "zone"), Count(l, "list"), Count(s, "schedule")}, ", ")
	if a == 0 {
		d.Fix = "without an inventory robots are known only by what they call themselves: name a file under enrich.assets"
	}
	return d
}

func checkRules(_ context.Context, cfg Config) Diagnosis {
	d := Diagnosis{Code: "D003", Name: "rules"}
	set, problems := LoadConfigured(cfg.Rules)
	if set == nil {
		d.Detail, d.Fix = Count(len(problems), "problem")+", the first: "+problems[0].String(), "tocsin rules lint lists them all"
		return d
	}
	d.Good, d.Detail = true, Count(len(set.Rules), "rule")
	return d
}

func checkSources(_ context.Context, cfg Config) Diagnosis {
	d := Diagnosis{Code: "D004", Name: "sources", Good: true, Detail: Count(len(cfg.Sources), "source")}
	if len(cfg.Sources) == 0 {
		d.Fix = "name at least one under sources: before tocsin run"
	}
	for _, s := range cfg.Sources {
		if s.File == "" {
			continue
		}
		f, err := os.Open(s.File)
		if err != nil {
			d.Good, d.Detail, d.Fix = false, fmt.Sprintf("%s: %v", s.Name, err), "check the path and that this user may read it"
			return d
		}
		_ = f.Close()
	}
	return d
}

func checkConsole(ctx context.Context, cfg Config) Diagnosis {
	d := Diagnosis{Code: "D005", Name: "console", Detail: cfg.Console.Listen}
	var lc net.ListenConfig
	l, err := lc.Listen(ctx, "tcp", cfg.Console.Listen)
	if err != nil {
		d.Detail, d.Fix = err.Error(), "another program uses the port, or the service runs already: set console.listen to a free one"
		return d
	}
	_ = l.Close()
	d.Good = true
	return d
}

func checkEndpoints(_ context.Context, cfg Config) Diagnosis {
	d := Diagnosis{Code: "D006", Name: "endpoints", Good: true, Detail: Count(len(cfg.Triage.Endpoints), "endpoint")}
	set := deskSettings(cfg)
	set.Log, set.Raw = slog.New(slog.DiscardHandler), reader{}
	if _, err := triage.NewDesk(cfg.Triage, set, nil); err != nil {
		d.Good, d.Detail, d.Fix = false, err.Error(), "mend triage.endpoints"
	}
	return d
}

func checkLibrary(ctx context.Context, cfg Config) Diagnosis {
	d := Diagnosis{Code: "D007", Name: "engine"}
	if len(cfg.ClickHouse.Addr) > 0 {
		d.Good, d.Detail = true, "not needed: a server is configured"
		return d
	}
	path, err := engine.Locate(ctx, EngineConfig(cfg))
	if err != nil {
		d.Detail, d.Fix = err.Error(), "tocsin engine fetch, or set clickhouse.addr to a server"
		return d
	}
	d.Good, d.Detail = true, path
	return d
}

func checkStore(ctx context.Context, cfg Config) Diagnosis {
	d := Diagnosis{Code: "D008", Name: "store"}
	db, err := openBeside(ctx, cfg, nil)
	if err != nil {
		d.Detail, d.Fix = err.Error(), "see the message; an embedded engine is opened by one process, whose user can use it by commands meanwhile"
		return d
	}
	defer func() { _ = db.Close() }()
	d.Good, d.Detail = true, "ClickHouse "+db.Version()
	return d
}
