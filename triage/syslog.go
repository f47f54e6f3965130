package triage

import (
	"context"
	"errors"
	"io"
	"net"
	"net/url"
	"time"

	"github.com/tocsin-siem/tocsin/triage/adapter"
)

// settleSyslog is how long a receiver of syslog has to turn down what it was sent: syslog has no answers, only connections that break.
const settleSyslog = 2 * time.Second

// syslog sends messages over TCP or TLS, each by a connection of its own, octets counted.
type syslog struct {
	address string
	secure  bool
	way     way
}

func newSyslog(_ *courier, to *url.URL, w way) *syslog {
	s := &syslog{address: to.Host, secure: to.Scheme == "tls", way: w}
	if to.Port() == "" {
		port := "601" // RFC 6587
		if s.secure {
			port = "6514" // RFC 5425
		}
		s.address = net.JoinHostPort(to.Hostname(), port)
	}
	return s
}

// carry implements carrier. What the receiver took before it fails is gone: that is as much as syslog promises.
func (s *syslog) carry(ctx context.Context, _ *adapter.Letter, p adapter.Parcel, _ time.Time) answer {
	c, err := s.connect(ctx)
	if err != nil {
		return failed(err)
	}
	defer c.Close()
	until := time.Now().Add(settleSyslog)
	if deadline, ok := ctx.Deadline(); ok {
		_ = c.SetDeadline(deadline)
		until = earlier(until, deadline)
	}
	if _, err := c.Write(adapter.FrameSyslog(p.Body)); err != nil {
		return failed(err)
	}
	return settle(c, until)
}

func (s *syslog) connect(ctx context.Context) (net.Conn, error) {
	if s.secure {
		return s.way.secure(ctx, s.address)
	}
	return s.way.dial(ctx, "tcp", s.address)
}

// settle says that nothing more comes and waits for the receiver to close as well. One that keeps the connection has not failed.
func settle(c net.Conn, until time.Time) answer {
	if half, ok := c.(interface{ CloseWrite() error }); ok {
		if err := half.CloseWrite(); err != nil {
			return failed(err)
		}
	}
	_ = c.SetReadDeadline(until)
	_, err := io.Copy(io.Discard, io.LimitReader(c, maxAnswer))
	if timeout, ok := errors.AsType[net.Error](err); err != nil && (!ok || !timeout.Timeout()) {
		return failed(err)
	}
	return answer{verdict: delivered}
}

func earlier(a, b time.Time) time.Time {
	if b.Before(a) {
		return b
	}
	return a
}
