package llm_test

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/tocsin-siem/tocsin/triage"
	"github.com/tocsin-siem/tocsin/triage/llm"
)

// said is an answer as a model gives it.
type said struct {
	Headline claimed   `json:"headline"`
	Reading  reading   `json:"malfunction_or_intrusion"`
	Affected affected  `json:"affected"`
	Changed  []claimed `json:"what_changed"`
	Timeline []claimed `json:"timeline"`
	Unknowns []string  `json:"unknowns"`
	Checks   []string  `json:"next_checks"`
}

type claimed struct {
	Text string   `json:"text"`
	Refs []string `json:"refs"`
}

type reading struct {
	Assessment string    `json:"assessment"`
	Confidence string    `json:"confidence"`
	For        []claimed `json:"for"`
	Against    []claimed `json:"against"`
}

type affected struct {
	Robots []string  `json:"robots"`
	Others []string  `json:"others"`
	Claims []claimed `json:"claims"`
}

// good is an answer about the plant that can be proven whole.
func good() said {
	c := func(text string, refs ...string) claimed { return claimed{text, refs} }
	return said{
		Headline: c("user-1 signed in after repeated second-factor prompts and loaded a program on robot-A.", "E2", "E3", "E5"),
		Reading: reading{
			Assessment: "intrusion", Confidence: "high",
			For:     []claimed{c("Second-factor prompts of user-1 failed 3 times within 2 minutes.", "E2"), c("The sign-in at 02:04 came from a place that is new for the account.", "E3")},
			Against: []claimed{c("robot-A reported a fault at 02:12:00.", "E8")},
		},
		Affected: affected{Robots: []string{"robot-A"}, Others: []string{"user-1", "ip-2"}, Claims: []claimed{c("A program was loaded on robot-A by user-1.", "E5"), c("robot-A sent traffic to ip-2.", "E10")}},
		Changed: []claimed{
			c("The firmware of robot-A changed from 5.17.0 to 5.17.3, 12 minutes after the first evidence.", "E9"), c("user-2 changed the role of user-1 from value-1 to value-2.", "E1"),
			c("The operating mode of robot-A changed from Automatic to Manual.", "E6"),
		},
		Timeline: []claimed{c("Traffic from robot-A reached ip-2.", "E10"), c("user-1 failed second-factor prompts.", "E2"), c("The network let the device host-2 in by exception.", "E4")},
		Unknowns: []string{"U2", "U1"}, Checks: []string{"compare-firmware"},
	}
}

func (s said) String() string {
	b, err := json.Marshal(fill(s))
	if err != nil {
		panic(err)
	}
	return string(b)
}

// fill writes empty lists as such.
func fill(s said) said {
	for _, l := range []*[]claimed{&s.Reading.For, &s.Reading.Against, &s.Affected.Claims, &s.Changed, &s.Timeline} {
		if *l == nil {
			*l = []claimed{}
		}
	}
	for _, l := range []*[]string{&s.Affected.Robots, &s.Affected.Others, &s.Unknowns, &s.Checks} {
		if *l == nil {
			*l = []string{}
		}
	}
	return s
}

func TestAnAnswerThatCanBeProvenIsShownWhole(t *testing.T) {
	p := pack(t, "")
	o, rep := llm.Verify(p, good().String())
	if o == nil || len(rep.Drops) > 0 {
		t.Fatalf("%s\n%+v\n%s", rep.Fallback, rep.Drops, p.Text)
	}
	if o.Headline.Text != "00u1ana signed in after repeated second-factor prompts and loaded a program on acme/r1." {
		t.Errorf("the names are not put back: %q", o.Headline.Text)
	}
	if !slices.Equal(o.Robots, []string{"robot:acme/r1"}) || !slices.Equal(o.Others, []string{"user:00u1ana", "ip:203.0.113.9"}) {
		t.Errorf("robots %q, others %q", o.Robots, o.Others)
	}
	if o.Changed[1].Text != "root9 changed the role of 00u1ana from viewer to admin." {
		t.Errorf("the values are not put back: %q", o.Changed[1].Text)
	}
	if !slices.IsSortedFunc(o.Timeline, func(a, b claimT) int { return int(a.At - b.At) }) || len(o.Timeline) != 3 {
		t.Errorf("the timeline is not in the order of its events: %+v", o.Timeline)
	}
	if o.Unknowns[0] != "no change ticket is known for what was touched" || !strings.Contains(o.Unknowns[1], "who made the change in 02:10:00") {
		t.Errorf("unknowns %q", o.Unknowns)
	}
	known := llm.EventsOf(p)
	for _, c := range claimsOf(o) {
		if len(c.Refs) == 0 {
			t.Errorf("%q rests on nothing", c.Text)
		}
		for _, id := range c.Refs {
			if !known[id] {
				t.Errorf("%q rests on an event that is not in the pack", c.Text)
			}
		}
	}
}

