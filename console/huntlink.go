package console

import (
	"fmt"
	"net/url"
	"strconv"
	"strings"

	"github.com/tocsin-siem/tocsin/event"
)

// with is the same question with some parameters changed, given as pairs; an empty value drops one. It is about the first page again, unless
// after is among them.
func (q question) with(pairs ...string) question {
	v := url.Values{}
	for name, list := range q.asked {
		if name != "after" {
			v[name] = list
		}
	}
	for i := 0; i+1 < len(pairs); i += 2 {
		if pairs[i+1] == "" {
			v.Del(pairs[i])
			continue
		}
		v.Set(pairs[i], pairs[i+1])
	}
	q.asked = v
	return q
}

// path is the address of the question.
func (q question) path() string {
	if len(q.asked) == 0 {
		return "/hunt"
	}
	return "/hunt?" + q.asked.Encode()
}

// Query is the question as addresses carry it.
func (q question) Query() string { return q.asked.Encode() }

// and is the question with one more condition.
func (q question) and(condition string) question {
	before := strings.TrimSpace(q.asked.Get("q"))
	switch {
	case before == "":
	case strings.Contains(before, " or ") || strings.ContainsAny(before, "|?;"):
		condition = "(" + before + ") and " + condition
	default:
		condition = before + " and " + condition
	}
	return q.with("q", condition)
}

// cell is a value of an event and where it leads.
type cell struct {
	Path, Value   string
	Only, Not, By string // Addresses: only such events, none of them, counted by this field.
	Called        string // The value in words, where it is a number that means something.
	Taint         bool
}

// shown are the fields whose values a row of a hunt shows, where it has them.
var shown = []string{
	"actor.user.name", "user.name", "robot.uid", "device.hostname", "src_endpoint.ip", "src_endpoint.hostname", "dst_endpoint.ip", "dst_endpoint.port", "robot_command.name", "fault.fault_code",
	"process.name", "query.hostname", "policy.name", "finding_info.title", "status_id", "severity_id",
}

func cellsOf(q question, e *event.Event) []cell {
	var out []cell
	for _, path := range shown {
		f := event.FieldByPath(path)
		if f == nil || !f.Known(e) {
			continue
		}
		c := cellOf(q, f, f.Text(e))
		if f.Flags&event.Enum != 0 {
			n, _ := f.Num(e)
			c.Called = event.Caption(f.Object, f.Attr, int(n))
		}
		out = append(out, c)
	}
	return out
}

func cellOf(q question, f *event.Field, value string) cell {
	only, not := clauses(f, value)
	return cell{Path: f.Path, Value: value, Only: q.and(only).path(), Not: q.and(not).path(), By: q.with("by", f.Path).path(), Taint: f.Flags&event.Taint != 0}
}

// clauses are the conditions that a field has a value, and that it has not.
func clauses(f *event.Field, value string) (only, not string) {
	switch {
	case value == "" && f.Kind != event.KindString:
		return "not known(" + f.Path + ")", "known(" + f.Path + ")"
	case f.Kind == event.KindBool && value == "true":
		return f.Path, "not " + f.Path
	case f.Kind == event.KindBool:
		return "(known(" + f.Path + ") and not " + f.Path + ")", "not (known(" + f.Path + ") and not " + f.Path + ")"
	case f.Kind == event.KindInt, f.Kind == event.KindTime, f.Kind == event.KindFloat:
		return f.Path + " == " + value, f.Path + " != " + value
	case f.Kind == event.KindStrings:
		return strconv.Quote(value) + " in " + f.Path, "not (" + strconv.Quote(value) + " in " + f.Path + ")"
	}
	return f.Path + " == " + strconv.Quote(value), f.Path + " != " + strconv.Quote(value)
}

// groupRow is a value that events were counted by.
type groupRow struct {
	Group
	Share     int // Per mille of the most frequent one.
	Only, Not string
}

func groupRows(q question, t Tally) []groupRow {
	f := event.FieldByPath(q.By)
	var out []groupRow
	for _, g := range t.Groups {
		row := groupRow{Group: g, Share: int(1000 * g.Count / max(1, t.Groups[0].Count))}
		switch {
		case f != nil && q.By != "class_name":
			only, not := clauses(f, g.Value)
			row.Only, row.Not = q.and(only).with("by", "").path(), q.and(not).path()
		case g.Value != "":
			row.Only = q.with("class", g.Value, "by", "").path()
		}
		out = append(out, row)
	}
	return out
}

// entityPath is the page of an entity, "" for what has none.
func entityPath(id string) string {
	kind, _, ok := strings.Cut(id, ":")
	if !ok || event.EntityKindOf(kind) == event.EntityNone && kind != "zone" {
		return ""
	}
	return "/entities/" + url.PathEscape(id)
}

// noEntity is the error for text that is not the id of an entity.
func noEntity(id string) error {
	return fmt.Errorf("%w: %q names no entity: write kind:name, with a kind such as robot, user, device, ip or zone", ErrQuestion, clip(100, id))
}
