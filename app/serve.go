package app

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/http"
	"sync"
	"time"

	"golang.org/x/net/netutil"

	"github.com/tocsin-siem/tocsin/console"
	"github.com/tocsin-siem/tocsin/rules"
)

// maxConnections bounds the clients at once; more wait.
const maxConnections = 2048

// serve starts the console, what runs beside the role's work, and the re-reading of tables.
func (s *Service) serve(ctx context.Context) error {
	mounts := s.probeMounts()
	for pattern, h := range s.posts {
		mounts[pattern] = h
	}
	robots := newFleetBoard(s)
	s.facts = s.newFacts()
	s.beside = append(s.beside, robots.run, s.watchParts, s.facts.run)
	people, err := newAccess(&s.cfg.Console, s.db.DB)
	if err != nil {
		return err
	}
	set := console.Settings{
		Access:   people,
		Audit:    auditor{s.db.DB},
		Proxies:  s.cfg.Console.proxies(),
		TLS:      s.cfg.Console.secure(),
		Reader:   reader{s.db.DB},
		Board:    s.board,
		Saved:    queueViews{s.db.DB},
		Hunter:   hunter{s.db.DB, s.core.Live.Tables},
		Views:    views{s.db.DB, s.now},
		Notes:    notebook{s.db.DB},
		Rules:    &ruleBook{s: s},
		Fleet:    robots,
		Entities: entities{s.db.DB, s.core.Live.Tables, robots},
		Health:   s.checks,
		Mounts:   mounts,
		Hosts:    s.cfg.Console.hosts(),
		Log:      s.tel.Log.With("component", "console"), Now: s.now,
		Replies: replies{s.db.DB}, Suppressions: s.hushed(), Measures: soc{s}, Shift: soc{s},
	}
	set.Sources, set.RejectsOf = s.sourceHealth, reader{s.db.DB}.RejectsOf
	set.Source, set.URL = s.source(), s.cfg.Triage.ConsoleURL
	set.Around, set.History, set.Deliveries, set.Findings, set.Explainer = reader{s.db.DB}, reader{s.db.DB}, reader{s.db.DB}, reader{s.db.DB}, newExplainer(s)
	if s.analyst != nil {
		s.beside = append(s.beside, s.tellSOC)
		set.Analyst, set.Looks = seen{s.analyst, s.board}, s.looks
	}
	if s.feed != nil {
		set.Feed = s.feed
	}
	if s.model != nil {
		set.Summaries = s.model
	}
	if s.deliveries != nil {
		set.Outbox, set.Endpoints, set.Routes = s.deliveries, s.deliveries, s.deliveries
	}
	handler, err := console.New(set)
	if err != nil {
		return err
	}
	serve := func(server *http.Server) error {
		return server.Serve(netutil.LimitListener(s.listener, maxConnections))
	}
	var secured *tls.Config
	if s.cfg.Console.TLS.Cert != "" {
		cert, err := newCertificate(s.cfg.Console.TLS, s.tel.Log.With("component", "console"))
		if err != nil {
			return err
		}
		secured = cert.config()
		serve = func(server *http.Server) error {
			return server.ServeTLS(netutil.LimitListener(s.listener, maxConnections), "", "")
		}
	}
	backCtx, cancel := context.WithCancel(context.WithoutCancel(ctx))
	server := &http.Server{
		Handler: handler, ReadHeaderTimeout: 10 * time.Second, IdleTimeout: 2 * time.Minute, MaxHeaderBytes: 64 << 10, TLSConfig: secured,
		BaseContext: func(net.Listener) context.Context { return backCtx },
	}
	var back sync.WaitGroup
	back.Go(func() {
		if err := serve(server); !errors.Is(err, http.ErrServerClosed) {
			s.tel.Log.Error("console stopped", "err", err)
		}
	})
	for _, run := range append(s.beside, s.refresh, s.watchRules) {
		back.Go(func() { run(backCtx) })
	}
	s.onStop("console", func(ctx context.Context) error {
		cancel()
		if s.feed != nil {
			s.feed.Close()
		}
		ctx, enough := context.WithTimeout(ctx, manners)
		defer enough()
		if server.Shutdown(ctx) != nil { // A client that does not let go is no reason to stop without a checkpoint.
			_ = server.Close()
		}
		back.Wait()
		return nil
	})
	return nil
}

// URL is where the console answers.
func (s *Service) URL() string {
	if s.cfg.Console.TLS.Cert != "" {
		return "https://" + s.listener.Addr().String()
	}
	return "http://" + s.listener.Addr().String()
}

// refresh looks at the enrichment files again and again.
func (s *Service) refresh(ctx context.Context) {
	tick := time.NewTicker(s.cfg.Enrich.Refresh)
	defer tick.Stop()
	told := ""
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		changed, problems := s.core.Live.Reload()
		s.health.tables(problems)
		if now := fmt.Sprint(problems); len(problems) > 0 && now != told { // Not again every minute.
			for _, p := range problems {
				s.tel.Log.Warn("enrichment tables refused, the old ones stay", "problem", p.String())
			}
			told = now
		} else if len(problems) == 0 {
			told = ""
		}
		if changed && len(problems) == 0 {
			s.tel.Log.Info("enrichment tables read again", "version", s.core.Live.Tables().Version())
		}
	}
}

// warnOfRules says what in a set of rules wants somebody's eye, though it loads.
func (s *Service) warnOfRules(set *rules.Set) {
	for _, p := range set.CheckExceptions(s.now()) {
		s.tel.Log.Warn("exception of a rule", "problem", p.String())
	}
}
