package crash_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/tocsin-siem/tocsin/app"
	"github.com/tocsin-siem/tocsin/event"
	"github.com/tocsin-siem/tocsin/integration/broker"
	"github.com/tocsin-siem/tocsin/store"
)

func TestTopicsThatAreOdd(t *testing.T) {
	needEngine(t)
	b := broker.Start(t)
	program := build(t)
	t.Run("made anew stop the service until somebody accepts them, and then both are in the store", func(t *testing.T) { madeAnew(t, b, program) })
	t.Run("with records nobody can read cost one reject each, here and in the dead-letter topic", func(t *testing.T) { poisoned(t, b) })
	t.Run("read with a wrong format are decoded again after the fix", func(t *testing.T) { decodedAgain(t, b, program) })
}

// build makes the program, for the commands that people use.
func build(t *testing.T) string {
	t.Helper()
	program := filepath.Join(tempDir(t), "tocsin")
	if said, err := exec.CommandContext(t.Context(), "go", "build", "-o", program, "../../cmd/tocsin").CombinedOutput(); err != nil {
		t.Fatalf("build tocsin: %v\n%s", err, said)
	}
	return program
}

// command runs the program on the site's configuration and gives all it says; code is the exit code it must have.
func (o *site) command(program string, code int, arguments ...string) string {
	o.t.Helper()
	ctx, cancel := context.WithTimeout(o.t.Context(), patience)
	defer cancel()
	cmd := exec.CommandContext(ctx, program, append(arguments, "--config", o.config)...)
	said, err := cmd.CombinedOutput()
	if cmd.ProcessState == nil || cmd.ProcessState.ExitCode() != code {
		o.t.Fatalf("tocsin %s: %v, want exit code %d\n%s", strings.Join(arguments, " "), err, code, said)
	}
	o.t.Logf("tocsin %s: %s", strings.Join(arguments, " "), bytes.TrimSpace(said))
	return string(said)
}

// positions are where the events of a trace stand.
func positions(tr trace) (out []string) {
	for _, e := range tr.Events {
		out = append(out, e[:strings.LastIndex(e, " ")])
	}
	slices.Sort(out)
	return out
}

func at(source string, from, to int64) (out []string) {
	for n := from; n < to; n++ {
		out = append(out, fmt.Sprintf("%+v", event.Position{Source: source, Offset: n}))
	}
	return out
}

func madeAnew(t *testing.T, b *broker.Broker, program string) {
	o := newSite(t, b, "anew", "")
	o.source("doors", "openssh")
	name := topic("anew", "doors")
	b.CreateTopic(name, 1, nil)
	o.start()
	o.say(franz(t, b), "doors", visitors(0, 20, 0)...)
	o.heard("doors")
	b.DeleteTopic(name)
	b.CreateTopic(name, 1, nil)
	o.say(franz(t, b), "doors", visitors(20, 45, 100)...) // More than the old one had: its end tells nothing.
	for again := range 2 {
		if again > 0 { // It is not forgotten by ending.
			o.svc, _ = launch(t, o.config, o.ahead)
		}
		err := o.svc.ended(t)
		log := o.svc.log.String()
		for _, said := range []string{"source doors: topic anew.doors", "was deleted and made again", "read up to offset 20", "tocsin topics accept doors"} {
			if err == nil || !strings.Contains(log, said) {
				t.Errorf("the service ended with %v and does not say %q:\n%s", err, said, log)
			}
		}
	}
	o.command(program, 0, "topics", "accept", "doors", "--reason", "a test")
	read := func(to int64) {
		t.Helper()
		eventually(t, func() bool { return o.readTo("doors#1", 0) == to }, func() string {
			return fmt.Sprintf("the new topic is read to %d; it is read to %d\n%s", to, o.readTo("doors#1", 0), o.svc.stuck(t))
		})
	}
	o.svc = start(t, o.config, o.ahead)
	read(25)
	o.say(franz(t, b), "doors", visitors(45, 50, 200)...)
	read(30)
	o.svc.kill() // That it was accepted outlives the service.
	o.svc = start(t, o.config, o.ahead)
	o.say(franz(t, b), "doors", visitors(50, 51, 300)...)
	read(31)
	o.svc.interrupt(t)
	got := o.trace()
	want := slices.Concat(at("doors", 0, 20), at("doors#1", 0, 31))
	slices.Sort(want)
	if diff := cmp.Diff(want, positions(got)); diff != "" {
		t.Errorf("events (-sent +stored):\n%s", diff)
	}
	if len(got.Groups) != 51 {
		t.Errorf("%d incidents of 51 visitors", len(got.Groups))
	}
}

