package store_test

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/tocsin-siem/tocsin/event"
	"github.com/tocsin-siem/tocsin/incident"
	"github.com/tocsin-siem/tocsin/store"
)

// mixed are sign-ins, network alerts and robot telemetry, one to one to one, with about 1 KB of raw text each and 1,000 robots.
func mixed(from, n int) []event.Event {
	events := make([]event.Event, n)
	for j := range events {
		i := from + j
		e := &events[j]
		pos := event.Position{Source: "bench", Partition: int32(i % 12), Offset: int64(i)}
		e.Envelope = event.Envelope{ID: event.PositionID(pos, 0), Position: pos, Site: "plant-1", Received: start + int64(i)*100, TimeSource: event.TimeParsed}
		e.Time, e.SeverityID, e.StatusID = start+int64(i)*100, 1, 1
		switch i % 3 {
		case 0:
			e.ClassUID, e.ActivityID, e.IsMFA = event.ClassAuthentication, 1, event.True
			e.User = event.User{UID: fmt.Sprintf("00u%08d", i%5000), Name: fmt.Sprintf("user%d@plant.example", i%5000), FullName: "Some Person", TypeID: 1}
			e.SrcEndpoint = event.Endpoint{IP: fmt.Sprintf("203.0.%d.%d", i%200, i%251), Port: uint16(i)}
			e.Session.UID = fmt.Sprintf("sess-%d", i)
			e.Metadata.Product, e.Metadata.EventCode = "Okta", "user.session.start"
			e.Envelope.Format = "okta"
			e.Envelope.Raw = rawText(i, 1593)
		case 1:
			e.ClassUID, e.ActivityID = event.ClassNetwork, 6
			e.SrcEndpoint = event.Endpoint{IP: fmt.Sprintf("10.1.%d.%d", i%40, i%251), Port: uint16(i), MAC: fmt.Sprintf("02:00:5e:10:%02x:%02x", i%40, i%251), Zone: "cell-3"}
			e.DstEndpoint = event.Endpoint{IP: fmt.Sprintf("10.2.0.%d", i%60), Port: 502}
			e.AppProtocol, e.Connection.Protocol = "modbus", "tcp"
			e.Traffic = &event.Traffic{BytesIn: event.IntOf(int64(i % 9000)), BytesOut: event.IntOf(int64(i % 7000))}
			e.Metadata.Product = "Suricata"
			e.Envelope.Format = "suricata"
			e.Envelope.Raw = rawText(i, 738)
		default:
			e.ClassUID, e.ActivityID = event.ClassRobotState, 1
			e.Robot = &event.Robot{UID: fmt.Sprintf("acme/%04d", i%1000), Serial: fmt.Sprintf("sn%04d", i%1000), Fleet: "hall-2", ModeID: 1, Battery: event.FloatOf(0.5), MapUID: "hall-2-v7"}
			e.Envelope.Format = "vda5050"
			e.Envelope.Raw = rawText(i, 628)
		}
		e.FindEntities()
	}
	return events
}

func rawText(i, size int) []byte {
	b := fmt.Appendf(nil, `{"id":"%x","seq":%d,"severity":"INFO","outcome":{"result":"SUCCESS"},`, i*7919, i)
	for k := 0; len(b) < size-1; k++ {
		b = fmt.Appendf(b, `"attribute_%d":"value %d of %d",`, k, (i*31+k*17)%977, k)
	}
	return append(b[:size-1], '}')
}

func BenchmarkEncode(b *testing.B) {
	for _, n := range []int{5_000, 50_000} {
		b.Run(strconv.Itoa(n), func(b *testing.B) {
			events := mixed(0, n)
			enc, err := store.NewEncoder()
			must(b, err)
			b.ReportAllocs()
			var bytes int
			for b.Loop() {
				bytes, err = enc.Encode(events, event.BatchID{Epoch: 1, Number: 1})
				must(b, err)
			}
			b.ReportMetric(float64(b.N*n)/b.Elapsed().Seconds(), "events/s")
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*n), "ns/row")
			b.ReportMetric(float64(bytes)/float64(n), "B/row")
		})
	}
}

// hitsOf gives each event two hits, as the shipped rules do of everyday traffic in the mean.
func hitsOf(events []event.Event) []event.Hit {
	hits := make([]event.Hit, 0, 2*len(events))
	for i := range events {
		ref, key := event.RefOf(&events[i]), events[i].Entities[0].ID
		hits = append(hits,
			event.Hit{Rule: fmt.Sprint("rb-00", 10+i%40), Version: 2, Key: key, Vars: []string{key, "hall3"}, Ref: ref, Fields: []event.FieldValue{{Kind: event.KindString, Known: true, Str: fmt.Sprint("hall3/", i%8)}, {Kind: event.KindBool, Known: true}}},
			event.Hit{Rule: "rb-0140", Version: 1, Key: key, Vars: []string{key}, Ref: ref, Fields: []event.FieldValue{{Kind: event.KindInt, Known: true, Num: int64(i % 1000)}}})
	}
	return hits
}

