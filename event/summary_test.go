package event_test

import (
	"math/rand/v2"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	"github.com/tocsin-siem/tocsin/event"
)

func TestSummarySaysWhatHappened(t *testing.T) {
	signIn := event.Event{ClassUID: event.ClassAuthentication, ActivityID: 1, StatusID: 2, StatusDetail: "bad password"}
	signIn.User.Email = "ana@example.com"
	signIn.Service.Name = "fleet console"
	signIn.SrcEndpoint.IP = "192.0.2.7"
	signIn.SrcEndpoint.Extend().Location.Country = "BR"
	prompt := func(status uint8, detail string) *event.Event {
		e := signIn
		e.ActivityID, e.Activity, e.StatusID, e.StatusDetail, e.AuthFactor.TypeID = event.ActivityOther, event.MFAChallenge, status, detail, 5
		return &e
	}
	disguised := signIn
	disguised.User = event.User{Name: "root from 10.0.0.1"}
	hostile := event.Event{ClassUID: event.ClassDNS, ActivityID: 1, DNS: &event.DNS{Query: event.DNSQuery{Hostname: "a\u202eb\nc" + strings.Repeat("x", 300)}}}
	for want, e := range map[string]*event.Event{
		"ana@example.com failed to sign in to fleet console from 192.0.2.7 (BR): bad password":                        &signIn,
		`"root from 10.0.0.1" failed to sign in to fleet console from 192.0.2.7 (BR): bad password`:                   &disguised,
		"ana@example.com refused a push prompt for fleet console from 192.0.2.7 (BR)":                                 prompt(2, "Push rejected by the user"),
		"ana@example.com approved a push prompt for fleet console from 192.0.2.7 (BR)":                                prompt(1, "ok"),
		"ana@example.com did not approve a push prompt for fleet console from 192.0.2.7 (BR): MFA denied; fraud code": prompt(2, "MFA denied; fraud code"),
		"A host asked DNS for a b c" + strings.Repeat("x", 75) + "…":                                                  &hostile,
	} {
		if got := e.Summary(); got != want {
			t.Errorf("got  %q\nwant %q", got, want)
		}
	}
}

func TestSummaryOfNetworkAccessNamesTheRuleAndTheVLAN(t *testing.T) {
	e := event.Event{ClassUID: event.ClassAuthentication, ActivityID: 1, StatusID: 1, AuthProtocolID: 9, StatusDetail: "Cell_VLAN", Policy: &event.Policy{Name: "Exception"}}
	e.User.Name, e.SrcEndpoint.MAC, e.SrcEndpoint.VLAN, e.Metadata.Product, e.Service.Name = "ana", "00:00:5e:00:53:01", "20", "Gate", "Default Network Access"
	check(t, &e, "ana was let onto VLAN 20 by rule Exception (Gate) from MAC 00:00:5e:00:53:01")
	e.StatusID, e.StatusDetail = 2, "unknown identity"
	check(t, &e, "ana was refused network access by rule Exception (Gate) from MAC 00:00:5e:00:53:01: unknown identity")
	e.User.Name, e.AuthProtocolID, e.AuthProtocol, e.StatusID = "00-00-5E-00-53-01", 0, "MAB", 1
	check(t, &e, "Device 00:00:5e:00:53:01 was let onto VLAN 20 by rule Exception (Gate)")
}

func TestSummaryOfAnInventoryTellsThePosture(t *testing.T) {
	const day = 24 * 3600 * 1_000_000
	e := event.Event{ClassUID: event.ClassInventory, ActivityID: 2, Time: 20 * day, Policy: &event.Policy{Name: "sensor", IsApplied: event.False}}
	e.Device = event.Device{Hostname: "lt-1", LastSeen: 10*day + 5, Managed: event.True, Compliant: event.False}
	e.Device.Extend().OS, e.Device.More.OSVersion = "Windows", "Windows 11"
	check(t, &e, "Endpoint record of lt-1: last seen 9 days before, sensor policy not applied, not compliant, managed, Windows 11")
	e.Device.LastSeen, e.Policy = 20*day-3600*1_000_000, nil
	check(t, &e, "Endpoint record of lt-1: last seen 1 hour before, not compliant, managed, Windows 11")
	e.Device = event.Device{Hostname: "lt-1"}
	check(t, &e, "Endpoint record of lt-1")
}

func TestSummaryOfAConnectionSaysHowItWentAndHowMuch(t *testing.T) {
	e := event.Event{ClassUID: event.ClassNetwork, ActivityID: 6, AppProtocol: "ssh", Traffic: &event.Traffic{BytesOut: event.IntOf(48211), BytesIn: event.IntOf(1)}}
	e.SrcEndpoint.IP, e.DstEndpoint.IP, e.DstEndpoint.Port = "192.0.2.1", "192.0.2.2", 22
	check(t, &e, "ssh from 192.0.2.1 to 192.0.2.2 port 22, 48 kB sent, 1 byte received")
	for sent, want := range map[int64]string{999: "999 bytes", 1000: "1 kB", 2500: "2.5 kB", 94371840: "94.4 MB", 999_999_999: "1 GB", 1 << 62: "4.6 EB"} {
		e.Traffic = &event.Traffic{BytesOut: event.IntOf(sent)}
		check(t, &e, "ssh from 192.0.2.1 to 192.0.2.2 port 22, "+want+" sent")
	}
	e.ActivityID, e.Traffic = 5, nil
	check(t, &e, "ssh from 192.0.2.1 to 192.0.2.2 port 22, refused")
}

