package expression_test

import (
	"testing"

	"github.com/tocsin-siem/tocsin/event"
	"github.com/tocsin-siem/tocsin/expression"
)

// asked counts how often tables were asked for a window.
type asked struct {
	tables
	times int
	open  bool
}

func (a *asked) InWindow(string, string, int64) bool {
	a.times++
	return a.open
}

func TestTheTablesAreAskedForAWindowOnceAnEvent(t *testing.T) {
	x, issues := expression.CompileEvent(`window("maintenance", user.name, time)`)
	if len(issues) > 0 {
		t.Fatal(issues)
	}
	look := &asked{open: true}
	m := expression.NewMachine(look)
	e := &event.Event{Time: 1_000_000, User: event.User{Name: "ada"}}
	match := func(want bool, times int) {
		t.Helper()
		got, err := x.Match(m, e)
		if err != nil || got != want || look.times != times {
			t.Errorf("Match is %v (%v) after asking %d times, want %v after %d", got, err, look.times, want, times)
		}
	}
	match(true, 1)
	match(true, 2) // Nobody said whether it is the same event.
	m.Next()
	match(true, 3)
	match(true, 3)
	e.User.Name = "bob"
	match(true, 4)
	e.Time++ // The same millisecond.
	match(true, 4)
	e.Time += 1000
	match(true, 5)
	look.open = false
	match(true, 5)
	m.Next()
	match(false, 6)
	for i := range 10 {
		e.Time += 1000
		match(false, 7+i)
	}
	match(false, 17) // There are more than are remembered.
}
