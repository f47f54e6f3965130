//go:build linux

package store_test

import (
	"context"
	"io"
	"net"
	"os"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/tocsin-siem/tocsin/event"
	"github.com/tocsin-siem/tocsin/incident"
	"github.com/tocsin-siem/tocsin/store"
	"github.com/tocsin-siem/tocsin/store/engine"
)

// gate passes bytes on to an engine. Once armed, it calls strike, once, before it passes on a request that contains the text: an engine can be killed
// between two statements.
type gate struct {
	listener net.Listener
	to       func() string
	armed    atomic.Pointer[string]
	strike   func()
}

func newGate(t *testing.T, to func() string) *gate {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	g := &gate{listener: l, to: to}
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go g.pass(c)
		}
	}()
	t.Cleanup(func() { l.Close() })
	return g
}

func (g *gate) pass(client net.Conn) {
	defer client.Close()
	server, err := net.Dial("tcp", g.to())
	if err != nil {
		return
	}
	defer server.Close()
	go func() {
		_, _ = io.Copy(client, server)
		client.Close()
	}()
	buf := make([]byte, 64<<10)
	var before string // The end of what came before, which may have the beginning of the text.
	for {
		n, err := client.Read(buf)
		if text := g.armed.Load(); text != nil {
			now := before + string(buf[:n])
			if strings.Contains(now, *text) && g.armed.CompareAndSwap(text, nil) {
				g.strike()
				return
			}
			before = now[max(0, len(now)-len(*text)+1):]
		}
		if _, werr := server.Write(buf[:n]); err != nil || werr != nil {
			return
		}
	}
}

// restartable is an engine on one directory that tests kill and start again.
type restartable struct {
	dir     string
	process atomic.Pointer[engine.Process]
}

func newRestartable(t *testing.T) *restartable {
	t.Helper()
	r := &restartable{dir: t.TempDir()}
	r.start(t)
	t.Cleanup(func() { must(t, r.process.Load().Close()) })
	return r
}

func (r *restartable) start(t *testing.T) { t.Helper(); r.process.Store(startEngine(t, r.dir)) }

func (r *restartable) kill(t *testing.T) {
	t.Helper()
	p := r.process.Load()
	must(t, syscall.Kill(p.PID(), syscall.SIGKILL))
	<-p.Done()
}

func TestABatchWithoutItsMarkerDoesNotExist(t *testing.T) {
	t.Run("whose rows are in their tables", func(t *testing.T) { testNoMarker(t, "tocsin.batches", "events", (*store.DB).AppendDirectly) })
	t.Run("which is one with its rows", func(t *testing.T) { testNoMarker(t, "INTO+tocsin.accrued", "", func(*store.DB) {}) })
}

// testNoMarker lets the engine die at a statement. has is the table that has rows of the batch nevertheless.
func testNoMarker(t *testing.T, statement, has string, prepare func(*store.DB)) {
	r := newRestartable(t)
	g := newGate(t, func() string { return r.process.Load().Addr() })
	cfg := config(r.process.Load(), "tocsin")
	cfg.Addr = []string{g.listener.Addr().String()}
	db := open(t, cfg)
	prepare(db)
	first := entry(1, 1, 0, 20)
	must(t, appendTo(t.Context(), db, first))

	collect(t, db.Events(t.Context(), store.EventFilter{})) // No drafts are moved meanwhile.

	// The engine dies when the marker of the second batch is about to be written; then the process gives up.
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	g.strike = func() {
		r.kill(t)
		cancel()
	}
	g.armed.Store(new(statement))
	if err := appendTo(ctx, db, entry(1, 2, 20, 20)); err == nil {
		t.Fatal("the batch was appended without an engine")
	}

	r.start(t)
	cfg = config(r.process.Load(), "tocsin")
	again := open(t, cfg)
	var rows uint64
	for _, table := range []string{"events", "accrued"} {
		must(t, admin(t, cfg).QueryRow(t.Context(), "SELECT count() FROM tocsin."+table+" WHERE number = 2").Scan(&rows))
		if (rows > 0) != (table == has) {
			t.Fatalf("%d rows of the unfinished batch are in %s on the disk, want some in %q alone", rows, table, has)
		}
	}
	if diff := cmp.Diff([]*incident.Entry{forReplay(first)}, replay(t, again, event.BatchID{}), zones); diff != "" {
		t.Errorf("replay after the crash (-want +got):\n%s", diff)
	}
	tail, err := again.Tail(t.Context())
	must(t, err)
	if want := (event.BatchID{Epoch: 1, Number: 1}); tail.Batch != want || tail.Epoch != 1 {
		t.Errorf("the tail is %v of epoch %d, want %v of epoch 1", tail.Batch, tail.Epoch, want)
	}

	// The records come again, cut into batches in another way.
	must(t, appendTo(t.Context(), again, entry(2, 1, 20, 30)))
	if got := offsets(collect(t, again.Events(t.Context(), store.EventFilter{}))); len(got) != 50 {
		t.Errorf("%d events after the crash, want 50", len(got))
	}
	for table, want := range map[string]uint64{"events": 50, "hit_blocks": 2, "accrued": 0} {
		if rows := rowsIn(t, cfg, table); rows != want {
			t.Errorf("%d rows in %s after the crash, want %d: those of the unfinished batch are to be removed, and drafts moved", rows, table, want)
		}
	}
}

