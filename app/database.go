package app

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"go.opentelemetry.io/otel/metric"

	"github.com/tocsin-siem/tocsin/store"
	"github.com/tocsin-siem/tocsin/store/engine"
)

// ClickHouseConfig is a ClickHouse server or cluster. Without an address the embedded engine is used.
type ClickHouseConfig struct {
	Addr      []string        `yaml:"addr"`     // host:port, the first that answers is used; empty: the embedded engine.
	Protocol  string          `yaml:"protocol"` // http or native.
	Database  string          `yaml:"database"`
	Username  string          `yaml:"username"`
	Password  Secret          `yaml:"password"`
	TLS       store.TLS       `yaml:"tls"`
	Cluster   string          `yaml:"cluster"`   // Create the tables ON CLUSTER, replicated; empty for a single server.
	Retention store.Retention `yaml:"retention"` // How long rows are kept.
}

func defaultClickHouse() ClickHouseConfig {
	d := store.DefaultConfig()
	return ClickHouseConfig{Protocol: d.Protocol, Database: d.Database, Retention: d.Retention}
}

func (c ClickHouseConfig) store() (store.Config, error) {
	password, err := c.Password.Value()
	if err != nil {
		return store.Config{}, fmt.Errorf("clickhouse.password: %w", err)
	}
	return c.with(store.Secret(password)), nil
}

func (c ClickHouseConfig) with(password store.Secret) store.Config {
	return store.Config{
		Addr: c.Addr, Protocol: c.Protocol, Database: c.Database, Username: c.Username, Password: password, TLS: c.TLS, Cluster: c.Cluster, Retention: c.Retention,
	}
}

// validate checks everything but the password, which is read when it is needed.
func (c ClickHouseConfig) validate() error { return c.with("").Validate() }

// Database is the store, and the embedded engine under it where no server is configured.
type Database struct {
	*store.DB
	log    *slog.Logger
	config engine.Config

	life context.Context // Ends with Close: a start under way is given up.
	end  context.CancelFunc

	mu      sync.Mutex
	process *engine.Process // nil with a server
	closing bool
	watch   sync.WaitGroup
	down    atomic.Pointer[string] // why the engine is not running; nil while it is
}

// OpenDatabase starts the embedded engine if no server is configured, and opens the store.
func OpenDatabase(ctx context.Context, c Config, log *slog.Logger, meter metric.Meter, progress func(engine.Progress)) (*Database, error) {
	cfg, err := c.ClickHouse.store()
	if err != nil {
		return nil, err
	}
	d := &Database{log: log.With("component", "engine")}
	d.life, d.end = context.WithCancel(context.WithoutCancel(ctx))
	asked := make(chan struct{}, 1)
	if len(cfg.Addr) == 0 {
		d.config = EngineConfig(c)
		d.config.Progress = progress
		d.config.Asked = func() {
			select {
			case asked <- struct{}{}:
			default:
			}
		}
		if d.process, err = engine.Start(ctx, d.config); err != nil {
			return nil, err
		}
		cfg.Addr, cfg.Protocol, cfg.Username, cfg.Password = []string{d.process.Addr()}, "http", engine.User, store.Secret(d.process.Token())
		// An engine that is started again has the same address and token, so the store finds it.
		d.config.Listen, d.config.Token = d.process.Addr(), d.process.Token()
		d.watch.Go(d.supervise)
	}
	if d.DB, err = store.Open(ctx, cfg, store.Settings{Logger: log, Meter: meter, Alone: d.process != nil, Asked: asked}); err != nil {
		d.closeEngine()
		return nil, err
	}
	return d, nil
}

// openBeside is OpenDatabase for commands, which may run beside the service: where that runs an embedded engine, its engine is used.
func openBeside(ctx context.Context, c Config, progress func(engine.Progress)) (*Database, error) {
	log := slog.New(slog.DiscardHandler)
	if len(c.ClickHouse.Addr) > 0 {
		return OpenDatabase(ctx, c, log, nil, progress)
	}
	addr, token, ok := engine.Shared(EngineConfig(c).Dir)
	if !ok {
		return OpenDatabase(ctx, c, log, nil, progress)
	}
	cfg, err := c.ClickHouse.store()
	if err != nil {
		return nil, err
	}
	cfg.Addr, cfg.Protocol, cfg.Username, cfg.Password = []string{addr}, "http", engine.User, store.Secret(token)
	d := &Database{log: log}
	d.life, d.end = context.WithCancel(context.WithoutCancel(ctx))
	ask := func(ctx context.Context) error { return engine.Hurry(ctx, addr, token) }
	if d.DB, err = store.Open(ctx, cfg, store.Settings{Logger: log, Ask: ask}); err != nil {
		d.end()
		return nil, err
	}
	return d, nil
}

// openKept is openBeside for commands that only read what has been kept. Where nothing has, no engine is fetched and started to say so.
func openKept(ctx context.Context, c Config, progress func(engine.Progress)) (*Database, error) {
	if why := NoHistory(c); why != "" {
		return nil, errors.New(why)
	}
	return openBeside(ctx, c, progress)
}

// NoHistory says why there is nothing stored to ask, without starting or fetching an engine: nobody has kept anything with this configuration. "" if
// there may be something.
func NoHistory(c Config) string {
	if len(c.ClickHouse.Addr) > 0 || engine.Kept(c.Engine.Dir) {
		return ""
	}
	return "there is no history: the embedded engine has kept nothing in " + c.Engine.Dir + "; run the service first (tocsin run), or name its configuration with --config"
}

// supervise starts the engine again when it dies, until Close. Meanwhile the store retries and the pipeline waits.
func (d *Database) supervise() {
	for {
		d.mu.Lock()
		p := d.process
		d.mu.Unlock()
		<-p.Done()
		if d.ended() {
			return
		}
		reason := fmt.Sprint(p.Err())
		d.down.Store(&reason)
		d.log.Error("engine died, starting it again", "err", reason)
		if !d.restart() {
			return
		}
		d.down.Store(nil)
		d.log.Info("engine is back")
	}
}

func (d *Database) ended() bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.closing
}

func (d *Database) restart() bool {
	for wait := 100 * time.Millisecond; ; wait = min(2*wait, 10*time.Second) {
		p, err := engine.Start(d.life, d.config)
		d.mu.Lock()
		if err == nil && !d.closing {
			d.process = p
			d.mu.Unlock()
			return true
		}
		closing := d.closing
		d.mu.Unlock()
		if closing {
			if err == nil {
				_ = p.Close()
			}
			return false
		}
		reason := fmt.Sprint(err)
		d.down.Store(&reason)
		select {
		case <-d.life.Done():
		case <-time.After(wait):
		}
	}
}

func (d *Database) closeEngine() {
	d.end()
	d.mu.Lock()
	d.closing = true
	p := d.process
	d.mu.Unlock()
	if p != nil {
		_ = p.Close()
		d.watch.Wait()
	}
}

// Close closes the store and ends the engine.
func (d *Database) Close() error {
	err := d.DB.Close()
	d.closeEngine()
	return err
}

// Down is why the engine is not running; "" while it is.
func (d *Database) Down() string {
	if r := d.down.Load(); r != nil {
		return *r
	}
	return ""
}
