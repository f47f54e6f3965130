package app

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/tocsin-siem/tocsin/console"
	"github.com/tocsin-siem/tocsin/correlate"
	"github.com/tocsin-siem/tocsin/incident"
	"github.com/tocsin-siem/tocsin/ingest"
	"github.com/tocsin-siem/tocsin/ingest/kafka"
	"github.com/tocsin-siem/tocsin/ingest/registry"
	"github.com/tocsin-siem/tocsin/relay"
	"github.com/tocsin-siem/tocsin/store/engine"
	"github.com/tocsin-siem/tocsin/triage"
	"github.com/tocsin-siem/tocsin/triage/board"
	"github.com/tocsin-siem/tocsin/triage/llm"
)

// Role is which part of the work a process does. One process does all of it; where that is not enough, the parts are processes that hand work
// to each other over Kafka (package relay).
type Role string

// The roles.
const (
	RoleAll       Role = "all"
	RoleIngest    Role = "ingest"
	RoleCorrelate Role = "correlate"
	RoleTriage    Role = "triage"
)

// Roles lists the roles.
var Roles = []Role{RoleAll, RoleIngest, RoleCorrelate, RoleTriage}

// ServiceSettings is what a command gives the service.
type ServiceSettings struct {
	Role      Role // Empty: all.
	Stdin     io.Reader
	Log       io.Writer
	Progress  func(engine.Progress)
	Published func([]incident.Change) // Told of recorded changes; nil: nobody.
	Ready     func(url string)        // Told when the console answers and recovery is done; nil: nobody.
	Clock     func() time.Time        // Our clock; nil: the machine's.
	Inputs    []ReplayInput           // Read once instead of the configured sources, always the one furthest behind; for the demo.
	Grace     time.Duration           // How long stopping may take before it is cut short; 0: 20 seconds.
}

// Service is the running program. Its parts start from the store up and stop in the opposite order.
type Service struct {
	cfg        Config
	set        ServiceSettings
	tel        *Telemetry
	db         *Database
	core       *Core
	keeper     *ruleKeeper
	filling    *filling
	worker     *correlate.Worker
	desk       *triage.Desk
	model      *llm.Worker // nil where no model is configured
	facts      *socFacts   // What measures know of incidents beside the board.
	deliveries *deliveries // with the desk
	feed       *triage.Feed
	board      *board.Board
	metrics    *Metrics
	pipeline   *ingest.Pipeline
	analyst    console.Analyst
	begin      func(incident.Action) func(context.Context) error // Queues an act, with analyst; what it gives waits for it.
	looks      *looks                                            // with analyst
	broker     *broker                                           // nil without kafka.brokers
	member     membership
	correlator *relay.Correlator // Role correlate.
	triage     *relay.Triage     // Role triage.
	bindings   *relay.Bindings   // Role ingest, as is lessons.
	lessons    *lessons
	consumer   *kafka.Consumer  // nil without sources that have topics
	registry   *registry.Client // nil without sources that need schemas
	schooled   []*schooled      // Those sources.
	dead       *deadLetter      // nil without a dead-letter topic
	posts      map[string]http.Handler
	wake       chan struct{}
	health     *healthBoard
	lines      []func() []console.Check // Further lines of the health page, such as a model's budget; set before the console is served.
	cleanups   []cleanup
	listener   net.Listener
	probes     net.Listener                // nil without telemetry.listen
	work       func(context.Context) error // What the role does until ctx ends or its inputs do.
	beside     []func(context.Context)     // What runs beside it from the console on until the stop.
	ready      atomic.Bool

	suppressions atomic.Pointer[[]incident.Suppression] // Role all: as of the last batch.
}

// cleanup undoes one step of starting.
type cleanup struct {
	name string
	do   func(context.Context) error
}

// grace is how long stopping may take before it is cut short, if nobody says otherwise.
const grace = 20 * time.Second

// manners is how long open requests may take to end.
const manners = 5 * time.Second