// The engine's processor time includes the merges that happen meanwhile, and that all rows are in their tables.
func BenchmarkAppend(b *testing.B) {
	for _, x := range []struct {
		n        int
		how      string
		directly bool
		hits     bool
	}{
		{n: 400}, {n: 400, how: "-directly", directly: true}, {n: 3_000}, {n: 3_000, how: "-directly", directly: true}, {n: 3_000, how: "-hits", hits: true}, {n: 50_000}, {n: 50_000, how: "-hits", hits: true},
	} {
		n := x.n
		b.Run(strconv.Itoa(n)+x.how, func(b *testing.B) {
			p := startEngine(b, b.TempDir())
			defer p.Close()
			db, err := store.Open(b.Context(), config(p, "bench"), store.Settings{})
			must(b, err)
			defer db.Close()
			if x.directly {
				db.AppendDirectly()
			}
			batches := [][]event.Event{mixed(0, n), mixed(n, n), mixed(2*n, n)}
			var hits [3][]event.Hit
			for i := range hits {
				if x.hits {
					hits[i] = hitsOf(batches[i])
				}
			}
			number := uint64(0)
			before := processorTime(b, p.PID())
			var longest time.Duration
			for b.Loop() {
				number++
				began := time.Now()
				must(b, appendTo(b.Context(), db, &incident.Entry{Batch: &event.Batch{ID: event.BatchID{Epoch: 1, Number: number}, Events: batches[number%3]}, Hits: hits[number%3]}))
				longest = max(longest, time.Since(began))
			}
			for _, err := range db.Events(b.Context(), store.EventFilter{Limit: 1}) {
				must(b, err)
			}
			rows := float64(n) * float64(number)
			b.ReportMetric(rows/b.Elapsed().Seconds(), "events/s")
			b.ReportMetric(float64((processorTime(b, p.PID())-before).Microseconds())/rows, "engine-µs/row")
			b.ReportMetric(float64(longest.Milliseconds()), "longest-ms")
		})
	}
}

// BenchmarkEntity asks for what happened to one robot of a thousand in one hour of a day of a million events, and for other pages of the console.
func BenchmarkEntity(b *testing.B) {
	p := startEngine(b, b.TempDir())
	defer p.Close()
	db, err := store.Open(b.Context(), config(p, "bench"), store.Settings{})
	must(b, err)
	defer db.Close()
	const batches, size = 20, 50_000
	for n := range batches {
		events := mixed(n*size, size)
		for i := range events {
			events[i].Time = start + (events[i].Time-start)*432
		}
		must(b, appendTo(b.Context(), db, &incident.Entry{Batch: &event.Batch{ID: event.BatchID{Epoch: 1, Number: uint64(n + 1)}, Events: events}}))
	}
	var id event.ID
	for name, f := range map[string]store.EventFilter{
		"robot-in-an-hour":             {Entity: "robot:acme/0002", From: start + 3*3_600_000_000, To: start + 4*3_600_000_000},
		"robot-in-an-hour-without-raw": {Entity: "robot:acme/0002", From: start + 3*3_600_000_000, To: start + 4*3_600_000_000, NoRaw: true},
		"robot-latest-100":             {Entity: "robot:acme/0002", Limit: 100},
		"latest-100":                   {Limit: 100},
		"class-latest-100":             {Classes: []string{"authentication"}, Limit: 100},
	} {
		b.Run(name, func(b *testing.B) {
			rows := 0
			before := processorTime(b, p.PID())
			for b.Loop() {
				rows = 0
				for e, err := range db.Events(b.Context(), f) {
					must(b, err)
					id = e.Envelope.ID
					rows++
				}
			}
			b.ReportMetric(float64(rows), "rows")
			b.ReportMetric(float64((processorTime(b, p.PID())-before).Milliseconds())/float64(b.N), "engine-ms/op")
		})
	}
	b.Run("by-id", func(b *testing.B) {
		for b.Loop() {
			if _, found, err := db.Event(b.Context(), id); err != nil || !found {
				b.Fatal(found, err)
			}
		}
	})
}

// processorTime is user and system time of a process; 0 where there is no /proc.
func processorTime(b *testing.B, pid int) time.Duration {
	b.Helper()
	line, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return 0
	}
	fields := strings.Fields(string(line[strings.LastIndexByte(string(line), ')')+1:]))
	user, _ := strconv.Atoi(fields[11])
	system, _ := strconv.Atoi(fields[12])
	return time.Duration(user+system) * 10 * time.Millisecond
}