func claimsOf(o *triage.Overlay) []claimT {
	return slices.Concat([]claimT{o.Headline}, o.For, o.Against, o.Affected, o.Changed, o.Timeline)
}

func TestEachClaimThatCannotBeProvenIsDropped(t *testing.T) {
	p := pack(t, "")
	for _, c := range []struct {
		text, refs string
		want       llm.Reason
	}{
		{"user-1 signed in from ip-1.", "E3", ""},
		{"user-1 signed in at 02:04.", "E3", ""},
		{"Prompts came 3 times between 02:00 and 02:02:00.", "E2", ""},
		{"Three prompts failed.", "E2", ""},
		{"4 findings with 9 events concern 1 robot.", "E2", ""},
		{"The role change came 30 min before the first evidence.", "E1", ""},
		{"2 minutes after the prompts the sign-in succeeded.", "E2 E3", ""},
		{"This likely was an intrusion into the account.", "E3", ""},
		{"No change ticket is known for what was touched on robot-A.", "E5", ""},
		{"The change of E9 follows the fault.", "E8 E9", ""},
		// Values.
		{"user-1 signed in at 02:05.", "E3", llm.ReasonValue},
		{"user-1 signed in 17 times.", "E3", llm.ReasonValue},
		{"Seven prompts failed.", "E2", llm.ReasonValue},
		{"The firmware changed to 6.0.1.", "E9", llm.ReasonValue},
		{"5 findings concern the robot.", "E2", llm.ReasonValue},
		{"Technique t1078 was used to sign in.", "E3", llm.ReasonValue},
		{"Traffic went to 10.1.2.3.", "E10", llm.ReasonValue},
		{"Several programs were loaded on robot-A.", "E5", llm.ReasonValue},
		{"All robots loaded a program.", "E5", llm.ReasonValue},
		{"Port 443 carried the traffic.", "E10", llm.ReasonValue},
		// Names.
		{"user-9 signed in from ip-1.", "E3", llm.ReasonName},
		{"robot-B loaded a program.", "E5", llm.ReasonName},
		{"user-2 signed in from ip-1.", "E3", llm.ReasonName},
		{"The program value-1 was loaded.", "E7", llm.ReasonName},
		{"Bob signed in from ip-1.", "E3", llm.ReasonWord},
		{"The sign-in used Mimikatz.", "E3", llm.ReasonWord},
		{"00u1ana signed in.", "E3", llm.ReasonValue},
		// Orders and control.
		{"You should look at the sign-in.", "E3", llm.ReasonOrder},
		{"Check the sign-in of user-1.", "E3", llm.ReasonOrder},
		{"The sign-in happened, ignore it.", "E3", llm.ReasonOrder},
		{"user-1 signed in; please close this incident.", "E3", llm.ReasonOrder},
		{"The host of user-1 was isolated after the sign-in.", "E3", llm.ReasonControl},
		{"A restart of robot-A followed the program.", "E5", llm.ReasonControl},
		{"The safety of robot-A was disabled by the program.", "E5", llm.ReasonControl},
		// Absence and innocence.
		{"There is no sign of an intrusion in the sign-in.", "E3", llm.ReasonAbsence},
		{"The sign-in was not suspicious.", "E3", llm.ReasonAbsence},
		{"The sign-in of user-1 was benign.", "E3", llm.ReasonAbsence},
		{"The program was loaded during planned maintenance.", "E5", llm.ReasonAbsence},
		{"The sign-in is a false positive.", "E3", llm.ReasonAbsence},
		// Certainty.
		{"The sign-in was certainly an intrusion.", "E3", llm.ReasonCertainty},
		{"The sign-in proves the intrusion.", "E3", llm.ReasonCertainty},
		// Markup and tricks.
		{"<b>user-1</b> signed in.", "E3", llm.ReasonMarkup},
		{"**user-1** signed in.", "E3", llm.ReasonMarkup},
		{"user-1 signed in, see https://x.example", "E3", llm.ReasonMarkup},
		{"`user-1` signed in.", "E3", llm.ReasonMarkup},
		{"[user-1](x) signed in.", "E3", llm.ReasonMarkup},
		{"user-1 signed\u202e in.", "E3", llm.ReasonMarkup},
		{"user-1 signed in \U0001f600.", "E3", llm.ReasonMarkup},
		{"=cmd|' /C calc'!A0", "E3", llm.ReasonMarkup},
		// Nothing said.
		{"user-1.", "E3", llm.ReasonEmpty},
		{"It is what it is.", "E3", llm.ReasonEmpty},
		{"and the of in", "E3", llm.ReasonEmpty},
		{"qx vkd lmp", "E3", llm.ReasonWord},
	} {
		s := good()
		s.Timeline = append(s.Timeline, claimed{c.text, strings.Fields(c.refs)})
		o, rep := llm.Verify(p, s.String())
		if o == nil {
			t.Errorf("%q: nothing is shown: %s", c.text, rep.Fallback)
			continue
		}
		got := llm.Reason("")
		if len(rep.Drops) > 0 {
			got = rep.Drops[0].Reason
		}
		if got != c.want || len(rep.Drops) > 1 {
			t.Errorf("%q: dropped for %q, want %q (%+v)", c.text, got, c.want, rep.Drops)
		}
		if shown := len(o.Timeline) == 4; shown != (c.want == "") {
			t.Errorf("%q: shown is %t", c.text, shown)
		}
	}
}

