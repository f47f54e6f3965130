package app

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/tocsin-siem/tocsin/console"
	"github.com/tocsin-siem/tocsin/rules"
)

// ruleKeeper has the rules in force and looks for changes of their files. A set that has an error is refused whole, and the one before stays.
type ruleKeeper struct {
	cfg     RulesConfig
	force   atomic.Pointer[rules.Set]
	running atomic.Pointer[rules.Set] // What the engine goes by: it takes over the rules in force between two batches.
	loads   atomic.Int64
	refused atomic.Int64

	mu      sync.Mutex // guards what follows
	seen    string     // Of the files, when they were last read.
	problem string     // Why they were last refused; "" if they were not.
	loaded  time.Time
}

// newRuleKeeper begins with a set that was loaded from the files.
func newRuleKeeper(cfg RulesConfig, set *rules.Set) *ruleKeeper {
	k := &ruleKeeper{cfg: cfg, seen: fingerprint(cfg), loaded: time.Now()}
	k.force.Store(set)
	k.running.Store(set)
	return k
}

// Set are the rules in force.
func (k *ruleKeeper) Set() *rules.Set { return k.force.Load() }

// look reads the files again if they changed, or in any case. The result is the new set, nil if there is none, and what is wrong with the files.
func (k *ruleKeeper) look(anyway bool) (*rules.Set, []rules.Problem) {
	k.mu.Lock()
	defer k.mu.Unlock()
	now := fingerprint(k.cfg)
	if now == k.seen && !anyway {
		return nil, nil
	}
	k.seen = now
	set, problems := LoadConfigured(k.cfg)
	if set == nil {
		k.problem = problems[0].String()
		for _, p := range problems {
			if p.Severity == rules.Error {
				k.problem = p.String()
				break
			}
		}
		k.refused.Add(1)
		return nil, problems
	}
	k.problem = ""
	if set.Hash == k.force.Load().Hash {
		return nil, nil
	}
	k.loaded = time.Now()
	k.loads.Add(1)
	k.force.Store(set)
	return set, problems
}

// check is the line of the health page.
func (k *ruleKeeper) check() console.Check {
	k.mu.Lock()
	defer k.mu.Unlock()
	set := k.force.Load()
	c := console.Check{Name: "rules", Good: k.problem == "", Detail: fmt.Sprintf("%s, %s", Count(len(set.Rules), "rule"), set.Hash)}
	if n := k.loads.Load(); n > 0 {
		c.Detail += "; read again " + time.Since(k.loaded).Round(time.Second).String() + " ago"
	}
	if k.running.Load() != set {
		c.Detail += "; taken over with the next batch"
	}
	if !c.Good {
		c.Detail = "the files were refused and the old rules stay: " + k.problem
	}
	return c
}

// fingerprint changes when a file of the configured paths does: their names, sizes and times of change.
func fingerprint(cfg RulesConfig) string {
	h := sha256.New()
	for _, path := range append(append([]string{}, cfg.Paths...), cfg.Exceptions...) {
		for _, p := range sigmaPrefixes {
			path = strings.TrimPrefix(path, p.prefix)
		}
		if path == Builtin {
			continue
		}
		err := filepath.WalkDir(path, func(name string, e fs.DirEntry, err error) error {
			if err != nil {
				return err
			}
			info, err := os.Stat(name) // Through links: a mounted configuration is made of them.
			if err != nil {
				return err
			}
			fmt.Fprintln(h, name, e.IsDir() || info.IsDir(), info.Size(), info.ModTime().UnixNano())
			return nil
		})
		if err != nil {
			fmt.Fprintln(h, path, err)
		}
	}
	return hex.EncodeToString(h.Sum(nil))
}

// watchRules looks for changed rule files every so often and on SIGHUP, until ctx ends.
func (s *Service) watchRules(ctx context.Context) {
	hup := make(chan os.Signal, 1)
	signal.Notify(hup, syscall.SIGHUP)
	defer signal.Stop(hup)
	tick := time.NewTicker(s.cfg.Rules.Refresh)
	defer tick.Stop()
	for {
		anyway := false
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		case <-hup:
			anyway = true
		}
		s.reloadRules(anyway)
	}
}

// reloadRules takes over changed rule files; the engine follows with its next batch, which is woken for it.
func (s *Service) reloadRules(anyway bool) {
	log := s.tel.Log.With("component", "rules")
	set, problems := s.keeper.look(anyway)
	switch {
	case set == nil && len(problems) > 0:
		for _, p := range problems {
			log.Error("rules refused, the old ones stay", "problem", p.String())
		}
		s.metrics.ruleSet(false)
		return
	case set == nil:
		return
	}
	logChanges(log, s.keeper.running.Load(), set)
	s.warnOfRules(set)
	s.metrics.ruleSet(true)
	select {
	case s.wake <- struct{}{}:
	default:
	}
}

// logChanges says what a new set of rules changes, above all what its author will want to know.
func logChanges(log *slog.Logger, old, set *rules.Set) {
	for _, r := range set.Rules {
		was := old.Rule(r.ID)
		if was != nil && was.Hash != r.Hash && was.Version == r.Version {
			log.Warn("what the rule matches changed, and its version did not: its findings cannot be told from those before", "rule", r.ID, "version", r.Version, "fix", "raise version")
		}
	}
	log.Info("rules read again", "rules", len(set.Rules), "hash", set.Hash)
}
