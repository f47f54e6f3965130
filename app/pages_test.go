package app_test

import (
	"context"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/tocsin-siem/tocsin/app"
	"github.com/tocsin-siem/tocsin/event"
)

// A page that an index or a day bounds answers within the first, a search for text in everything and what hands out a whole list within the second.
const pageTime, textTime = 100 * time.Millisecond, 2 * time.Second

// TestPagesAnswerInTimeOverABigStore writes TOCSIN_BENCH_PAGES events, a hundredth as many findings and a two-thousandth as many incidents, and
// asks for every page. It is skipped without the variable. TOCSIN_BENCH_DIR keeps the store for the next time; TOCSIN_BENCH_ONLY, a regular
// expression, chooses pages.
func TestPagesAnswerInTimeOverABigStore(t *testing.T) {
	total, err := strconv.Atoi(os.Getenv("TOCSIN_BENCH_PAGES"))
	if err != nil {
		t.Skip("set TOCSIN_BENCH_PAGES to the number of events, or run make bench-pages")
	}
	only, err := regexp.Compile(os.Getenv("TOCSIN_BENCH_ONLY"))
	must(t, err)
	needEngine(t)
	dir := os.Getenv("TOCSIN_BENCH_DIR")
	if dir == "" {
		dir = tempDir(t)
	}
	must(t, os.MkdirAll(dir, 0o700))
	cfg := bigConfig(t, dir)
	big := fillBig(t, cfg, dir, total)
	furnish(t, cfg, dir, total/2000)
	set := app.ServiceSettings{Log: os.Stderr, Inputs: []app.ReplayInput{}}
	must(t, app.Run(t.Context(), cfg, set, func(_ context.Context, s *app.Service) error {
		time.Sleep(20 * time.Second) // Lets the board of robots fill, as it has when a person comes: that reads three days of states.
		c := visit(t, s.URL())
		c.furnish(dir)
		c.ask(bigQuestions(big), only)
		if os.Getenv("TOCSIN_BENCH_PAINT") != "" {
			c.paint(t.Context(), s.URL(), bigQuestions(big), only)
		}
		if hold, _ := time.ParseDuration(os.Getenv("TOCSIN_BENCH_HOLD")); hold > 0 { // For a browser.
			t.Logf("%s for %s, as %s with the password %s", s.URL(), hold, bigPerson, bigPassword)
			time.Sleep(hold)
		}
		return nil
	}))
}

// question is a page and what it may take.
type question struct {
	path string
	most time.Duration
}

