package app

import (
	"context"
	"errors"

	"github.com/tocsin-siem/tocsin/access"
	"github.com/tocsin-siem/tocsin/store/engine"
)

// People opens who may sign in, for a command, and keeps in the audit what the command does. The service may run meanwhile.
func People(ctx context.Context, cfg Config, progress func(engine.Progress), do func(*access.Service) (access.Entry, error)) error {
	db, err := openBeside(ctx, cfg, progress)
	if err != nil {
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
