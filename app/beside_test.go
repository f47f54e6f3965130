package app_test

import (
	"context"
	"errors"
	"testing"

	"github.com/tocsin-siem/tocsin/app"
)

func TestWhatEndsAMemberIsSaid(t *testing.T) {
	broken := errors.New("broken")
	wait := func(ctx context.Context) error { <-ctx.Done(); return ctx.Err() }
	quiet := func(ctx context.Context) error { <-ctx.Done(); return nil }
	fail := func(context.Context) error { return broken }
	ended, end := context.WithCancel(t.Context())
	end()
	for _, x := range []struct {
		name  string
		ctx   context.Context
		work  func(context.Context) error
		other func(context.Context) error
		want  error
	}{
		{"another fails, the work says that it was stopped", t.Context(), wait, fail, broken},
		{"another fails, the work says nothing", t.Context(), quiet, fail, broken},
		{"the work fails", t.Context(), fail, wait, broken},
		{"the work is done", t.Context(), func(context.Context) error { return nil }, wait, nil},
		{"somebody stopped it", ended, wait, quiet, context.Canceled},
		{"somebody stopped it, and another says so", ended, quiet, wait, nil},
	} {
		if got := app.Beside(x.ctx, x.work, x.other); !errors.Is(got, x.want) || (x.want == nil) != (got == nil) {
			t.Errorf("%s: %v, want %v", x.name, got, x.want)
		}
	}
}
