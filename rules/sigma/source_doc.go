package sigma

import (
	"maps"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"
)

// SourceDoc documents how events of a log source are told from others.
type SourceDoc struct {
	Source    string   // As Sigma names it.
	Classes   []string // Of our events.
	Condition string   // Over them.
}

// Sources lists the log sources that have rows of their own, for the reference: the categories and services of Windows, then those of Linux and of the cloud.
func Sources() []SourceDoc {
	var out []SourceDoc
	add := func(l logsource, s *source) {
		classes := s.classes
		if slices.Equal(classes, windowsClasses) {
			classes = nil
		}
		out = append(out, SourceDoc{Source: l.String(), Classes: classes, Condition: strings.ReplaceAll(s.where, "\n", " ")})
	}
	at := &yaml.Node{}
	for _, c := range windowsCategories {
		l := logsource{category: c.name, product: "windows"}
		if s, err := windowsSource(at, l); err == nil {
			add(l, s)
		}
	}
	for _, service := range slices.Sorted(maps.Keys(windowsServices)) {
		l := logsource{product: "windows", service: service}
		if s, err := windowsSource(at, l); err == nil {
			add(l, s)
		}
	}
	for _, category := range slices.Sorted(maps.Keys(linuxCategories)) {
		l := logsource{category: category, product: "linux"}
		add(l, linuxSource(l))
	}
	for _, service := range append(slices.Sorted(maps.Keys(linuxPrograms)), "auditd", "syslog", "") {
		l := logsource{product: "linux", service: service}
		add(l, linuxSource(l))
	}
	for _, l := range cloudServices {
		add(l, cloudSource(l))
	}
	return out
}