// segment is where the only segment of a topic's first partition lies on the broker's disk.
func segment(t *testing.T, b *broker.Broker, name string) string {
	t.Helper()
	line, err := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", b.PID()))
	must(t, err)
	words := strings.Split(strings.Trim(string(line), "\x00"), "\x00") // The last one is the path of its properties.
	found, err := filepath.Glob(filepath.Join(filepath.Dir(words[len(words)-1]), "data", name+"-0", "*.log"))
	must(t, err)
	if len(found) != 1 {
		t.Fatalf("the partition has %d segments", len(found))
	}
	return found[0]
}

// damage changes a byte in the last batch of a segment.
func damage(t *testing.T, path string) {
	t.Helper()
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	must(t, err)
	defer f.Close()
	size, err := f.Seek(0, io.SeekEnd)
	must(t, err)
	one := make([]byte, 1)
	_, err = f.ReadAt(one, size-2)
	must(t, err)
	one[0] ^= 0x55
	_, err = f.WriteAt(one, size-2)
	must(t, err)
}

func poisoned(t *testing.T, b *broker.Broker) {
	o := newSite(t, b, "poison", "")
	o.source("doors", "openssh")
	o.cfg.Kafka.Batch = 16 << 20
	o.cfg.Kafka.DeadLetter = "poison.letters"
	name := topic("poison", "doors")
	b.CreateTopic(name, 1, nil)
	b.CreateTopic("poison.letters", 1, map[string]string{"max.message.bytes": "20971520"})
	o.start()
	client := franz(t, b, kgo.ProducerBatchMaxBytes(40<<20), kgo.ProducerBatchCompression(kgo.GzipCompression()))
	o.say(client, "doors", visitors(0, 10, 0)...)
	o.heard("doors")
	undecodable := &kgo.Record{Key: []byte{0, 1}, Value: []byte("no such line \xff\x00"), Headers: []kgo.RecordHeader{{Key: "mqtt-topic", Value: []byte("a/b")}, {Key: "empty"}}}
	o.say(client, "doors", undecodable)
	o.say(client, "doors", visitors(10, 20, 10)...)
	o.say(client, "doors", &kgo.Record{Value: bytes.Repeat([]byte("too large "), 2<<20)}) // 20 MiB in a batch of a few KiB.
	o.say(client, "doors", visitors(20, 30, 20)...)
	o.heard("doors")
	o.svc.interrupt(t) // So that nobody has read the next record before it is damaged.
	o.say(client, "doors", visitors(90, 91, 25)...)
	disk := segment(t, b, name)
	damage(t, disk)
	o.say(client, "doors", visitors(30, 40, 30)...)
	o.start()
	o.heard("doors")
	o.svc.interrupt(t)
	got := o.trace()
	want := slices.Concat(at("doors", 0, 10), at("doors", 11, 21), at("doors", 22, 32), at("doors", 33, 43))
	slices.Sort(want)
	if diff := cmp.Diff(want, positions(got)); diff != "" {
		t.Errorf("events (-sent +stored):\n%s", diff)
	}
	rejects := o.rejects()
	if len(rejects) != 3 || rejects[0].Position.Offset != 10 || rejects[1].Position.Offset != 21 || rejects[2].Position.Offset != 32 {
		t.Fatalf("%d rejects, want one at 10, 21 and 32 each: %+v", len(rejects), rejects)
	}
	letters := letters(t, b, "poison.letters")
	if len(letters) != 3 {
		t.Fatalf("%d dead letters, want 3", len(letters))
	}
	onDisk, err := os.ReadFile(disk)
	must(t, err)
	for i, l := range letters {
		r := rejects[i]
		t.Logf("reject at %d: %s: %s; %d bytes", r.Position.Offset, r.Code, r.Reason, len(r.Raw))
		came := []kgo.RecordHeader{}
		switch {
		case i == 0:
			came = undecodable.Headers
			if !bytes.Equal(l.Value, undecodable.Value) || !bytes.Equal(l.Key, undecodable.Key) || !bytes.Equal(r.Raw, l.Value) || !bytes.Equal(r.Key, l.Key) || len(r.Headers) != len(came) {
				t.Errorf("%q: %q became the letter %q: %q and the reject %q: %q, headers %q", undecodable.Key, undecodable.Value, l.Key, l.Value, r.Key, r.Raw, r.Headers)
			}
		case !bytes.Equal(l.Value, r.Raw) || !bytes.Contains(onDisk, l.Value) || len(l.Value) < 61:
			t.Errorf("letter %d is no batch as it lies on the broker's disk, or not the reject: %d and %d bytes", i, len(l.Value), len(r.Raw))
		}
		if diff := cmp.Diff(came, l.Headers[:min(len(came), len(l.Headers))]); diff != "" {
			t.Errorf("letter %d: headers (-came +sent on):\n%s", i, diff)
		}
		ours := map[string]string{}
		for _, h := range l.Headers[len(came):] {
			ours[h.Key] = string(h.Value)
		}
		if ours["tocsin-code"] != r.Code || ours["tocsin-reason"] != r.Reason || ours["tocsin-source"] != "doors" || ours["tocsin-offset"] != fmt.Sprint(r.Position.Offset) {
			t.Errorf("letter %d says %q of %s: %s", i, ours, r.Code, r.Reason)
		}
	}
}

