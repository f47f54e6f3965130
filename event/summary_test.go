package event_test

import (
	"math/rand/v2"
	"strings"
	"testing"
	"unicode"

	"github.com/google/go-cmp/cmp"

	"github.com/tocsin-siem/tocsin/event"
)

func TestSummarySaysWhatHappened(t *testing.T) {
	signIn := event.Event{ClassUID: event.ClassAuthentication, ActivityID: 1, StatusID: 2, StatusDetail: "bad password"}
	signIn.User.Email = "ana@example.com"
	signIn.Service.Name = "fleet console"
	signIn.SrcEndpoint.IP = "192.0.2.7"
	signIn.SrcEndpoint.Extend().Location.Country = "BR"
	mode := event.Event{ClassUID: event.ClassRobotState, ActivityID: 1, Robot: &event.Robot{Name: "amr-7", ModeID: 3, PrevModeID: 1}}
	hostile := event.Event{ClassUID: event.ClassDNS, ActivityID: 1, DNS: &event.DNS{Query: event.DNSQuery{Hostname: "a\u202eb\nc" + strings.Repeat("x", 300)}}}
	for want, e := range map[string]*event.Event{
		"ana@example.com failed to sign in to fleet console from 192.0.2.7 (BR) because of bad password": &signIn,
		"Robot amr-7 reported mode change mode Manual was Automatic":                                     &mode,
		"A host asked DNS for a b c" + strings.Repeat("x", 75) + "…":                                     &hostile,
	} {
		if got := e.Summary(); got != want {
			t.Errorf("got  %q\nwant %q", got, want)
		}
	}
}

func TestSummaryOfAnyEventIsOneShortPrintableLine(t *testing.T) {
	seed := rand.Uint64()
	r := rand.New(rand.NewPCG(seed, 2))
	classes := []uint32{0, 1001, 1007, 2002, 2003, 2004, 3001, 3002, 3003, 3004, 3005, 3006, 4001, 4002, 4003, 4004, 4007, 5001, 5019, 6002, 6003, 6008, 99906001, 99908001, 99908002, 99908003}
	for i := range 500 {
		e := fill(r)
		e.ClassUID, e.ActivityID = classes[i%len(classes)], uint16(r.IntN(8))
		if s := e.Summary(); s == "" || len(s) > 1500 || strings.ContainsFunc(s, unicode.IsControl) {
			t.Fatalf("seed %d: class %d: %q", seed, e.ClassUID, s)
		}
	}
}

func TestRefSharesNoMemoryWithTheEvent(t *testing.T) {
	buf := []byte("robot-17")
	e := &event.Event{ClassUID: event.ClassRobotState, Time: 5, Robot: &event.Robot{UID: string(buf)}}
	e.Envelope.Position = event.Position{Source: "s", Partition: 1, Offset: 255}
	e.FindEntities()
	r := event.RefOf(e)
	if d := cmp.Diff(e.Entities, r.Entities); d != "" {
		t.Error(d)
	}
	next := *e
	next.Envelope.Position.Offset = 256
	if later := event.RefOf(&next); later.Sequence <= r.Sequence {
		t.Errorf("offset 256 does not come after 255: %q, %q", r.Sequence, later.Sequence)
	}
	if r.Domain != event.DomainRobot {
		t.Errorf("domain is %q", r.Domain)
	}
}