// bigQuestions are the pages, feeds and lists of the console, in the order in which they are asked for.
func bigQuestions(b bigStore) (list []question) {
	finding := event.FormatID(event.FindingPrefix, event.NewID("big finding", "7", "3"))
	delivery := event.FormatID(event.DeliveryPrefix, bigDelivery(7))
	day := "from=" + b.end.Add(-24*time.Hour).Format(time.RFC3339) + "&to=" + b.end.Format(time.RFC3339)
	for _, g := range []struct {
		most  time.Duration
		paths []string
	}{
		{pageTime, []string{
			"/incidents", "/incidents?q=not+open", "/incidents?q=not+open+and+%22r-0042%22+in+robots", "/incidents?q=severity+%3E%3D+medium+and+age+%3E+3600&sort=-score",
			"/incidents/" + b.incident, "/incidents/" + b.incident + "?around=60&at=" + bigEvidence(7), "/findings/" + finding, "/events/" + b.event,
			"/hunt", "/hunt?" + day, "/hunt?by=user.name&" + day, "/hunt?q=src_endpoint.ip%3D%3D%2210.20.7.7%22&" + day, "/hunt?class=authentication.logon&by=src_endpoint.ip&" + day,
			"/hunt?q=user.name%3D%3D%22person-0042%22&" + day, "/hunt?q=robot.controller_fw%3D%3D%224.2%22&" + day, "/hunt?entity=user:person-0042&range=all", "/hunt?entity=robot:r-0042&range=all",
			"/entities/robot:r-0042", "/entities/user:person-0042", "/entities/device:ws-0042", "/entities/ip:10.20.7.7", "/entities/zone:cell-07",
			"/fleet", "/fleet?zone=cell-07", "/fleet?incident=" + b.incident,
			"/changes", "/changes?entity=robot:r-0042", "/changes?incident=" + b.incident,
			"/rules", "/rules/rb-0001", "/rules/editor", "/suppressions", "/suppressions/new",
			"/integrations", "/integrations?state=dead", "/integrations?delivery=" + delivery, "/health", "/measures", "/measures?days=90", "/handover", "/handover?since=" + b.filled.Format("2006-01-02T15:04"),
			"/audit", "/audit?who=person-0042", "/people", "/tokens", "/account", "/rejects", "/rejects?source=fleet", "/sign-in",
			"/feeds/VIEW.atom", "/feeds/VIEW.json",
			"/api/v1/incidents", "/api/v1/incidents?status=closed&limit=100", "/api/v1/incidents/" + b.incident, "/api/v1/incidents/" + b.incident + "/findings", "/api/v1/facets",
			"/api/v1/changes.ndjson?limit=100", "/api/v1/events/" + b.event, "/api/v1/findings/" + finding, "/api/v1/endpoints", "/api/v1/deliveries", "/api/v1/deliveries/" + delivery,
			"/api/v1/hunt?" + day, "/api/v1/hunt?counts=1&" + day, "/api/v1/changes", "/api/v1/entities/robot:r-0042", "/api/v1/fleet", "/api/v1/suppressions", "/api/v1/measures", "/api/v1/rules", "/api/v1/rules/rb-0001",
			"/api/v1/views", "/api/v1/health", "/api/v1/sources", "/api/v1/openapi.json",
		}},
		{textTime, []string{
			"/findings/" + finding + "?fold=1", "/api/v1/rejects?limit=1000", "/incidents.csv", "/incidents/" + b.incident + "/export/stix", "/incidents/" + b.incident + "/export/json",
			"/hunt?text=needle+in+the+hay&range=all", "/hunt?text=userAgent&range=all", "/hunt?text=absent-everywhere&range=all",
		}},
	} {
		for _, p := range g.paths {
			list = append(list, question{p, g.most})
		}
	}
	return list
}

// busyNow is the processor time that this process and its engine have taken; what runs beside pages is in it.
func busyNow(t *testing.T) (sum time.Duration) {
	t.Helper()
	self := os.Getpid()
	pids := []string{strconv.Itoa(self)}
	lists, _ := filepath.Glob("/proc/self/task/*/children")
	for _, name := range lists {
		b, _ := os.ReadFile(name)
		pids = append(pids, strings.Fields(string(b))...)
	}
	for _, pid := range pids {
		line, err := os.ReadFile("/proc/" + pid + "/stat")
		if err != nil {
			continue
		}
		fields := strings.Fields(string(line[strings.LastIndexByte(string(line), ')')+1:]))
		for _, f := range fields[11:13] {
			ticks, _ := strconv.Atoi(f)
			sum += time.Duration(ticks) * 10 * time.Millisecond
		}
	}
	return sum
}

// ask asks for each page some times, after once to warm up, and tells the median and the processor time of one.
func (c *visitor) ask(list []question, only *regexp.Regexp) {
	t := c.t
	for _, q := range list {
		if !only.MatchString(q.path) {
			continue
		}
		path := strings.ReplaceAll(q.path, "VIEW", c.view)
		if strings.HasPrefix(path, "/feeds/") {
			path += "?token=" + c.feeds
		}
		var took []time.Duration
		size, status := 0, 0
		busy := busyNow(t)
		for range 6 {
			began := time.Now()
			r := c.get(path)
			body, err := io.ReadAll(r.Body)
			must(t, err)
			_ = r.Body.Close()
			took, size, status = append(took, time.Since(began)), len(body), r.StatusCode
		}
		slices.Sort(took[1:])
		median, within := took[3], "in time"
		if median > q.most {
			within = "LATE"
		}
		busy = (busyNow(t) - busy) / 6
		t.Logf("| `%s` | %d | %d kB | %.0f ms | %.0f ms | %.0f ms | %s |", q.path, status, size>>10, took[0].Seconds()*1e3, median.Seconds()*1e3, busy.Seconds()*1e3, within)
		if status != http.StatusOK {
			t.Errorf("%s: %d", path, status)
		}
	}
}
