package app

import (
	"context"
	"fmt"
	"sync"
	"time"

	"go.opentelemetry.io/otel/metric"

	"github.com/tocsin-siem/tocsin/rules"
)

// filling is what is known of the filling of new rules with the past, during which events wait. Its methods may be called by any goroutine.
type filling struct {
	took metric.Float64Histogram

	mu      sync.Mutex // guards what follows
	active  int        // Partitions, or the one engine, whose rules are being filled.
	since   time.Time  // The first of them began.
	rules   int        // Of the one that spoke last,
	percent int        // and how far it has come.
	last    time.Duration
	ended   time.Time
}

// during tells of filling while do works.
func (f *filling) during(list []*rules.Rule, do func() error) error {
	if len(list) == 0 {
		return do()
	}
	f.mu.Lock()
	if f.active == 0 {
		f.since, f.percent = time.Now(), 0
	}
	f.active++
	f.rules = len(list)
	f.mu.Unlock()
	defer func() {
		f.mu.Lock()
		defer f.mu.Unlock()
		if f.active--; f.active == 0 {
			f.ended = time.Now()
			f.last = f.ended.Sub(f.since)
			f.took.Record(context.Background(), f.last.Seconds())
		}
	}()
	return do()
}

// reach tells how far the filling has come, in per cent.
func (f *filling) reach(percent int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.percent = percent
}

// busy reports whether rules are being filled.
func (f *filling) busy() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.active > 0
}

// detail says how things stand; "" if no rule was ever filled.
func (f *filling) detail() string {
	f.mu.Lock()
	defer f.mu.Unlock()
	switch {
	case f.active > 0:
		return fmt.Sprintf("; new rules (%d) have been filled with the past for %s, %d %% done: events wait meanwhile, and none is lost", f.rules, time.Since(f.since).Round(time.Second), f.percent)
	case !f.ended.IsZero():
		return fmt.Sprintf("; filling new rules with the past took %s, %s ago", f.last.Round(time.Millisecond), time.Since(f.ended).Round(time.Second))
	}
	return ""
}
