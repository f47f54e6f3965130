package expression

import (
	"github.com/expr-lang/expr/vm"

	"github.com/tocsin-siem/tocsin/event"
)

// Machine evaluates expressions. It holds the scratch space of an evaluation, so every goroutine needs its own; one serves any number of
// expressions. Event strings are only borrowed for the duration of a call.
type Machine struct {
	frame frame
	vm    vm.VM
	funcs map[string]any // Functions for the fallback, bound to this machine.
}

// frame is what closures read and write during one evaluation.
type frame struct {
	event   *event.Event
	match   *Match
	subject *Subject
	look    Lookups
	elem    string     // # inside a predicate over a list of strings.
	hit     *event.Hit // The hit inside a predicate over a step.
	raws    []string   // What raws() gave last.
	lets    [maxLets]event.FieldValue
	windows windows
	err     *RunError // The first thing that went wrong; closures go on with zero values, the result is dropped.
}

// NewMachine gives a machine that reads the given tables. With nil every list is empty, every window closed and every asset unknown.
func NewMachine(l Lookups) *Machine {
	if l == nil {
		l = noLookups{}
	}
	return &Machine{frame: frame{look: l}}
}

// Next says that the evaluations that follow are of another event than those before. Of the same event the machine asks the tables once for what many
// conditions ask; one that was never told looks it up for each.
func (m *Machine) Next() { m.frame.windows.next() }

type noLookups struct{}

func (noLookups) InList(_, _ string) bool                 { return false }
func (noLookups) InWindow(_, _ string, _ int64) bool      { return false }
func (noLookups) AssetField(_, _ string) event.FieldValue { return event.FieldValue{} }

func (f *frame) fail(err *RunError) {
	if f.err == nil {
		f.err = err
	}
}
