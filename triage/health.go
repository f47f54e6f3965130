package triage

import (
	"sync"
	"time"
)

const (
	breakAfter = 10          // failures in a row that open the circuit breaker
	probeEvery = time.Minute // how often an open one is tried
)

// Starting is the state of an endpoint until what it is owed has been looked at for the first time. It is no trouble.
const Starting = "starting"

// health is what is known of an endpoint's well-being, and its circuit breaker. It is safe for concurrent use.
type health struct {
	mu            sync.Mutex
	failures      int
	since         int64 // our clock, microseconds, of the first of the failures
	lastError     string
	probe         time.Time // when an open breaker is tried next
	disabled      bool
	ill           int64    // our clock, microseconds: since when it is disabled
	told          []string // endpoints through which it was told that this one fails
	misconfigured bool
	pending       int
	looked        bool // pending is known
}

// fail counts a failure of the endpoint; opened is true when the breaker opens with it, first when it is the first in a row.
func (h *health) fail(err string, now time.Time) (first, opened bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.failures++
	h.lastError = err
	if h.failures == 1 {
		h.since = now.UnixMicro()
	}
	if h.failures >= breakAfter {
		h.probe = now.Add(probeEvery)
	}
	return h.failures == 1, h.failures == breakAfter
}

// alive notes that the endpoint answered; wasOpen is true if the breaker closes with it, wasFailing if there were failures before.
func (h *health) alive() (wasFailing, wasOpen bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	wasFailing, wasOpen = h.failures > 0, h.failures >= breakAfter
	h.failures, h.since = 0, 0
	return wasFailing, wasOpen
}

// refuse notes that the endpoint turned a delivery down for good; accept that it took one.
func (h *health) refuse(err string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.misconfigured, h.lastError = true, err
}

func (h *health) accept() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.misconfigured, h.lastError = false, ""
}

func (h *health) disable(err string, now time.Time) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.disabled, h.lastError, h.ill = true, err, now.UnixMicro()
}

// found notes that an endpoint that was gone takes what it is sent again.
func (h *health) found() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.disabled, h.misconfigured, h.lastError, h.ill = false, false, "", 0
}

func (h *health) isDisabled() bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.disabled
}

func (h *health) owed(n int) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.pending, h.looked = n, true
}

// open reports whether the breaker is open, and when to try again.
func (h *health) open() (bool, time.Time) {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.failures >= breakAfter, h.probe
}

func (h *health) status(name string) EndpointStatus {
	h.mu.Lock()
	defer h.mu.Unlock()
	s := EndpointStatus{Name: name, State: "ok", Failures: h.failures, Since: h.since, Error: h.lastError, Pending: h.pending, Trouble: h.trouble(), Told: append([]string{}, h.told...)}
	switch {
	case h.disabled:
		s.State = "disabled"
	case h.failures >= breakAfter:
		s.State = "open"
	case h.failures > 0:
		s.State = "failing"
	case h.misconfigured:
		s.State = "misconfigured"
	case !h.looked:
		s.State = Starting
	}
	return s
}
