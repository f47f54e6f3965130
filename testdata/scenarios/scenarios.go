// Package scenarios holds the demo scenarios: raw vendor logs of an attack, a malfunction and a piece of maintenance, among the background
// of a normal night shift in one plant. What is told by hand lies in one folder per scenario, one file per source, as the vendor would write
// it; the background is made from hand-written line templates with a fixed seed, so every run gives the same bytes. All of it is invented:
// names, addresses (RFC 5737, RFC 1918), hardware addresses (RFC 7042) and domains (RFC 2606).
package scenarios

import (
	"bytes"
	"cmp"
	"embed"
	"path"
	"slices"
	"strings"
	"time"
)

//go:embed plant restricted-area malfunction maintenance
var files embed.FS

// ReadFile reads a table file by the path that Tables gives.
func ReadFile(name string) ([]byte, error) { return files.ReadFile(name) }

// Scenario is one story: the logs of some sources and what must come of them. Scenarios are values; Data may be called from several goroutines.
type Scenario struct {
	Name    string // As in `tocsin demo --scenario`.
	Title   string // One line.
	Story   string // What happens, for people.
	Sources []Source
	Tables  Tables
	Expect  Expect
}

// Tables are the paths of the plant's tables inside this package; read them with ReadFile. Lists is by the name that rules use.
type Tables struct {
	Assets, Identities, Zones, Schedules string
	Lists                                map[string]string
}

// Expect is what a scenario must come to with the shipped rules.
type Expect struct {
	Incidents int      // How many incidents, neither more nor fewer.
	Severity  string   // Of the incident; "" where there is none.
	Domains   []string // Domains of the incident.
	Robots    []string // Canonical ids of the robots in it.
	Rules     []string // Rules that must be among its findings.
	Records   int      // At least so many records come in.
}

// Source is one log of a scenario.
type Source struct {
	Name   string
	Format string
	Site   string
	Zone   string // IANA name of the time zone of stamps without one.

	told       string                         // File of what is told by hand; "" for none.
	background func(p *plant) []line          // nil for none.
	span       func() (from, until time.Time) // Of the background.
}

// Data gives the log, in order of time.
func (s *Source) Data() []byte {
	var lines []line
	if s.told != "" {
		text, err := files.ReadFile(s.told)
		if err != nil {
			panic(err) // The file is embedded.
		}
		for one := range bytes.Lines(text) {
			if t := strings.TrimSpace(string(one)); t != "" {
				lines = append(lines, line{stampOf(t), t})
			}
		}
	}
	if s.background != nil {
		from, until := s.span()
		lines = append(lines, s.background(newPlant(s.Name, from, until))...)
	}
	slices.SortStableFunc(lines, func(a, b line) int { return cmp.Compare(a.at, b.at) })
	var out bytes.Buffer
	for _, l := range lines {
		out.WriteString(l.text)
		out.WriteByte('\n')
	}
	return out.Bytes()
}

// line is one record with its time in milliseconds since the Unix epoch.
type line struct {
	at   int64
	text string
}

// stampOf is the first time of a line that is told by hand: 2026-11-21, a T or blank, and the clock time, with a zone; UTC if there is none.
func stampOf(s string) int64 {
	at := strings.Index(s, "2026-11-")
	if at < 0 || len(s) < at+19 {
		panic("no time in " + s) // A mistake in a file of this package; its test reads all of them.
	}
	word := strings.Replace(s[at:at+19], " ", "T", 1)
	t, err := time.Parse("2006-01-02T15:04:05", word)
	if err != nil {
		panic(err)
	}
	rest := s[at+19:]
	ms := int64(0)
	if strings.HasPrefix(rest, ".") {
		n := int64(100)
		for rest = rest[1:]; rest != "" && rest[0] >= '0' && rest[0] <= '9'; rest = rest[1:] {
			ms += n * int64(rest[0]-'0')
			n /= 10
		}
	}
	if rest = strings.TrimPrefix(rest, " "); strings.HasPrefix(rest, "+01:00") || strings.HasPrefix(rest, "+0100") {
		t = t.Add(-time.Hour)
	}
	return t.UnixMilli() + ms
}

// All lists the scenarios, the main one first.
func All() []Scenario {
	return []Scenario{restrictedArea(), malfunction(), maintenance()}
}

