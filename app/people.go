package app

import (
	"context"
	"errors"
	"fmt"
	"log/slog"

	"github.com/tocsin-siem/tocsin/access"
	"github.com/tocsin-siem/tocsin/store/engine"
)

// People opens who may sign in, for a command, and keeps in the audit what the command does. With the embedded engine that is possible only while
// no service runs on it; then an admin does it in the console.
func People(ctx context.Context, cfg Config, progress func(engine.Progress), do func(*access.Service) (access.Entry, error)) error {
	db, err := OpenDatabase(ctx, cfg, slog.New(slog.DiscardHandler), nil, progress)
	if err != nil {
		if len(cfg.ClickHouse.Addr) == 0 {
			err = fmt.Errorf("%w; while the service runs on the embedded engine, people and tokens are managed in the console, on the pages People and Tokens, or here once it has stopped", err)
		}
		return err
	}
	defer func() { _ = db.Close() }()
	c := cfg.Console
	c.SignIn.Local = true // Who is added before the configuration says so is there when it does.
	people, err := newAccess(&c, db.DB)
	if err != nil {
		return err
	}
	e, err := do(people)
	if e.Action != "" {
		e.Who, e.Via, e.OK = By, "command", err == nil
		err = errors.Join(err, auditor{db.DB}.Audit(ctx, e))
	}
	return err
}

// By is who the commands of this machine act as.
const By = "command line"
