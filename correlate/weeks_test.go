package correlate_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/tocsin-siem/tocsin/correlate"
	"github.com/tocsin-siem/tocsin/event"
	"github.com/tocsin-siem/tocsin/rules"
)

// weekRules are a rule for each of the modifiers that look back over weeks.
var weekRules = []string{
	`match:
  event: {id: a, class: network_activity, where: dst_endpoint.port == 443, bind: {robot: robot}, spike: {value: traffic.bytes_out, per: [robot], bucket: 10m, over: 1h, baseline: 14d, ratio: 3, deviations: 6, floor: 1000000, learn: 8d}}
throttle: {per: [robot], for: 1d}`,
	`match:
  event: {id: a, class: network_activity, where: dst_endpoint.port == 8443, bind: {robot: robot}, beacon: {per: [robot], at_least: 8, over: 6h, jitter_max: 0.2, min_gap: 10s}}
throttle: {per: [robot], for: 1d}`,
	`match:
  event: {id: a, class: network_activity, where: dst_endpoint.port == 554, bind: {robot: robot}, drop: {per: [robot], for: 90m, at_least: 5, over: 12h}}`,
	`match:
  event: {id: a, class: network_activity, where: dst_endpoint.port == 443, bind: {robot: robot}, drop: {value: traffic.bytes_out, per: [robot], bucket: 10m, over: 2h, baseline: 14d, ratio: 4, deviations: 2, floor: 1000000, learn: 8d}}
throttle: {per: [robot], for: 1d}`,
	`match:
  event: {id: a, class: network_activity, where: dst_endpoint.port == 443, bind: {robot: robot}, new: {value: dst_endpoint.ip, per: [robot], history: 30d, learn: 7d}}`,
}

const (
	weekDay   = int64(86400_000_000)
	weekHour  = int64(3600_000_000)
	weekFloor = start - start%weekDay // Midnight; a Monday.
)

// weeks are three weeks of two robots: traffic by day and little by night and at weekends, chance contacts, a camera's beat. What is planted:
// on day 17 h0 sends five times what it usually does at 10:00; from day 18, 2:00 it calls every twenty minutes; on day 19 its camera stops from
// 12:00 to 15:00; on day 20 at 13:00 h1 sends nearly nothing for four hours; on day 16 it talks to another machine.
func weeks(r *rand.Rand) []event.Event {
	var out []event.Event
	add := func(robot int, at int64, port uint16, ip string, bytes int64) {
		e := event.Event{ClassUID: event.ClassNetwork, ActivityID: 6, Time: weekFloor + at}
		e.Robot = &event.Robot{UID: fmt.Sprint("h", robot)}
		e.DstEndpoint.Port, e.DstEndpoint.IP = port, ip
		e.Traffic = &event.Traffic{BytesOut: event.Int{V: bytes, Known: true}}
		e.Envelope.Position = event.Position{Source: fmt.Sprint("s", r.IntN(3)), Offset: int64(len(out))}
		e.Envelope.ID = event.NewID("weeks", fmt.Sprint(len(out)))
		e.FindEntities()
		out = append(out, e)
	}
	for robot := range 2 {
		for slot := range int64(21 * 24 * 6) { // Every ten minutes.
			at := slot * weekHour / 6
			day, hour := at/weekDay, at/weekHour%24
			usual := int64(20_000)
			if day%7 < 5 && hour >= 6 && hour < 20 {
				usual = 1_000_000
			}
			bytes := usual*9/10 + r.Int64N(usual/5)
			if robot == 0 && day == 17 && hour == 10 {
				bytes *= 5
			}
			if robot == 1 && day == 15 && hour >= 13 && hour < 17 {
				bytes /= 100
			}
			add(robot, at+r.Int64N(60_000_000), 443, "10.0.0.1", bytes)
			if stopped := robot == 0 && day == 19 && hour >= 12 && hour < 15; !stopped {
				add(robot, at+r.Int64N(60_000_000), 554, "10.0.0.2", 1)
			}
		}
		for at := int64(0); at < 21*weekDay; at += 20_000_000 + int64(r.ExpFloat64()*float64(5*weekHour)) {
			if calling := robot == 0 && at >= 18*weekDay-4*weekHour && at < 18*weekDay+7*weekHour; !calling { // Enough of them would hide the beat.
				add(robot, at, 8443, "10.0.0.3", 1)
			}
		}
	}
	for i := range int64(12) {
		add(0, 18*weekDay+2*weekHour+i*1200_000_000+r.Int64N(60_000_000), 8443, "10.0.0.3", 1)
	}
	add(1, 16*weekDay+9*weekHour, 443, "203.0.113.9", 10)
	return out
}

func TestOverThreeWeeksExactlyWhatWasPlantedIsFound(t *testing.T) {
	set := &rules.Set{}
	for i, text := range weekRules {
		c := *ruleOf(t, "lateness: 10m\n"+text)
		c.ID = fmt.Sprintf("week-%d", i)
		set.Rules = append(set.Rules, &c)
	}
	for range rounds(2) {
		seed := seedOf()
		r := rand.New(rand.NewPCG(seed, 9))
		events := weeks(r)
		reference, _ := runBatches(t, set, [][]event.Event{events}, 1, nil)
		want := outcome(reference)
		var found []string
		for _, f := range correlate.Finals(reference) {
			at := f.Time - weekFloor
			hour := at / weekHour % 24
			found = append(found, fmt.Sprintf("%s %s day %d, %d:00", f.Rule.ID, f.Vars[0].Value, at/weekDay, hour))
		}
		slices.Sort(found)
		planted := []string{
			"week-0 robot:h0 day 17, 10:00", "week-1 robot:h0 day 18, 4:00", "week-2 robot:h0 day 19, 11:00", "week-3 robot:h1 day 15, 14:00",
			"week-4 robot:h1 day 16, 9:00",
		}
		if d := cmp.Diff(planted, found); d != "" {
			t.Errorf("seed %d: what was planted differs from what was found (-planted +found):\n%s", seed, d)
		}
		for range 2 {
			restores := 0
			got, stats := runBatches(t, set, arrivalIn(r, events, 600_000_000, 20+r.IntN(200)), 1, func(e *correlate.Engine, _ int) *correlate.Engine {
				if r.IntN(20) > 0 {
					return e
				}
				restores++
				next := correlate.New(set, correlate.Settings{})
				if err := next.Restore(e.Snapshot(nil)); err != nil {
					t.Fatalf("seed %d: %v", seed, err)
				}
				return next
			})
			if d := cmp.Diff(want, outcome(got)); d != "" {
				t.Errorf("seed %d: permuted, cut and restored %d times (-in order +permuted):\n%s", seed, restores, d)
			}
			for _, s := range stats.Rules {
				if s.Late > 0 || s.Degraded || s.Bytes > 1<<20 {
					t.Errorf("seed %d: %s: %d late, degraded %t, %d bytes at the end", seed, s.Rule, s.Late, s.Degraded, s.Bytes)
				}
			}
		}
	}
}