func plantTables() Tables {
	t := Tables{Assets: "plant/assets.csv", Identities: "plant/identities.yaml", Zones: "plant/zones.csv", Schedules: "plant/schedules.yaml", Lists: map[string]string{}}
	entries, err := files.ReadDir("plant/lists")
	if err != nil {
		panic(err) // The folder is embedded.
	}
	for _, e := range entries {
		t.Lists[strings.TrimSuffix(e.Name(), ".txt")] = path.Join("plant/lists", e.Name())
	}
	return t
}

// source makes a source that is told by hand in the scenario's folder, where it has such a file, over a background.
func source(folder, format string, background func(p *plant) []line, span func() (from, until time.Time)) Source {
	s := Source{Name: format, Format: format, Site: "werk-1", Zone: "Europe/Berlin", background: background, span: span}
	for _, ext := range []string{".jsonl", ".log"} {
		if _, err := files.ReadFile(path.Join(folder, format+ext)); err == nil {
			s.told = path.Join(folder, format+ext)
		}
	}
	return s
}

// night is the shift of the main scenario: Friday 22:00 to Saturday 06:00 in Berlin.
func night() (from, until time.Time) {
	return time.Date(2026, 11, 20, 21, 0, 0, 0, time.UTC), time.Date(2026, 11, 21, 5, 0, 0, 0, time.UTC)
}

// quiet is a quiet hour and a half for the smaller scenarios.
func quiet() (from, until time.Time) {
	return time.Date(2026, 11, 20, 9, 0, 0, 0, time.UTC), time.Date(2026, 11, 20, 10, 30, 0, 0, time.UTC)
}

// rollout is the window of change 1042.
func rollout() (from, until time.Time) {
	return time.Date(2026, 11, 21, 21, 0, 0, 0, time.UTC), time.Date(2026, 11, 22, 1, 0, 0, 0, time.UTC)
}

func restrictedArea() Scenario {
	const folder = "restricted-area"
	var sources []Source
	for _, b := range backgrounds {
		sources = append(sources, source(folder, b.format, b.lines, night))
	}
	return Scenario{
		Name:  folder,
		Title: "Robot compromised in a restricted area",
		Story: "A maintenance contractor's account refuses push prompts, gives in, and signs in from another continent at two in the morning. The contractor's laptop, " +
			"silent towards endpoint protection for nine days, is admitted to the robot network by an exception. From it somebody signs in to the " +
			"controller of a cobot in a restricted area, takes it out of automatic mode, loads a program and changes the safety configuration; then the robot sends " +
			"hundreds of megabytes to an address it never used. Around it a night shift goes on: approved maintenance, roaming robots, renewed leases, " +
			"a vulnerability scan, a shift change behind one NAT address.",
		Sources: sources,
		Tables:  plantTables(),
		Expect: Expect{
			Incidents: 1, Severity: "critical", Records: 5_000,
			Domains: []string{"identity", "network_access", "endpoint", "network", "ot", "robot"},
			Robots:  []string{"robot:cobot-03"},
			Rules:   []string{"rb-0006", "rb-0010", "rb-0011", "rb-0020", "rb-0040", "rb-0042", "rb-0063", "rb-0065", "rb-0066", "rb-0101", "rb-0102", "rb-0105", "rb-0111"},
		},
	}
}

func malfunction() Scenario {
	const folder = "malfunction"
	return Scenario{
		Name:  folder,
		Title: "Cobot with a worn joint",
		Story: "A cobot stops for protection again and again and reports a joint fault. Nobody signed in, nothing was changed: a malfunction, and the " +
			"answers must say so.",
		Sources: []Source{
			source(folder, "universal_robots", robotControllers, quiet),
			source(folder, "vda5050", mobileRobots, quiet),
			source(folder, "zeek", networkSensor, quiet),
		},
		Tables: plantTables(),
		Expect: Expect{Incidents: 1, Severity: "low", Domains: []string{"robot"}, Robots: []string{"robot:cobot-02"}, Rules: []string{"rb-0067", "rb-0068"}},
	}
}

func maintenance() Scenario {
	const folder = "maintenance"
	return Scenario{
		Name:  folder,
		Title: "Approved firmware roll-out on several robots",
		Story: "Two robots get new firmware in their approved window: service mode, download from the maker, restart, another firmware version. It looks like the " +
			"end of an attack and is none; no incident may come of it.",
		Sources: []Source{
			source(folder, "change_ticket", nil, nil),
			source(folder, "vda5050", nil, nil),
			source(folder, "openssh", nil, nil),
			source(folder, "okta", nil, nil),
			source(folder, "zeek", networkSensor, rollout),
		},
		Tables: plantTables(),
		Expect: Expect{Incidents: 0},
	}
}
