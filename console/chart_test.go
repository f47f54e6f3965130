package console_test

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"testing"

	"golang.org/x/net/html"

	"github.com/tocsin-siem/tocsin/event"
	"github.com/tocsin-siem/tocsin/incident"
)

// drawn is one mark of a chart.
type drawn struct {
	lane, title, shape string
	x, y, more         int
}

// chartOf reads the marks of an incident's page, and the names of the lanes.
func chartOf(t *testing.T, p *plant, in *incident.Incident) (marks []drawn, lanes []string) {
	t.Helper()
	body := get(p.handler(t), "/incidents/"+id(in)).Body.String()
	readPage(t, body)
	_, svg, _ := strings.Cut(body, `<svg class="chart"`)
	svg, _, _ = strings.Cut("<svg"+svg, "</svg>")
	var m drawn
	inside := ""
	for z := html.NewTokenizer(strings.NewReader(svg)); z.Next() != html.ErrorToken; {
		token := z.Token()
		attr := map[string]string{}
		for _, a := range token.Attr {
			attr[a.Key] = a.Val
		}
		number := func(key string) int { n, _ := strconv.Atoi(attr[key]); return n }
		switch {
		case token.Type == html.EndTagToken && token.Data == "a":
			marks = append(marks, m)
			m = drawn{}
		case token.Type == html.TextToken && inside == "title":
			m.title = token.Data
		case token.Type == html.TextToken && inside == "lane":
			lanes = append(lanes, token.Data)
		case token.Type == html.TextToken && inside == "more":
			m.more, _ = strconv.Atoi(strings.TrimPrefix(token.Data, "+"))
		case token.Type == html.TextToken:
		case token.Data == "circle":
			m.x, m.y, m.lane, m.shape = number("cx"), number("cy"), attr["class"], "circle"
		case token.Data == "rect":
			m.x, m.y, m.lane, m.shape = number("x")+6, number("y")+6, attr["class"], "rect"
		case token.Data == "path":
			m.lane, m.shape = attr["class"], "path"
			fmt.Sscanf(attr["d"], "M%d %d", &m.x, &m.y)
		}
		inside = ""
		if token.Type == html.StartTagToken {
			inside = token.Data
			if token.Data == "text" {
				inside = attr["class"]
			}
		}
	}
	return marks, lanes
}

// changed is an incident with one change at each of the times.
func changed(times ...int64) (*plant, *incident.Incident) {
	p := newPlant()
	in := &incident.Incident{ID: event.NewID("chart"), Status: incident.Open, Title: "chart", Severity: incident.Low, Opened: slices.Max(times)}
	for i, at := range times {
		in.Changed = append(in.Changed, event.Note{Entity: "robot:r", What: "program", Value: strconv.Itoa(i), Ref: &event.Ref{Event: event.NewID(strconv.Itoa(i)), Time: at, Received: at}})
	}
	p.fixed = []*incident.Incident{in}
	return p, in
}

func TestLanesWithoutMarksAreLeftOut(t *testing.T) {
	p, in := compromised(t)
	if _, lanes := chartOf(t, p, in); !slices.Equal(lanes, []string{"Identity", "Network access", "Endpoint", "OT and network", "Robot", "Changes", "Analyst and system"}) {
		t.Errorf("lanes %v", lanes)
	}
	p, in = changed(night)
	if _, lanes := chartOf(t, p, in); !slices.Equal(lanes, []string{"Changes", "Analyst and system"}) {
		t.Errorf("lanes %v", lanes)
	}
}

func TestMarksOfTheSameInstantStandBesideEachOther(t *testing.T) {
	p, in := changed(night, night, night, night+minute)
	marks, _ := chartOf(t, p, in)
	var places []string
	for _, m := range marks {
		if strings.HasSuffix(m.lane, "changes") {
			places = append(places, fmt.Sprint(m.x, " ", m.y, " ", m.shape))
			if !strings.HasPrefix(m.title, "2026-11-21 02:0") || !strings.Contains(m.title, "program of r") {
				t.Errorf("a mark is titled %q", m.title)
			}
		}
	}
	if len(places) != 4 || len(slices.Compact(slices.Sorted(slices.Values(places)))) != 4 {
		t.Errorf("the marks stand at %v", places)
	}
}

func TestEveryMomentIsDrawnOrCountedAndNoMarkHidesAnother(t *testing.T) {
	seed := rand.Uint64()
	r := rand.New(rand.NewPCG(seed, 1))
	for range 30 {
		times := make([]int64, 1+r.IntN(200))
		for i := range times {
			times[i] = night + r.Int64N(1+[]int64{0, 10 * second, 100 * minute, 60 * 24 * 60 * minute}[r.IntN(4)])
		}
		slices.Sort(times)
		p, in := changed(times...)
		marks, _ := chartOf(t, p, in)
		total := 0
		for i, a := range marks {
			if strings.HasSuffix(a.lane, "changes") {
				total += 1 + a.more
			}
			if a.title == "" || a.x < 140 || a.x > 1190 {
				t.Fatalf("seed %d: mark %+v", seed, a)
			}
			for _, b := range marks[i+1:] {
				if a.y == b.y && abs(a.x-b.x) < 13 {
					t.Fatalf("seed %d: %+v hides %+v", seed, a, b)
				}
			}
		}
		if total != len(times) {
			t.Fatalf("seed %d: %d of %d moments are drawn", seed, total, len(times))
		}
	}
}

func abs(n int) int { return max(n, -n) }

func TestWhatAnalystsDoLongAfterwardsDoesNotCrushTheChart(t *testing.T) {
	p, in := changed(night, night+10*minute)
	in.Remarks = []incident.Remark{{At: night + 3*24*60*minute, By: "ana", Text: "looked at it again"}}
	marks, _ := chartOf(t, p, in)
	var changes []int
	for _, m := range marks {
		switch {
		case strings.HasSuffix(m.lane, "changes"):
			changes = append(changes, m.x)
		case strings.Contains(m.title, "looked"):
			if m.shape != "path" || !strings.HasPrefix(m.title, "2026-11-24 02:00:00") {
				t.Errorf("the late note is drawn as %+v", m)
			}
		}
	}
	if len(changes) != 2 || changes[1]-changes[0] < 900 {
		t.Errorf("the changes stand at %v", changes)
	}
}

func TestTimesBeyondReasonDoNotHangThePage(t *testing.T) {
	const most, least = math.MaxInt64, math.MinInt64
	for _, times := range [][]int64{{least, most}, {least, least}, {1, most}, {1, 2}} {
		p, in := changed(times...)
		if marks, _ := chartOf(t, p, in); len(marks) < 2 {
			t.Errorf("%v: %d marks", times, len(marks))
		}
	}
}

func TestSilencesAndClocksThatDifferAreNamed(t *testing.T) {
	p, in := changed(night, night+95*minute, night+96*minute)
	in.Changed[1].Ref.Received += 61 * minute
	in.Changed[2].Ref.Received -= 5 * minute
	got := readPage(t, get(p.handler(t), "/incidents/"+id(in)).Body.String())
	for _, text := range []string{"95 min without events", "61 min later", "its clock is 5 min ahead"} {
		if !strings.Contains(got.text, text) {
			t.Errorf("the timeline lacks %q", text)
		}
	}
}
