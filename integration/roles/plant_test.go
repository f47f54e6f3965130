package roles_test

import (
	"bytes"
	"cmp"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/tocsin-siem/tocsin/testdata/scenarios"
)

// stream is what one source says, in order of time.
type stream struct {
	name, format string
	lines        [][]byte
}

// teachers are the sources that say who has which address: their records come before the events they explain (docs/rules.md, N7).
var teachers = []string{"dhcpd", "cisco_ise", "crowdstrike"}

func (s *stream) teaches() bool { return slices.Contains(teachers, s.name) }

// partition is where record i goes: one partition after the other. A teacher says all it teaches in the first, so that it teaches in one order, and
// only the end of the night in all.
func (s *stream) partition(i, partitions int) int32 {
	if s.teaches() && i < len(s.lines)-2*partitions {
		return 0
	}
	return int32(i % partitions)
}

// plant is the night shift of the main scenario, and in it the same attack and the same malfunction many times over, each on people, machines and
// addresses of its own, with some records that are none.
type plant struct {
	streams []stream
	assets  string
	people  string
}

// records is how many there are.
func (p *plant) records() (n int) {
	for _, s := range p.streams {
		n += len(s.lines)
	}
	return n
}

// newPlant makes a plant with so many attacks and malfunctions beside the scenario's own, at most 60.
func newPlant(t testing.TB, copies, partitions int) *plant {
	p := &plant{assets: table(t, "plant/assets.csv"), people: table(t, "plant/identities.yaml")}
	robots := pick(p.assets, "\n", "cobot-02,", "cobot-03,", "lt-marc,")
	person := pick(p.people, "\n- id: ", "marc.dupont")
	for _, src := range scenarios.All()[0].Sources {
		s := stream{name: src.Name, format: src.Format}
		lines := bytes.Split(bytes.TrimSpace(src.Data()), []byte("\n"))
		last := lines[len(lines)-1]
		for k := 1; k <= copies; k++ {
			for _, told := range []string{"restricted-area/", "malfunction/"} {
				lines = append(lines, retold(t, told+src.Name, k)...)
			}
		}
		slices.SortStableFunc(lines, func(a, b []byte) int { return cmp.Compare(clock(a), clock(b)) })
		for i, l := range lines {
			if i%97 == 50 {
				s.lines = append(s.lines, fmt.Appendf(nil, "{\"broken\": %d, \xff", i))
			}
			s.lines = append(s.lines, l)
		}
		for i := range 2 * partitions { // Each partition says at last that the night is over.
			s.lines = append(s.lines, morning(last, i))
		}
		p.streams = append(p.streams, s)
	}
	for k := 1; k <= copies; k++ {
		p.assets += rename(k).Replace(strings.Join(robots, "\n") + "\n")
		p.people += rename(k).Replace("\n- id: " + strings.TrimSpace(person[0]) + "\n")
	}
	return p
}

func table(t testing.TB, name string) string {
	t.Helper()
	b, err := scenarios.ReadFile(name)
	must(t, err)
	return strings.TrimSpace(string(b)) + "\n"
}

// pick gives the pieces of text that begin with one of the words.
func pick(text, separator string, words ...string) (out []string) {
	for _, piece := range strings.Split(text, separator) {
		if slices.ContainsFunc(words, func(w string) bool { return strings.HasPrefix(piece, w) }) {
			out = append(out, piece)
		}
	}
	return out
}

// retold is the k-th telling of what is told by hand.
func retold(t testing.TB, file string, k int) (lines [][]byte) {
	for _, ext := range []string{".jsonl", ".log"} {
		b, err := scenarios.ReadFile(file + ext)
		if err != nil {
			continue
		}
		for _, l := range strings.Split(strings.TrimSpace(string(b)), "\n") {
			lines = append(lines, []byte(rename(k).Replace(l)))
		}
	}
	return lines
}

// rename gives everything that has a name in the story another one.
func rename(k int) *strings.Replacer {
	n := func(format string) string { return fmt.Sprintf(format, k) }
	return strings.NewReplacer(
		"00u1marc0dupont00013", n("00u1marc0dup%08d"), "marc.dupont", n("marc.dupont%d"), "Marc Dupont", n("Marc Dupont%d"), "mdupont", n("mdupont%d"),
		"lt-marc", n("lt-marc%d"), "LT-MARC", n("LT-MARC%d"), "5CG-0003", n("5CG-1%03d"), "77aa01c2", n("77aa%04x"),
		"00:00:5e:00:53:85", n("02:00:5e:00:01:%02x"), "00-00-5e-00-53-85", n("02-00-5e-00-01-%02x"), "00-00-5E-00-53-85", n("02-00-5E-00-01-%02X"),
		"00:00:5e:00:53:13", n("02:00:5e:00:03:%02x"), "00:00:5e:00:53:12", n("02:00:5e:00:02:%02x"),
		"10.20.31.44", n("10.20.%d.44"), "10.20.31.1", n("10.20.%d.1"), "10.20.4.3", n("10.20.1%02d.203"), "10.20.4.2", n("10.20.1%02d.202"),
		"198.51.100.24", n("198.51.100.1%02d"), "192.0.2.188", n("192.0.2.1%02d"), "cdn-relay.example", n("cdn-relay%d.example"),
		"cobot-03", n("cobot-3%02d"), "20235500103", n("202355%05d"), "ur-cell-3", n("ur-cell-3%02d"),
		"cobot-02", n("cobot-2%02d"), "20195500102", n("201956%05d"), "ur-cell-2", n("ur-cell-2%02d"),
		"0A140007000004D2", n("0A14000700%06X"), "91d2f7c4", n("91d2%04x"), "CA7", n("CB%02x"), "102Mq7", n("10%02xMq7"), "6a1f0a52", n("6a1f%04x"),
		"000090471", n("0%03d90471"), "000999312", n("0%03d99312"), "18902333488", n("1890%03d3488"),
	)
}

var (
	day    = regexp.MustCompile(`2026-11-2\d[T ]\d\d:\d\d:\d\d`)
	cefDay = regexp.MustCompile(`\b(start|rt|end)=17952\d+`)
)

// clock is the time of a line for sorting: UTC, or that of Berlin less an hour.
func clock(line []byte) string {
	at := day.FindIndex(line)
	if at == nil {
		return ""
	}
	word := bytes.Replace(line[at[0]:at[1]], []byte(" "), []byte("T"), 1)
	return utc(word, line[at[1]:])
}

// morning is a line as it would be said after the night, and an event of its own.
func morning(line []byte, i int) []byte {
	line = bytes.Replace(line, []byte("-77aa-"), fmt.Appendf(nil, "-77b%d-", i), 1)
	line = day.ReplaceAllFunc(line, func(m []byte) []byte { return fmt.Appendf(nil, "2026-11-21%c09:3%d:00", m[10], i) })
	return cefDay.ReplaceAll(line, fmt.Appendf(nil, "${1}=17952498%d0000", i))
}

// utc is a time of a log as one that compares.
func utc(word, rest []byte) string {
	t, err := time.Parse("2006-01-02T15:04:05", string(word))
	if err != nil {
		return ""
	}
	zone := regexp.MustCompile(`^(\.\d+)? ?\+01:?00`)
	if zone.Match(rest) {
		t = t.Add(-time.Hour)
	}
	fraction := regexp.MustCompile(`^\.\d+`).Find(rest)
	return t.Format("2006-01-02T15:04:05") + fmt.Sprintf("%-8s", fraction)
}