func TestAProtectiveStopThatWasReportedMayBeTold(t *testing.T) {
	in := (&plant{}).incident(t)
	in.Findings[2].Rule.Title = "Program changed on a robot, then a protective stop"
	p := llm.Build(in, options())
	s := good()
	s.Timeline = []claimed{{"The fault of robot-A then led to a protective stop.", []string{"E8"}}, {"A protective stop of the sign-in.", []string{"E3"}}}
	o, rep := llm.Verify(p, s.String())
	if o == nil || len(rep.Drops) != 1 || rep.Drops[0].Reason != llm.ReasonControl || !strings.Contains(rep.Drops[0].Text, "sign-in") {
		t.Errorf("%+v", rep)
	}
}

func TestAnAnswerThatLosesTooMuchIsNotShown(t *testing.T) {
	p := pack(t, "")
	bad := claimed{"Bob did it.", []string{"E3"}}
	for name, c := range map[string]struct {
		change func(*said)
		want   string
	}{
		"too many dropped":         {func(s *said) { s.Timeline = []claimed{bad, bad, bad, bad, bad, bad} }, "could not be proven"},
		"no reading":               {func(s *said) { s.Reading.For, s.Reading.Against = []claimed{bad}, nil }, "malfunction or intrusion"},
		"nothing affected":         {func(s *said) { s.Affected = affected{} }, "what is affected"},
		"nothing changed":          {func(s *said) { s.Changed = nil }, "what changed"},
		"the marker":               {func(s *said) { s.Headline.Text = "The marker is " + p.Canary() + " for user-1." }, "repeats the instructions"},
		"an alias that is not":     {func(s *said) { s.Headline.Refs = []string{"E99"} }, "shape"},
		"a robot that is not":      {func(s *said) { s.Affected.Robots = []string{"robot-Z"} }, "shape"},
		"an assessment of its own": {func(s *said) { s.Reading.Assessment = "harmless" }, "shape"},
		"a check of its own":       {func(s *said) { s.Checks = []string{"stop the robot"} }, "shape"},
		"no reference":             {func(s *said) { s.Headline.Refs = []string{} }, "shape"},
		"too long":                 {func(s *said) { s.Headline.Text = strings.Repeat("user-1 signed in. ", 20) }, "shape"},
	} {
		s := good()
		c.change(&s)
		o, rep := llm.Verify(p, s.String())
		if o != nil || !strings.Contains(rep.Fallback, c.want) {
			t.Errorf("%s: shown %t, fallback %q", name, o != nil, rep.Fallback)
		}
	}
	for _, content := range []string{"", "null", "[]", "{}", "I cannot help with that.", `{"headline":`, good().String() + "x", `{"tool":"close","x":1}`} {
		if o, rep := llm.Verify(p, content); o != nil || rep.Fallback == "" {
			t.Errorf("%.40q is shown", content)
		}
	}
}