// An engine that dies in the middle of an append and comes back, as a supervised one does, costs nothing: the append goes on where it was, and what
// had been written before is not written twice.
func TestAnAppendSurvivesARestartOfTheEngine(t *testing.T) {
	t.Run("whose rows go to their tables", func(t *testing.T) { testRestart(t, "hit_blocks", (*store.DB).AppendDirectly) })
	t.Run("whose rows are drafts", func(t *testing.T) { testRestart(t, "accrued", func(*store.DB) {}) })
}

func testRestart(t *testing.T, table string, prepare func(*store.DB)) {
	r := newRestartable(t)
	g := newGate(t, func() string { return r.process.Load().Addr() })
	cfg := config(r.process.Load(), "tocsin")
	cfg.Addr = []string{g.listener.Addr().String()}
	cfg.Password = store.Secret(r.process.Load().Token())
	db := open(t, cfg)
	prepare(db)
	must(t, appendTo(t.Context(), db, entry(1, 1, 0, 20)))
	sick := make(chan error, 1)
	g.strike = func() {
		r.kill(t)
		go func() {
			for db.Health() == nil && t.Context().Err() == nil {
				time.Sleep(time.Millisecond)
			}
			sick <- db.Health()
			restart(t, r, string(cfg.Password))
		}()
	}
	collect(t, db.Events(t.Context(), store.EventFilter{})) // No drafts are moved meanwhile.
	g.armed.Store(new("INTO+tocsin." + table))
	want := entry(1, 2, 20, 20)
	must(t, appendTo(t.Context(), db, want))
	if err := <-sick; err == nil || !strings.Contains(err.Error(), "append batch 1/2 fails since") {
		t.Errorf("health during the outage is %v, want what fails", err)
	}
	if err := db.Health(); err != nil {
		t.Errorf("health after the outage is %v, want none", err)
	}
	if diff := cmp.Diff([]*incident.Entry{forReplay(want)}, replay(t, db, event.BatchID{Epoch: 1, Number: 1}), zones); diff != "" {
		t.Errorf("replay (-want +got):\n%s", diff)
	}
	for table, want := range map[string]uint64{"events": 40, "hit_blocks": 2, "notes": 2, "batches": 2} {
		var rows uint64
		for row, err := range mustQuery(t, db, "SELECT count() FROM "+table) {
			must(t, err)
			rows = row[0].(uint64)
		}
		if rows != want {
			t.Errorf("%d rows in %s, want %d", rows, table, want)
		}
	}
}

// restart brings the engine back with the same token.
func restart(t *testing.T, r *restartable, token string) {
	cfg := engine.DefaultConfig(r.dir)
	cfg.Command = []string{os.Args[0], childArg}
	cfg.LibraryPath, _ = locate()
	cfg.Token = token
	p, err := engine.Start(context.Background(), cfg)
	if err != nil {
		t.Error(err)
		return
	}
	r.process.Store(p)
}
