package access

import (
	"net/netip"
	"sync"
	"time"
)

// Limit allows each key so many steps at once and so many per time after that. It holds a bounded number of keys; when there are more, those that
// have not been heard of share one allowance. Its methods may be called from any goroutine.
type Limit struct {
	burst float64
	per   time.Duration // The time in which one step comes back.
	keys  int
	now   func() time.Time

	mu     sync.Mutex
	used   map[string]bucket // guarded by mu
	others bucket            // guarded by mu
	swept  time.Time         // guarded by mu: when keys were last forgotten, which takes a while
}

// bucket is how much was used as of a time; it empties as time passes.
type bucket struct {
	used float64
	at   time.Time
}

const limitKeys = 20_000

// NewLimit makes a limit of burst steps at once and one more each per.
func NewLimit(burst int, per time.Duration, now func() time.Time) *Limit {
	return &Limit{burst: float64(burst), per: per, keys: limitKeys, now: now, used: map[string]bucket{}}
}

// Take uses one step of a key. Where none is left, wait says when one will be.
func (l *Limit) Take(key string) (wait time.Duration) {
	l.mu.Lock()
	defer l.mu.Unlock()
	now := l.now()
	b, known := l.used[key]
	if !known && len(l.used) >= l.keys {
		if now.Sub(l.swept) >= l.per {
			l.swept = now
			l.forget(now)
		}
		if len(l.used) >= l.keys {
			wait, l.others = l.step(l.others, now)
			return wait
		}
	}
	wait, b = l.step(b, now)
	l.used[key] = b
	return wait
}

// Left reports whether a key has a step left, without using it.
func (l *Limit) Left(key string) (wait time.Duration) {
	l.mu.Lock()
	defer l.mu.Unlock()
	wait, _ = l.step(l.used[key], l.now())
	return wait
}

// Forgive gives a key all its steps back.
func (l *Limit) Forgive(key string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.used, key)
}

func (l *Limit) step(b bucket, now time.Time) (time.Duration, bucket) {
	b.used = max(0, b.used-float64(now.Sub(b.at))/float64(l.per))
	b.at = now
	if over := b.used + 1 - l.burst; over > 0 {
		return max(time.Millisecond, time.Duration(over*float64(l.per))), b
	}
	b.used++
	return 0, b
}

// forget removes keys whose allowance is whole again.
func (l *Limit) forget(now time.Time) {
	for k, b := range l.used {
		if float64(now.Sub(b.at))/float64(l.per) >= b.used {
			delete(l.used, k)
		}
	}
}

// AddressKey is what an address counts under: itself for IPv4, its /64 for IPv6, since whoever has one address there has all of them.
func AddressKey(address string) string {
	ip, err := netip.ParseAddr(address)
	if err != nil {
		return address
	}
	if ip = ip.Unmap().WithZone(""); ip.Is6() {
		p, _ := ip.Prefix(64)
		return p.String()
	}
	return ip.String()
}