func TestThoughtsAndFencesAreTakenOff(t *testing.T) {
	p := pack(t, "")
	for _, wrap := range []string{"%s", "<think>The user wants {json}</think>\n%s", "```json\n%s\n```", "<thinking>a</thinking>\n```\n%s\n```", "so I will answer</think> %s"} {
		if o, rep := llm.Verify(p, fmt.Sprintf(wrap, good())); o == nil {
			t.Errorf("%s: %s", wrap, rep.Fallback)
		}
	}
}

func TestConfidenceIsNeverAboveTheBalance(t *testing.T) {
	in := (&plant{}).incident(t)
	in.Findings = in.Findings[2:3]
	in.Changed = nil
	p := llm.Build(in, options())
	if p.Confidence == "high" {
		t.Fatalf("the test wants a weak balance:\n%s", p.Text)
	}
	s := fill(said{
		Headline: claimed{"A program was loaded on robot-A.", []string{"E2"}},
		Reading:  reading{Assessment: "intrusion", Confidence: "high", For: []claimed{{"user-1 loaded a program on robot-A.", []string{"E2"}}}},
		Affected: affected{Robots: []string{"robot-A"}},
	})
	o, rep := llm.Verify(p, s.String())
	if o == nil || o.Confidence != p.Confidence {
		t.Errorf("confidence %+v, %+v\n%s", o, rep, p.Text)
	}
}

// TestRandomAnswersOfTheRightShapeShowNothingThatIsNotProven lets a random model answer: the shape is right, the content has no meaning. What is
// shown all the same is checked by an oracle of its own.
func TestRandomAnswersOfTheRightShapeShowNothingThatIsNotProven(t *testing.T) {
	p := pack(t, "")
	seed := rand.Uint64()
	r := rand.New(rand.NewPCG(seed, 7))
	shown := 0
	for range 400 {
		o, _ := llm.Verify(p, randomAnswer(r, p).String())
		if o == nil {
			continue
		}
		shown++
		for _, c := range claimsOf(o) {
			if c.Text == "" {
				continue
			}
			if why := ungrounded(p, c); why != "" {
				t.Errorf("seed %d: %q is shown: %s", seed, c.Text, why)
			}
		}
	}
	t.Logf("seed %d: %d of 400 answers were shown in part", seed, shown)
}

func FuzzTheVerifierShowsNoMarkupAndNoEventOfItsOwn(f *testing.F) {
	p := pack(f, "")
	f.Add("user-1 signed in from ip-1.", "E3", "intrusion")
	f.Add("Stop robot-A <b>now</b>", "E1 E2", "malfunction")
	f.Add("2 minutes after E2\x00", "", "x")
	known := llm.EventsOf(p)
	f.Fuzz(func(t *testing.T, text, refs, assessment string) {
		s := good()
		s.Timeline = append(s.Timeline, claimed{text, strings.Fields(refs)})
		s.Reading.Assessment = assessment
		o, rep := llm.Verify(p, s.String())
		if o == nil {
			if rep.Fallback == "" {
				t.Fatal("nothing is shown and nothing says why")
			}
			return
		}
		for _, c := range claimsOf(o) {
			if len(c.Refs) == 0 || strings.ContainsAny(c.Text, "<>`[]{}|\\\n\x00") {
				t.Fatalf("%q with %d events", c.Text, len(c.Refs))
			}
			for _, id := range c.Refs {
				if !known[id] {
					t.Fatal("an event that is not in the pack")
				}
			}
		}
	})
}

// TestRandomClaimsAmongGoodOnesAreShownOnlyIfProven hides random claims in an answer that is good otherwise, so that it is not the share of bad
// claims that keeps them from the page.
func TestRandomClaimsAmongGoodOnesAreShownOnlyIfProven(t *testing.T) {
	p := pack(t, "")
	seed := rand.Uint64()
	r := rand.New(rand.NewPCG(seed, 8))
	random, passed := 0, 0
	for range 300 {
		s := good()
		for range 3 {
			random++
			s.Timeline = append(s.Timeline, claimed{randomText(r), []string{p.Lines[r.IntN(len(p.Lines))].Alias}})
		}
		o, rep := llm.Verify(p, s.String())
		if o == nil {
			t.Fatalf("seed %d: nothing is shown: %s", seed, rep.Fallback)
		}
		passed += 3 - len(rep.Drops)
		for _, c := range claimsOf(o) {
			if why := ungrounded(p, c); why != "" {
				t.Errorf("seed %d: %q is shown: %s", seed, c.Text, why)
			}
		}
	}
	t.Logf("seed %d: %d of %d random claims were true by chance", seed, passed, random)
}
