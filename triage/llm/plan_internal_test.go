package llm

import (
	"testing"
	"time"

	"github.com/tocsin-siem/tocsin/event"
	"github.com/tocsin-siem/tocsin/incident"
)

var noon = time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC)

func some(name string, severity incident.Severity, rules ...string) *incident.Incident {
	in := &incident.Incident{ID: event.NewID(name), Severity: severity, Status: incident.Open}
	for _, r := range rules {
		in.Findings = append(in.Findings, incident.Finding{Rule: incident.RuleRef{ID: r}})
	}
	return in
}

func testPlan() *plan { return newPlan(time.Minute, 2, 1000, incident.Low) }

func TestAnIncidentIsAskedAboutOnceItIsQuiet(t *testing.T) {
	p := testPlan()
	p.note(some("a", incident.High, "r1"), noon)
	if in, wait := p.next(noon); in != nil || wait != time.Minute {
		t.Errorf("asked at once, or to wait %v", wait)
	}
	p.note(some("a", incident.High, "r1", "r2"), noon.Add(50*time.Second))
	if in, wait := p.next(noon.Add(time.Minute)); in != nil || wait != 50*time.Second {
		t.Errorf("asked while it changes, or to wait %v", wait)
	}
	in, _ := p.next(noon.Add(110 * time.Second))
	if in == nil || len(in.Findings) != 2 {
		t.Fatal("the latest revision is not asked about")
	}
	if p.note(some("a", incident.High, "r2", "r1"), noon.Add(3*time.Minute)) {
		t.Error("what did not materially change is asked about again")
	}
	if !p.note(some("a", incident.High, "r1", "r2", "r3"), noon.Add(3*time.Minute)) {
		t.Error("a new rule is not asked about")
	}
}

func TestAnIncidentThatNeverRestsIsAskedAboutAfterFiveMinutes(t *testing.T) {
	p := testPlan()
	var rules []string
	for i := range 12 {
		rules = append(rules, string(rune('a'+i)))
		p.note(some("a", incident.High, rules...), noon.Add(time.Duration(i)*30*time.Second))
	}
	if in, _ := p.next(noon.Add(5 * time.Minute)); in == nil {
		t.Error("it still waits")
	}
}

func TestTheMostSevereIsAskedAboutFirstAndLowOnesNever(t *testing.T) {
	p := testPlan()
	p.note(some("medium", incident.Medium, "r"), noon)
	p.note(some("critical", incident.Critical, "r"), noon.Add(10*time.Second))
	if p.note(some("info", incident.Informational, "r"), noon) {
		t.Error("an incident below the least severity waits")
	}
	later := noon.Add(2 * time.Minute)
	first, _ := p.next(later)
	second, _ := p.next(later)
	if first == nil || first.Severity != incident.Critical || second == nil || second.Severity != incident.Medium {
		t.Errorf("got %v, then %v", first, second)
	}
}

func TestAnHourHasABoundOfQuestionsPerIncident(t *testing.T) {
	p := testPlan()
	at := noon
	for i := range 2 {
		p.note(some("a", incident.High, string(rune('a'+i))), at)
		at = at.Add(time.Minute)
		if in, _ := p.next(at); in == nil {
			t.Fatal("not asked about")
		}
	}
	p.note(some("a", incident.High, "c"), at)
	p.note(some("b", incident.Low, "c"), at)
	at = at.Add(time.Minute)
	if in, _ := p.next(at); in == nil || in.Severity != incident.Low {
		t.Errorf("got %v: the bound is not kept, or it holds others back", in)
	}
	if in, wait := p.next(at); in != nil || wait <= 0 || wait > time.Hour {
		t.Errorf("asked a third time, or to wait %v", wait)
	}
	if in, _ := p.next(noon.Add(62 * time.Minute)); in == nil {
		t.Error("not asked about when the hour is over")
	}
}

func TestTheBudgetIsOfADay(t *testing.T) {
	p := testPlan()
	p.spend(900, noon)
	if p.left(noon) != 100 {
		t.Errorf("%d left", p.left(noon))
	}
	p.spend(900, noon)
	if p.left(noon) != 0 || p.left(noon.Add(12*time.Hour)) != 1000 {
		t.Errorf("%d left, %d the next day", p.left(noon), p.left(noon.Add(12*time.Hour)))
	}
}

func TestTheBreakerOpensAfterFiveFailuresAndTriesOnce(t *testing.T) {
	p := testPlan()
	for i := range 5 {
		if opened := p.ended(FailTimeout, 0, noon); opened != (i == 4) {
			t.Errorf("failure %d: opened %t", i+1, opened)
		}
	}
	p.note(some("a", incident.High, "r"), noon.Add(-time.Hour))
	if in, wait := p.next(noon.Add(time.Second)); in != nil || wait != 59*time.Second {
		t.Errorf("asked while it is open, or to wait %v", wait)
	}
	if in, _ := p.next(noon.Add(time.Minute)); in == nil {
		t.Error("not tried again")
	}
	if p.ended(FailTimeout, 0, noon.Add(time.Minute)); p.rest.IsZero() || !p.rest.After(noon.Add(time.Minute)) {
		t.Error("a failed try does not keep it open")
	}
	p.ended(FailUnproven, 0, noon)
	if p.failures != 0 {
		t.Error("an answer that could not be proven counts as a failure of the server")
	}
}

func TestWaitingIncidentsAreBoundedAndLessSevereOnesGiveWay(t *testing.T) {
	p := testPlan()
	for i := range maxWaiting {
		p.note(some(string(rune(i+1)), incident.Low, "r"), noon)
	}
	if p.note(some("more", incident.Low, "r"), noon) {
		t.Error("past the bound another of the same severity waits")
	}
	if !p.note(some("grave", incident.Critical, "r"), noon) || len(p.waiting) != maxWaiting {
		t.Errorf("a graver one does not, or %d wait", len(p.waiting))
	}
}
