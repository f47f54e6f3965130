package app

import (
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"

	"github.com/tocsin-siem/tocsin/enrich"
	"github.com/tocsin-siem/tocsin/event"
	"github.com/tocsin-siem/tocsin/incident"
	"github.com/tocsin-siem/tocsin/triage"
)

// SetList names a list's file.
func (c *Config) SetList(name, path string) {
	if c.Enrich.Lists == nil {
		c.Enrich.Lists = map[string]enrich.List{}
	}
	c.Enrich.Lists[name] = enrich.List{File: path}
}

// WriteResult writes findings, then incidents: as OCSF, one a line, or for people.
func WriteResult(w io.Writer, r *ReplayResult, asJSON bool) error {
	for i := range r.Findings {
		if err := WriteFinding(w, &r.Findings[i], asJSON); err != nil {
			return err
		}
	}
	for _, in := range r.Incidents {
		if err := WriteIncident(w, in, asJSON); err != nil {
			return err
		}
	}
	return nil
}

// WriteFinding writes one finding.
func WriteFinding(w io.Writer, f *incident.Finding, asJSON bool) error {
	if asJSON {
		_, err := w.Write(append(incident.AppendFinding(nil, f), '\n'))
		return err
	}
	_, err := fmt.Fprintf(w, "%s  finding  %-8s %3d  %s  %s (%s, %d events)\n", stamp(f.Time), f.Severity, f.Score, f.Rule.ID, plain(f.Rule.Title), f.State, len(f.Evidence))
	return err
}

// WriteChange writes one revision of an incident.
func WriteChange(w io.Writer, c *incident.Change, asJSON bool) error {
	if asJSON {
		return WriteIncident(w, c.Incident, true)
	}
	_, err := fmt.Fprintf(w, "%s  %s  %s r%d  %s\n", stamp(c.Incident.Last), c.Kind, event.FormatID(event.IncidentPrefix, c.Incident.ID), c.Incident.Revision, plain(c.Incident.Title))
	return err
}

// WriteIncident writes one incident with its answers and timeline.
func WriteIncident(w io.Writer, in *incident.Incident, asJSON bool) error {
	answers, timeline := triage.Answer(in), triage.Timeline(in)
	if asJSON {
		_, err := w.Write(append(incident.AppendIncident(nil, in, answers, timeline), '\n'))
		return err
	}
	var b strings.Builder
	fmt.Fprintf(&b, "\nINCIDENT %s  %s  score %d  owner %s\n%s\n", event.FormatID(event.IncidentPrefix, in.ID), strings.ToUpper(in.Severity.String()), in.Score, in.Owner, plain(in.Title))
	fmt.Fprintf(&b, "\n  Malfunction or intrusion?  %s\n", strings.ReplaceAll(answers.Assessment, "_", " "))
	claims(&b, "for", answers.For)
	claims(&b, "against", answers.Against)
	fmt.Fprintf(&b, "\n  Which robots?\n")
	claims(&b, "", answers.Affected)
	fmt.Fprintf(&b, "\n  What changed just before?\n")
	if len(answers.ChangedBefore) == 0 {
		fmt.Fprintln(&b, "    nothing that was seen")
	}
	claims(&b, "", answers.ChangedBefore)
	fmt.Fprintf(&b, "\n  Timeline (%s)\n", strings.Join(in.Domains, ", "))
	for _, m := range timeline {
		count := ""
		if m.Count > 1 {
			count = fmt.Sprintf(" ×%d", m.Count)
		}
		fmt.Fprintf(&b, "    %s  %-14s %s%s\n", stamp(m.At), m.Lane, plain(m.Text), count)
	}
	_, err := io.WriteString(w, b.String())
	return err
}

func claims(b *strings.Builder, side string, list []incident.Claim) {
	for _, c := range list {
		at := ""
		if c.At != 0 {
			at = stamp(c.At) + "  "
		}
		if side != "" {
			fmt.Fprintf(b, "    %-8s %s\n", side, plain(c.Text))
			continue
		}
		fmt.Fprintf(b, "    %s%s\n", at, plain(c.Text))
	}
}

// stamp is an event time in UTC.
func stamp(micros int64) string { return time.UnixMicro(micros).UTC().Format("2006-01-02 15:04:05") }

// plain makes text from events safe for a terminal: control and direction-changing characters become visible escapes.
func plain(s string) string {
	var b strings.Builder
	for _, r := range s {
		switch {
		case r < 0x20, r >= 0x7f && r < 0xa0, r >= 0x200b && r <= 0x200f, r >= 0x202a && r <= 0x202e, r >= 0x2066 && r <= 0x2069, r == 0xfeff:
			fmt.Fprintf(&b, "\\u%04x", r)
		default:
			b.WriteRune(r)
		}
	}
	return b.String()
}

// Count is a number with its noun, such as 1 finding and 2 findings.
func Count(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	if before, ok := strings.CutSuffix(noun, "y"); ok {
		noun = before + "ie"
	}
	return strconv.Itoa(n) + " " + noun + "s"
}
