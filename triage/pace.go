package triage

import (
	"time"

	"github.com/tocsin-siem/tocsin/incident"
)

// bucket bounds the attempts of an endpoint: so many a minute, which may come at once after a pause.
type bucket struct {
	tokens float64
	filled time.Time
}

// take gives how many of n attempts may be made now, and when the next may be.
func (b *bucket) take(n, rate int, now time.Time) (allowed int, next time.Time) {
	if b.filled.IsZero() {
		b.tokens = float64(rate)
	} else {
		b.tokens = min(float64(rate), b.tokens+now.Sub(b.filled).Minutes()*float64(rate))
	}
	b.filled = now
	allowed = min(n, int(b.tokens))
	b.tokens -= float64(allowed)
	wait := max(0, 1-b.tokens) / float64(rate) * float64(time.Minute)
	return allowed, now.Add(time.Duration(wait) + time.Millisecond)
}

// pace holds back what is more than the endpoint's rate.
func (e *endpoint) pace(due []incident.Delivery, now time.Time) []incident.Delivery {
	if e.to.Rate == 0 || len(due) == 0 {
		return due
	}
	n, next := e.bucket.take(len(due), e.to.Rate, now)
	if n < len(due) && next.Before(e.look) {
		e.look = next
	}
	return due[:n]
}
