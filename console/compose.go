package console

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/tocsin-siem/tocsin/expression"
)

// parts are the simple controls beside the queue's filter: each adds a condition to the expression.
var parts = []struct {
	field     string
	condition func(value string) string
}{
	{"status", func(v string) string { return "status == " + strconv.Quote(v) }},
	{"severity", func(v string) string { return "severity >= " + v }},
	{"owner", func(v string) string { return "owner == " + strconv.Quote(v) }},
	{"assignee", func(v string) string { return "assignee == " + strconv.Quote(v) }},
	{"robot", func(v string) string { return strconv.Quote(strings.TrimPrefix(v, "robot:")) + " in robots" }},
	{"zone", func(v string) string { return strconv.Quote(v) + " in zones" }},
	{"rule", func(v string) string { return strconv.Quote(v) + " in rules" }},
	{"domain", func(v string) string { return strconv.Quote(v) + " in domains" }},
	{"title", func(v string) string { return "icontains(title, " + strconv.Quote(v) + ")" }},
}

// facetPart is the control that a facet's values stand for; severity is at least there and exactly here.
func facetPart(facet, value string) string {
	if facet == "severity" {
		return "severity == " + value
	}
	for _, p := range parts {
		if p.field == facet {
			return p.condition(value)
		}
	}
	return ""
}

// narrowed is the filter with one more condition.
func narrowed(filter, condition string) string {
	filter = strings.TrimSpace(filter)
	switch {
	case filter == "":
		return condition
	case has(filter, condition):
		return filter
	case strings.ContainsAny(filter, "?|;") || strings.Contains(filter, " or ") || strings.Contains(filter, ")or"):
		return "(" + filter + ") and " + condition
	}
	return filter + " and " + condition
}

// has reports whether a condition that narrowed added is still there.
func has(filter, condition string) bool {
	return filter == condition || strings.HasSuffix(filter, " and "+condition) || strings.HasPrefix(filter, condition+" and ") || strings.Contains(filter, " and "+condition+" and ")
}

// widened is the filter without a condition that narrowed added.
func widened(filter, condition string) string {
	switch {
	case filter == condition:
		return ""
	case strings.HasSuffix(filter, " and "+condition):
		return strings.TrimSuffix(filter, " and "+condition)
	case strings.HasPrefix(filter, condition+" and "):
		return strings.TrimPrefix(filter, condition+" and ")
	}
	return strings.Replace(filter, " and "+condition+" and ", " and ", 1)
}

// filterIn compiles a filter; nil for an empty one. The error is for the sender.
func filterIn(text string) (*expression.Filter, error) {
	if strings.TrimSpace(text) == "" {
		return nil, nil //nolint:nilnil // no filter is one that lets everything pass
	}
	f, err := expression.CompileFilter(text)
	if err != nil {
		return nil, fmt.Errorf("%w: the filter is not right at %w", errBadRequest, err)
	}
	return f, nil
}
