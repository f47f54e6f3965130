package expression_test

import (
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/tocsin-siem/tocsin/event"
	"github.com/tocsin-siem/tocsin/expression"
)

func TestWhyNamesThePartsThatWereFalseWithWhatTheyRead(t *testing.T) {
	e := &event.Event{StatusID: 2, Time: 1767607200_000000}
	e.User.Name = "ana"
	e.Robot = &event.Robot{UID: "r1"}
	e.FindEntities()
	for _, c := range []struct {
		source string
		want   []string
	}{
		{`status == "Failure" and user.name == "ana"`, nil},
		{`status == "Success" and user.name == "ana"`, []string{`status == "Success" is false: status is "Failure"`}},
		{
			`status == "Success" and user.name in ["bob", "eve"] and known(user.name)`,
			[]string{`status == "Success" is false: status is "Failure"`, `user.name in ["bob", "eve"] is false: user.name is "ana"`},
		},
		{`user.name == "ana" and not window("maintenance", entities.robot, time)`, []string{`window("maintenance", entities.robot, time) is true: entities.robot is "robot:r1", time is "1767607200000 (2026-01-05T10:00:00.000Z)"`}},
		{`is_mfa or device.hostname != ""`, []string{`is_mfa is false: is_mfa is unknown`, `device.hostname != "" is false: device.hostname is unknown`}},
		{`not (user.name == "ana" or is_mfa)`, []string{`user.name == "ana" is true: user.name is "ana"`}},
		{`not (user.name == "ana" and status == "Failure")`, []string{`user.name == "ana" is true: user.name is "ana"`, `status == "Failure" is true: status is "Failure"`}},
		{`hour(time) < 6`, []string{`hour(time) < 6 is false: hour(time) is "10", time is "1767607200000 (2026-01-05T10:00:00.000Z)"`}},
		{`asset(entities.robot).criticality >= 4`, []string{`asset(entities.robot).criticality >= 4 is false: asset(entities.robot).criticality is "3", entities.robot is "robot:r1"`}},
		{`int(user.name) == 3`, []string{`int(user.name) == 3 has no result: not an integer at column 1 of "int(user.name) == 3": user.name is "ana"`}},
	} {
		x, issues := expression.CompileEvent(c.source)
		if x == nil {
			t.Fatal(c.source, issues)
		}
		r := x.Why().Of(expression.NewMachine(tables{}), e)
		var got []string
		for _, p := range r.Against() {
			got = append(got, p.String())
		}
		if d := cmp.Diff(c.want, got); d != "" {
			t.Errorf("%s:\n%s", c.source, d)
		}
	}
}

// TestWhyAgreesWithTheConditionItTakesApart holds the parts of random conditions against the whole: a condition is false exactly if there are
// parts against it, and these are not themselves made of parts.
func TestWhyAgreesWithTheConditionItTakesApart(t *testing.T) {
	seed := rand.Uint64()
	r := rand.New(rand.NewPCG(seed, 3))
	m := expression.NewMachine(tables{})
	var conditions []*expression.Event
	for _, source := range corpus {
		if x, _ := expression.CompileEvent(source); x != nil {
			conditions = append(conditions, x)
		}
	}
	for range 300 {
		pick := func() string { return "(" + conditions[r.IntN(len(conditions))].String() + ")" }
		source := strings.Join([]string{pick(), []string{"and", "or", "and not", "or not"}[r.IntN(4)], pick(), []string{"and", "or"}[r.IntN(2)], pick()}, " ")
		x, issues := expression.CompileEvent(source)
		if x == nil {
			t.Fatalf("seed %d: %s: %v", seed, source, issues)
		}
		why := x.Why()
		for range 20 {
			e := randomEvent(r)
			held, err := x.Match(m, e)
			got := why.Of(m, e)
			if got.Held != held || (err != nil) != (got.Error != "") || held == (len(got.Against()) > 0) {
				t.Fatalf("seed %d: %s is %v %v, and in parts %+v", seed, source, held, err, got)
			}
			if err == nil && !held && len(got.Against()) == 1 && got.Against()[0].Text == got.Text && !strings.Contains(source, "let ") {
				t.Fatalf("seed %d: %s was not taken apart", seed, source)
			}
		}
	}
}
