package ingest

import (
	"bytes"
	"strconv"
	"testing"

	"github.com/tocsin-siem/tocsin/event"
)

// part reads key/index/total/body.
func part(r *event.Record) (key string, index, total int, body []byte, ok bool) {
	f := bytes.SplitN(r.Value, []byte("/"), 4)
	if len(f) != 4 {
		return "", 0, 0, nil, false
	}
	index, _ = strconv.Atoi(string(f[1]))
	total, _ = strconv.Atoi(string(f[2]))
	return string(f[0]), index, total, f[3], true
}

func records(values ...string) []event.Record {
	var out []event.Record
	for i, v := range values {
		out = append(out, event.Record{Value: []byte(v), Position: event.Position{Offset: int64(i)}, Received: int64(i)})
	}
	return out
}

func values(rs []event.Record) string {
	s := ""
	for _, r := range rs {
		s += string(r.Value)
		if r.Partial {
			s += "(partial)"
		}
		s += " "
	}
	return s
}

func TestSegmentsJoinInOrderWhereverTheyArrive(t *testing.T) {
	j := &joiner{segment: part}
	got := j.join(records("plain", "m/1/2/B", "n/0/2/x", "m/0/2/A", "n/0/2/x", "n/1/2/y"), 0)
	if want := "plain m/0/2/AB n/0/2/xy "; values(got) != want {
		t.Errorf("got %q, want %q", values(got), want)
	}
	if len(j.carry(nil)) != 0 {
		t.Error("something still waits")
	}
}

func TestSegmentsThatNeverComeAreGivenUpMarkedPartial(t *testing.T) {
	j := &joiner{segment: part}
	j.join(records("m/0/3/A", "m/2/3/C"), 0)
	if got := j.expire(nil, segmentPatience, false); len(got) != 0 {
		t.Errorf("given up early: %q", values(got))
	}
	if got := values(j.expire(nil, segmentPatience+1, false)); got != "m/0/3/AC(partial) " {
		t.Errorf("got %q", got)
	}
}

func TestWaitingSegmentsSurviveARestart(t *testing.T) {
	before := &joiner{segment: part}
	before.join(records("m/0/2/A"), 0)
	after := &joiner{segment: part}
	after.join(before.carry(nil), 0)
	if got := values(after.join(records("m/1/2/B"), 0)); got != "m/0/2/AB " {
		t.Errorf("got %q", got)
	}
}

func TestAPartitionIsCommittedUpToItsFirstUnfinishedMessageOnly(t *testing.T) {
	in := &input{Input: Input{Name: "k"}, partitioned: true, join: &joiner{segment: part}}
	whole := []event.End{{Source: "k", Partition: 0, Offset: 9}, {Source: "k", Partition: 1, Offset: 9}}
	open := []event.Record{{Position: event.Position{Source: "k", Partition: 1, Offset: 7}}, {Position: event.Position{Source: "k", Partition: 1, Offset: 4}}}
	got := in.settled(whole, open)
	if got[0].Offset != 9 || got[1].Offset != 4 {
		t.Errorf("committed %v, want partition 0 to 9 and partition 1 to 4", got)
	}
	if whole[1].Offset != 9 {
		t.Error("the batch's own ends have changed")
	}
}
