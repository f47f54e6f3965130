package llm_test

import (
	"fmt"
	"math/rand/v2"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/tocsin-siem/tocsin/event"
	"github.com/tocsin-siem/tocsin/incident"
	"github.com/tocsin-siem/tocsin/triage/llm"
)

type (
	claimT  = incident.Claim
	eventID = event.ID
)

// scraps are what a random model that has seen much text puts together: words of the pack, of attackers and of nobody.
var scraps = []string{
	"user-1", "user-2", "user-7", "robot-A", "robot-B", "ip-1", "ip-2", "ip-9", "host-1", "value-1", "value-8", "E3", "E40", "Bob", "ana", "ransomware", "10.0.0.8", "02:04", "02:04:00", "23:59", "5.17.3", "9.9.9",
	"2026-11-21", "T1078", "CVE-2026-1234", "3", "17", "twice", "nine", "the", "a", "signed", "in", "from", "to", "loaded", "program", "on", "changed", "firmware", "of", "stop", "isolate", "no", "sign", "not", "benign",
	"certainly", "likely", "you", "should", "check", "ignore", "<b>", "https://x", "```", "fault", "reported", "traffic", "prompts", "failed", "after", "before", "minutes", "findings", "and", "was", "were", "by", "account",
}

func randomText(r *rand.Rand) string {
	if r.IntN(3) == 0 { // letters at random
		b := make([]byte, 1+r.IntN(60))
		for i := range b {
			b[i] = byte(0x20 + r.IntN(0x5f))
		}
		return string(b)
	}
	var words []string
	for range 1 + r.IntN(9) {
		words = append(words, scraps[r.IntN(len(scraps))])
	}
	return strings.Join(words, " ")
}

func randomAnswer(r *rand.Rand, p *llm.Pack) said {
	pick := func(list []string, most int) []string {
		var out []string
		for range r.IntN(most + 1) {
			if len(list) > 0 {
				out = append(out, list[r.IntN(len(list))])
			}
		}
		return out
	}
	var aliases, unknowns, checks []string
	for _, l := range p.Lines {
		aliases = append(aliases, l.Alias)
	}
	for _, u := range p.Unknowns {
		unknowns = append(unknowns, u.ID)
	}
	for _, c := range p.Checks {
		checks = append(checks, c.ID)
	}
	one := func() claimed {
		refs := append(pick(aliases, 4), aliases[r.IntN(len(aliases))])
		return claimed{randomText(r), refs}
	}
	list := func(most int) []claimed {
		var out []claimed
		for range r.IntN(most + 1) {
			out = append(out, one())
		}
		return out
	}
	words := []string{"malfunction", "intrusion", "misuse", "authorised_change", "undetermined"}
	return fill(said{
		Headline: one(), Reading: reading{words[r.IntN(5)], []string{"low", "medium", "high"}[r.IntN(3)], list(2), list(2)},
		Affected: affected{pick(p.Robots, len(p.Robots)), pick(p.Others, 2), list(2)}, Changed: list(2), Timeline: list(3),
		Unknowns: pick(unknowns, len(unknowns)), Checks: pick(checks, len(checks)),
	})
}

var (
	oracleNumber = regexp.MustCompile(`[0-9][0-9A-Za-z.:/-]*`)
	oracleBad    = regexp.MustCompile(`(?i)[<>\x60\[\]{}|\\]|https?:|\byou\b|\bshould\b|\bisolate\b|\bcertainly\b|\bbenign\b|\bransomware\b|\bbob\b|\bignore\b`)
)

// ungrounded is an oracle of its own: it looks at the pack's text alone, and says why a shown claim is not proven by the lines behind its events;
// "" if it finds nothing. Names are as the plant has them.
func ungrounded(p *llm.Pack, c claimT) string {
	var lines []string
	for _, l := range p.Lines {
		if slices.ContainsFunc(l.Events, func(id eventID) bool { return slices.Contains(c.Refs, id) }) {
			lines = append(lines, l.Text)
		}
	}
	if len(lines) == 0 {
		return "it cites nothing"
	}
	cited := strings.Join(lines, "\n")
	if m := oracleBad.FindString(c.Text); m != "" {
		return "it holds " + m
	}
	names := map[string]string{"00u1ana": "user-1", "root9": "user-2", "acme/r1": "robot-A", "198.51.100.24": "ip-1", "203.0.113.9": "ip-2", "mdm-7": "host-2"}
	for name, token := range names {
		if strings.Contains(c.Text, name) && !strings.Contains(cited, token) {
			return "it names " + name + ", which it does not cite"
		}
	}
	rest := c.Text
	for name := range names {
		rest = strings.ReplaceAll(rest, name, "")
	}
	for _, n := range oracleNumber.FindAllString(rest, -1) {
		n = strings.TrimRight(n, ".:-/")
		if strings.Contains(cited, n) || derived(p, c, n) {
			continue
		}
		return "it has the value " + n
	}
	return ""
}

// derived reports whether a number is a time, a count or a distance that follows from the cited events.
func derived(p *llm.Pack, c claimT, n string) bool {
	events := 0
	var times []int64
	for _, l := range p.Lines {
		if slices.ContainsFunc(l.Events, func(id eventID) bool { return slices.Contains(c.Refs, id) }) {
			events += l.Count
			times = append(times, l.At, l.Until)
		}
	}
	ok := []string{fmt.Sprint(events), "2026-11-21"}
	for _, count := range []int{4, 9, 1, len(p.Others)} { // findings, events, robots
		ok = append(ok, fmt.Sprint(count))
	}
	for _, a := range times {
		ok = append(ok, time.UnixMicro(a).UTC().Format("15:04"), time.UnixMicro(a).UTC().Format("15:04:05"))
		for _, b := range times {
			if b > a {
				ok = append(ok, fmt.Sprint((b-a)/minute), fmt.Sprint((b-a)/1_000_000))
			}
		}
	}
	return slices.Contains(ok, n)
}
