package kafka

import (
	"context"
	"errors"
	"net"
	"sync"
)

// lines are the connections that kafka-go's consumer group has opened. It has no other way to be hurried.
type lines struct {
	dial func(ctx context.Context, network, address string) (net.Conn, error)

	mu   sync.Mutex // guards what follows
	open map[*line]bool
	over bool
}

type line struct {
	net.Conn
	of *lines
}

var errOver = errors.New("the membership in the group has ended")

func (l *lines) connect(ctx context.Context, network, address string) (net.Conn, error) {
	conn, err := l.dial(ctx, network, address)
	if err != nil {
		return nil, err
	}
	x := &line{conn, l}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.over {
		conn.Close()
		return nil, errOver
	}
	l.open[x] = true
	return x, nil
}

// cut closes all connections and lets no more be opened.
func (l *lines) cut() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.over = true
	for x := range l.open {
		x.Conn.Close()
	}
}

// Close implements net.Conn.
func (x *line) Close() error {
	x.of.mu.Lock()
	delete(x.of.open, x)
	x.of.mu.Unlock()
	return x.Conn.Close()
}