func TestSummaryOfARobotTellsWhatItDid(t *testing.T) {
	state := func(activity uint16, r event.Robot, f *event.Fault) *event.Event {
		r.Name = "amr-7"
		return &event.Event{ClassUID: event.ClassRobotState, ActivityID: activity, Robot: &r, Fault: f}
	}
	for want, e := range map[string]*event.Event{
		"amr-7 changed operating mode from Automatic to Manual":      state(1, event.Robot{ModeID: 3, PrevModeID: 1}, nil),
		"amr-7 went into emergency stop":                             state(2, event.Robot{SafetyStateID: 6}, nil),
		"amr-7 left emergency stop, safety Normal":                   state(3, event.Robot{SafetyStateID: 1}, nil),
		"amr-7 went into protective stop: off the path":              state(4, event.Robot{SafetyStateID: 3}, &event.Fault{Code: "C1", Desc: "Protective stop: off the path"}),
		"amr-7 changed its safety configuration, checksum 7A1B":      state(5, event.Robot{SafetyChecksum: "7A1B"}, nil),
		"amr-7 lost its connection":                                  state(6, event.Robot{ConnectionID: 3}, nil),
		"amr-7 reported fault C204A3: encoder":                       state(7, event.Robot{}, &event.Fault{Code: "C204A3", Desc: "encoder"}),
		"amr-7 reports mode Manual, safety Normal, program weld.urp": state(9, event.Robot{ModeID: 3, SafetyStateID: 1, ProgramUID: "weld.urp"}, nil),
		"amr-7 reports its state":                                    state(9, event.Robot{}, nil),
		"amr-7 changed safety state to Reduced":                      state(11, event.Robot{SafetyStateID: 2}, nil),
	} {
		check(t, e, want)
	}
}

func TestSummaryOfACommandSaysWhoDidWhatToTheRobot(t *testing.T) {
	order := func(activity uint16, from string, r event.Robot, c event.Command) *event.Event {
		r.Name = "amr-7"
		e := &event.Event{ClassUID: event.ClassRobotControl, ActivityID: activity, Robot: &r, Command: &c}
		e.SrcEndpoint.IP = from
		return e
	}
	denied := order(13, "192.0.2.1", event.Robot{}, event.Command{})
	denied.StatusID, denied.ActionID, denied.StatusCode = 2, 2, "DENIED"
	for want, e := range map[string]*event.Event{
		"192.0.2.1 changed the operating mode of amr-7 (set operational mode)":           order(12, "192.0.2.1", event.Robot{}, event.Command{Name: "set operational mode"}),
		"192.0.2.1 changed the operating mode of amr-7 to Manual (set operational mode)": order(12, "192.0.2.1", event.Robot{ModeID: 3}, event.Command{Name: "set operational mode"}),
		"192.0.2.1 changed the control authority over amr-7 (grant)":                     order(12, "192.0.2.1", event.Robot{}, event.Command{Name: "GRANT"}),
		"192.0.2.1 loaded program weld.urp on amr-7":                                     order(4, "192.0.2.1", event.Robot{}, event.Command{Name: "load", ProgramUID: "weld.urp"}),
		"192.0.2.1 started the program on amr-7":                                         order(5, "192.0.2.1", event.Robot{}, event.Command{Name: "play"}),
		"Program weld.urp on amr-7 was stopped":                                          order(6, "", event.Robot{ProgramUID: "weld.urp"}, event.Command{}),
		"A firmware update to amr-7 was sent, link https://x.example/fw":                 order(18, "", event.Robot{}, event.Command{Name: "updateFirmware", URL: "https://x.example/fw"}),
		"192.0.2.1 changed a parameter of amr-7 (max_velocity)":                          order(8, "192.0.2.1", event.Robot{}, event.Command{Name: "max_velocity"}),
		"192.0.2.1 cleared a safety stop of amr-7 (unlock protective stop)":              order(16, "192.0.2.1", event.Robot{}, event.Command{Name: "unlock protective stop"}),
		"192.0.2.1 attempted a pairing with amr-7, but was denied":                       denied,
	} {
		check(t, e, want)
	}
}

func check(t *testing.T, e *event.Event, want string) {
	t.Helper()
	if got := e.Summary(); got != want {
		t.Errorf("got  %q\nwant %q", got, want)
	}
}

func TestSummaryOfAnyEventIsOneShortPrintableLine(t *testing.T) {
	seed := rand.Uint64()
	r := rand.New(rand.NewPCG(seed, 2))
	classes := []uint32{0, 1001, 1007, 2002, 2003, 2004, 3001, 3002, 3003, 3004, 3005, 3006, 4001, 4002, 4003, 4004, 4007, 5001, 5019, 6002, 6003, 6008, 99906001, 99908001, 99908002, 99908003}
	for i := range 500 {
		e := fill(r)
		e.ClassUID, e.ActivityID = classes[i%len(classes)], uint16(r.IntN(8))
		if s := e.Summary(); s == "" || utf8.RuneCountInString(s) > 160 || strings.ContainsFunc(s, unicode.IsControl) {
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
