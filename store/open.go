package store

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"os"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2"
	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"

	"github.com/tocsin-siem/tocsin/event"
)

// minVersion is the oldest ClickHouse whose features the schema and the queries use.
const minVersion = 25

// DB is the store. Its methods may be called from any goroutine; appends wait for each other.
type DB struct {
	cfg     Config
	conn    driver.Conn
	log     *slog.Logger
	now     func() time.Time
	metrics metrics
	version string
	local   map[string]string // Spread tables by name, with the name of their local part; set by Open and not changed.

	delta  *delta
	asked  <-chan struct{}
	ask    func(context.Context) error
	direct bool // No rows of a batch are drafts.

	mu    sync.Mutex
	enc   *encoders     // guarded by mu
	epoch uint64        // guarded by mu: the epoch this process has claimed, 0 before
	tail  event.BatchID // guarded by mu: the end of the log as this process last read it
	read  bool          // guarded by mu: tail has been read

	recent  *recent
	newest  newest
	fault   atomic.Pointer[Fault]
	trusted atomic.Bool // An insert was taken, so the user's rights sufficed.
}

// Open connects, checks the server's version, brings the schema up to date and applies the configured retention and what makes
// merges cheap; where it is alone, it moves to their tables what a dead process left in the table accrued, and else it waits for
// a moment until the process that writes has moved what is there. It fails where the schema is newer than this program or an applied schema file has changed since.
func Open(ctx context.Context, cfg Config, set Settings) (*DB, error) {
	db, err := connect(cfg, set)
	if err != nil {
		return nil, err
	}
	steps := []func(context.Context) error{db.checkVersion, db.applySchema, db.findSpread, db.applyRetention, db.applyMerging}
	if set.Alone {
		steps = append(steps, db.adoptAll)
	} else {
		steps = append(steps, db.awaitDrafts)
	}
	for _, step := range steps {
		if err := step(ctx); err != nil {
			_ = db.conn.Close()
			return nil, fmt.Errorf("open clickhouse at %s: %w", strings.Join(cfg.Addr, ", "), err)
		}
	}
	return db, nil
}

// connect makes a DB without asking the server anything.
func connect(cfg Config, set Settings) (*DB, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	if len(cfg.Addr) == 0 {
		return nil, errors.New("clickhouse.addr is empty: start the embedded engine and give its address, or name a server")
	}
	options, err := cfg.options()
	if err != nil {
		return nil, err
	}
	conn, err := clickhouse.Open(options)
	if err != nil {
		return nil, fmt.Errorf("open clickhouse: %w", err)
	}
	db := &DB{cfg: cfg, conn: conn, log: set.Logger, now: set.Now, delta: newDelta(), asked: set.Asked, ask: set.Ask, recent: newRecent()}
	if db.log == nil {
		db.log = slog.New(slog.DiscardHandler)
	}
	db.log = db.log.With("component", "store")
	if db.now == nil {
		db.now = time.Now
	}
	if db.metrics, err = newMetrics(set.Meter); err != nil {
		return nil, err
	}
	if db.enc, err = newEncoders(); err != nil {
		return nil, err
	}
	return db, nil
}

// An insert's data goes out by this much at a time, in bytes. With net/http's own 4 KiB each 32 KiB of it are three writes, and each of these wakes the
// one that reads.
const (
	sendBuffer    = 256 << 10
	receiveBuffer = 64 << 10
)

func (c Config) options() (*clickhouse.Options, error) {
	o := &clickhouse.Options{
		Protocol:    clickhouse.HTTP,
		Addr:        c.Addr,
		Auth:        clickhouse.Auth{Username: c.Username, Password: string(c.Password)},
		DialTimeout: 10 * time.Second,
		// An insert of a large batch into a busy server takes its time; the context is what ends it.
		ReadTimeout:  10 * time.Minute,
		MaxOpenConns: 16,
		MaxIdleConns: 8,
		TransportFunc: func(t *http.Transport) (http.RoundTripper, error) {
			t.WriteBufferSize, t.ReadBufferSize = sendBuffer, receiveBuffer
			return t, nil
		},
	}
	if c.Protocol == "native" {
		o.Protocol = clickhouse.Native
	}
	if !c.TLS.Enabled {
		return o, nil
	}
	o.TLS = &tls.Config{MinVersion: tls.VersionTLS12, ServerName: c.TLS.ServerName}
	if c.TLS.CA != "" {
		pem, err := os.ReadFile(c.TLS.CA)
		if err != nil {
			return nil, fmt.Errorf("clickhouse.tls.ca: %w", err)
		}
		o.TLS.RootCAs = x509.NewCertPool()
		if !o.TLS.RootCAs.AppendCertsFromPEM(pem) {
			return nil, fmt.Errorf("clickhouse.tls.ca %s holds no PEM certificate", c.TLS.CA)
		}
	}
	if c.TLS.Cert != "" {
		pair, err := tls.LoadX509KeyPair(c.TLS.Cert, c.TLS.Key)
		if err != nil {
			return nil, fmt.Errorf("clickhouse.tls.cert: %w", err)
		}
		o.TLS.Certificates = []tls.Certificate{pair}
	}
	return o, nil
}

// Close moves what waits in the table accrued to its tables, for at most fifteen seconds and not while the server is in trouble, and ends the connections.
// What is left there, the next process moves.
func (db *DB) Close() error {
	db.closeDelta()
	return db.conn.Close()
}

// Version is what the server's version() says.
func (db *DB) Version() string { return db.version }

func (db *DB) checkVersion(ctx context.Context) error {
	if err := db.row(ctx, "SELECT version()").Scan(&db.version); err != nil {
		return fmt.Errorf("ask for the version: %w; check that the server runs, and addr, protocol, username, password and tls under clickhouse", err)
	}
	major, _, _ := strings.Cut(db.version, ".")
	if n, err := strconv.Atoi(major); err != nil || n < minVersion {
		return fmt.Errorf("the server is ClickHouse %s: version %d or newer is needed", db.version, minVersion)
	}
	return nil
}

// named is one bound parameter of a query: {name:Type} in its text.
type named struct {
	name  string
	value any
}

func bind(args []named) []any {
	bound := make([]any, len(args))
	for i, a := range args {
		bound[i] = clickhouse.Named(a.name, a.value)
	}
	return bound
}

func (db *DB) row(ctx context.Context, query string, args ...named) driver.Row {
	if err := db.moveBefore(ctx, query); err != nil {
		return failedRow{err}
	}
	return db.conn.QueryRow(ctx, query, bind(args)...)
}

func (db *DB) rows(ctx context.Context, query string, args ...named) (driver.Rows, error) {
	if err := db.moveBefore(ctx, query); err != nil {
		return nil, err
	}
	return db.conn.Query(ctx, query, bind(args)...)
}

// table is the full name of one of our tables.
func (db *DB) table(name string) string { return db.cfg.Database + "." + name }

// Database is the database the tables are in.
func (db *DB) Database() string { return db.cfg.Database }