// rejects are those in the store, by position.
func (o *site) rejects() (out []event.Reject) {
	t := o.t
	t.Helper()
	db, err := app.OpenDatabase(t.Context(), o.cfg, discard, nil, nil)
	must(t, err)
	defer func() { must(t, db.Close()) }()
	for r, err := range db.Rejects(t.Context(), store.RejectFilter{}) {
		must(t, err)
		out = append(out, r)
	}
	slices.SortFunc(out, func(a, b event.Reject) int { return int(a.Position.Offset - b.Position.Offset) })
	return out
}

// letters reads a topic of one partition to its end.
func letters(t *testing.T, b *broker.Broker, name string) (out []*kgo.Record) {
	t.Helper()
	n := ends(t, b, name)[0]
	client := franz(t, b, kgo.ConsumePartitions(map[string]map[int32]kgo.Offset{name: {0: kgo.NewOffset().AtStart()}}), kgo.FetchMaxBytes(64<<20), kgo.FetchMaxPartitionBytes(32<<20))
	defer client.Close()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	for int64(len(out)) < n {
		fetches := client.PollFetches(ctx)
		must(t, fetches.Err())
		out = append(out, fetches.Records()...)
	}
	return out
}

func decodedAgain(t *testing.T, b *broker.Broker, program string) {
	o := newSite(t, b, "again", "")
	o.cfg.Console.Listen = broker.FreeAddress(t) // So that commands find it.
	o.source("doors", "zeek")
	b.CreateTopic(topic("again", "doors"), 1, nil)
	o.start()
	client := franz(t, b)
	o.say(client, "doors", visitors(0, 20, 0)...)
	o.say(client, "doors", &kgo.Record{Value: []byte("nothing that any format knows")})
	o.heard("doors")
	o.svc.interrupt(t)
	o.cfg.Sources[0].Format = "openssh"
	o.start()
	o.say(client, "doors", visitors(20, 21, 100)...)
	o.heard("doors")
	o.command(program, 3, "rejects", "replay", "--source", "doors", "--dry-run")
	if said := o.command(program, 3, "rejects", "replay", "--source", "doors"); !strings.Contains(said, "20 rejects became 20 events; still a reject: 1") {
		t.Error("the command does not say what became of them")
	}
	if said := o.command(program, 3, "rejects", "replay", "--source", "doors"); !strings.Contains(said, "0 rejects became 0 events; still a reject: 1") {
		t.Error("a repeat is not told as such")
	}
	o.svc.kill()
	o.svc = start(t, o.config, o.ahead)
	o.svc.interrupt(t)
	got := o.trace()
	want := slices.Concat(at("doors", 0, 20), at("doors", 21, 22))
	slices.Sort(want)
	if diff := cmp.Diff(want, positions(got)); diff != "" {
		t.Errorf("events (-sent +stored):\n%s", diff)
	}
	if len(got.Rejects) != 1 || len(got.Groups) != 21 {
		t.Errorf("%d incidents of 21 visitors; %d rejects are left, want the one that is none: %v", len(got.Groups), len(got.Rejects), got.Rejects)
	}
}