// Run starts the service, runs it until ctx ends or its inputs do, and stops it. after, if given, runs between the end of the inputs and
// the stop.
func Run(ctx context.Context, cfg Config, set ServiceSettings, after func(context.Context, *Service) error) (err error) {
	if set.Clock == nil {
		set.Clock = time.Now
	}
	set.Role = cmp.Or(set.Role, RoleAll)
	heap, done := context.WithCancel(ctx)
	defer done()
	go boundHeap(heap)
	if err := cfg.ValidateRole(set.Role); err != nil {
		return err
	}
	s := &Service{cfg: cfg, set: set, posts: map[string]http.Handler{}, wake: make(chan struct{}, 1), health: newHealthBoard()}
	defer func() {
		stopCtx, cancel := context.WithTimeout(context.WithoutCancel(ctx), cmp.Or(set.Grace, grace))
		defer cancel()
		err = errors.Join(err, s.stop(stopCtx))
	}()
	if err := s.start(ctx); err != nil {
		return err
	}
	if err := s.work(ctx); err != nil {
		return err
	}
	if after != nil {
		return after(ctx, s)
	}
	return nil
}

func (s *Service) onStop(name string, do func(context.Context) error) {
	s.cleanups = append(s.cleanups, cleanup{name, do})
}

func (s *Service) stop(ctx context.Context) error {
	var errs []error
	for i := len(s.cleanups) - 1; i >= 0; i-- {
		if err := s.cleanups[i].do(ctx); err != nil && !errors.Is(err, context.Canceled) {
			errs = append(errs, fmt.Errorf("stop %s: %w", s.cleanups[i].name, err))
		}
	}
	s.cleanups = nil
	return errors.Join(errs...)
}

// start brings everything up but the work of the role.
func (s *Service) start(ctx context.Context) error {
	var err error
	if s.tel, err = NewTelemetry(ctx, s.cfg.Telemetry, s.set.Log); err != nil {
		return err
	}
	s.onStop("telemetry", s.tel.Close)
	if s.metrics, err = NewMetrics(s.tel.Meter); err != nil {
		return err
	}
	if s.core, err = NewCore(s.cfg); err != nil { // before anything costly: a broken rule refuses the start
		return err
	}
	s.keeper = newRuleKeeper(s.cfg.Rules, s.core.Rules)
	s.filling = &filling{took: s.metrics.filled}
	s.warnOfRules(s.core.Rules)
	if s.listener, err = ListenConsole(s.cfg.Console.Listen); err != nil {
		return err
	}
	s.onStop("listener", func(context.Context) error { _ = s.listener.Close(); return nil })
	if err := s.probe(); err != nil {
		return err
	}
	if s.db, err = OpenDatabase(ctx, s.cfg, s.tel.Log, s.tel.Meter, s.set.Progress); err != nil {
		return err
	}
	s.onStop("store", func(context.Context) error { return s.db.Close() })
	if err := s.connect(); err != nil {
		return err
	}
	if s.board, err = s.newBoard(); err != nil {
		return err
	}
	wire := map[Role]func(context.Context) error{
		RoleAll: s.wireAll, RoleIngest: s.wireIngest, RoleCorrelate: s.wireCorrelate, RoleTriage: s.wireTriage,
	}
	if err := wire[s.set.Role](ctx); err != nil {
		return err
	}
	if err := s.loadBoard(ctx); err != nil {
		return err
	}
	if err := s.resumeLooks(ctx); err != nil {
		return err
	}
	if err := s.serve(ctx); err != nil {
		return err
	}
	s.ready.Store(true)
	if s.set.Ready != nil {
		s.set.Ready(s.URL())
	}
	return nil
}

// resumeLooks makes what takes first looks to the log, which outlives the console.
func (s *Service) resumeLooks(ctx context.Context) error {
	if s.analyst == nil {
		return nil
	}
	s.looks = newLooks(s.begin, s.db.DB, s.tel.Log.With("component", "console"))
	s.onStop("looks", s.looks.finish)
	return s.looks.resume(ctx)
}

func (s *Service) source() string { return "urn:tocsin:" + s.cfg.Tenant }

// Interrupted reports whether an error only says that somebody stopped the program.
func Interrupted(err error) bool {
	return errors.Is(err, context.Canceled) || errors.Is(err, os.ErrClosed)
}

// ListenConsole opens the address of the console.
func ListenConsole(address string) (net.Listener, error) {
	l, err := net.Listen("tcp", address)
	if errors.Is(err, syscall.EADDRINUSE) {
		err = fmt.Errorf("%w; another program uses the port, or another tocsin runs: choose a free one (tocsin demo: --listen 127.0.0.1:0)", err)
	}
	if err != nil {
		return nil, fmt.Errorf("console.listen %s: %w", address, err)
	}
	return l, nil
}
