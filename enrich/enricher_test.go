package enrich_test

import (
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/tocsin-siem/tocsin/enrich"
	"github.com/tocsin-siem/tocsin/event"
)

// marcs is the burnt-in address of lt-marc in the example inventory, stranger one that no inventory knows.
const (
	marcs    = "00:00:5e:00:53:85"
	stranger = "00:00:5e:00:53:f0"
)

func enricher(t testing.TB) *enrich.Enricher {
	t.Helper()
	tables := plant(t)
	return enrich.New(func() *enrich.Tables { return tables }, nil, newBindings())
}

// conn is a flow as a network sensor sees it: addresses and nothing else.
func conn(when int64, src, dst string) event.Event {
	e := event.Event{ClassUID: event.ClassNetwork, ActivityID: 6, Time: when}
	e.SrcEndpoint.IP, e.DstEndpoint.IP = src, dst
	e.FindEntities()
	return e
}

func lease(when int64, ip, mac string, seconds int32) event.Event {
	e := event.Event{ClassUID: event.ClassDHCP, ActivityID: 5, Time: when, LeaseDur: seconds}
	e.SrcEndpoint.IP, e.SrcEndpoint.MAC = ip, mac
	e.FindEntities()
	return e
}

// admitted is a NAC decision: status 1 success, 2 failure; activity 1 logon, 2 logoff.
func admitted(when int64, ip, mac, user, session string, activity uint16, status uint8) event.Event {
	e := event.Event{ClassUID: event.ClassAuthentication, ActivityID: activity, StatusID: status, AuthProtocolID: 9, Time: when}
	e.SrcEndpoint.IP, e.SrcEndpoint.MAC, e.User.Name, e.Session.UID = ip, mac, user, session
	e.FindEntities()
	return e
}

func checkIn(when int64, uid, ip, mac, owner string) event.Event {
	e := event.Event{ClassUID: event.ClassInventory, ActivityID: 2, Time: when}
	e.Device.UID, e.Device.IP, e.Device.MAC = uid, ip, mac
	e.Device.Extend().Owner = owner
	e.FindEntities()
	return e
}

// run enriches each event as a batch of its own and gives the last one back.
func run(x *enrich.Enricher, events ...event.Event) *event.Event {
	for i := range events {
		x.Enrich(events[i:i+1], nil)
	}
	return &events[len(events)-1]
}

func refs(e *event.Event) []string {
	var out []string
	for _, r := range e.Entities {
		out = append(out, fmt.Sprintf("%s %s %s %s", r.Role, r.Kind, r.Strength, r.ID))
	}
	return out
}

func want(t *testing.T, e *event.Event, lines ...string) {
	t.Helper()
	if d := cmp.Diff(lines, refs(e)); d != "" {
		t.Error(d)
	}
}

func TestAFlowToAFixedAddressNamesTheRobot(t *testing.T) {
	e := run(enricher(t), conn(start, "10.30.5.2", "10.20.3.7"))
	want(t, e,
		"source ip weak ip:10.30.5.2",
		"destination ip weak ip:10.20.3.7",
		"source device medium device:eng-ws-02",
		"destination robot medium robot:amr-07")
	d := e.DstEndpoint
	if d.Asset != "robot:amr-07" || d.Kind != "amr" || d.Critical != 3 || d.Zone != "robots" || d.Purdue != event.FloatOf(2) {
		t.Errorf("destination is %+v", d)
	}
	if e.SrcEndpoint.Zone != "ot" || e.SrcEndpoint.Asset != "device:eng-ws-02" {
		t.Errorf("source is %+v", e.SrcEndpoint)
	}
	if got := e.PrimaryEntity(event.EntityRobot, event.RoleNone); got != "robot:amr-07" {
		t.Errorf("robot is %q", got)
	}
}

func TestTheLaptopBehindAnAddressIsThatOfTheEventsTime(t *testing.T) {
	x := enricher(t)
	run(x,
		admitted(start, "10.20.9.9", marcs, "mdupont", "s1", 1, 1),
		admitted(start+2*hour, "10.20.9.9", "00:00:5e:00:53:81", "asilva", "s2", 1, 1))
	for _, c := range []struct {
		when int64
		want []string
	}{
		{start - 1, nil},
		{start + hour, []string{"source device medium device:lt-marc", "source user weak user:marc.dupont"}},
		{start + 3*hour, []string{"source device medium device:lt-ana", "source user weak user:ana.silva"}},
		{start + 30*hour, nil},
	} {
		e := run(x, conn(c.when, "10.20.9.9", "192.0.2.1"))
		if d := cmp.Diff(c.want, refs(e)[2:], cmp.Transformer("nil", func(s []string) []string { return append([]string{}, s...) })); d != "" {
			t.Errorf("at %d: %s", c.when-start, d)
		}
	}
}

func TestAStopAndARefusalLeaveTheAddressToNobody(t *testing.T) {
	x := enricher(t)
	e := run(x,
		admitted(start, "10.20.9.9", marcs, "mdupont", "s1", 1, 1),
		admitted(start+minute, "10.20.9.9", marcs, "mdupont", "s1", 2, 1),
		conn(start+2*minute, "10.20.9.9", "192.0.2.1"))
	want(t, e, "source ip weak ip:10.20.9.9", "destination ip weak ip:192.0.2.1")
	e = run(x, admitted(start+3*minute, "10.20.9.8", marcs, "mdupont", "s2", 1, 2), conn(start+4*minute, "10.20.9.8", "192.0.2.1"))
	want(t, e, "source ip weak ip:10.20.9.8", "destination ip weak ip:192.0.2.1")
}

func TestRADIUSAccountingBindsFromStartToStop(t *testing.T) {
	x := enricher(t)
	record := func(when int64, code string, activity uint16) event.Event {
		e := admitted(when, "10.20.9.9", marcs, "mdupont", "r1", activity, 0)
		e.AuthProtocolID, e.Metadata.LogName, e.Metadata.EventCode = 10, "accounting", code
		return e
	}
	run(x, record(start, "Start", 1), record(start+hour, "Stop", 2))
	if got, source := x.Bindings().Resolve(enrich.IPToMAC, "10.20.9.9", start+minute); got != "mac:"+marcs || source != enrich.SourceRADIUS {
		t.Errorf("during the session: %q from %v", got, source)
	}
	if got, _ := x.Bindings().Resolve(enrich.IPToMAC, "10.20.9.9", start+hour); got != "" {
		t.Errorf("after the session: %q", got)
	}
}

func TestALeaseTiesTheAddressToTheHardwareAndThatToTheAsset(t *testing.T) {
	x := enricher(t)
	release := lease(start+2*hour, "10.10.7.7", marcs, 0)
	release.ActivityID = 7
	e := run(x, lease(start, "10.10.7.7", marcs, 3600), conn(start+minute, "10.10.7.7", "192.0.2.1"))
	want(t, e, "source ip weak ip:10.10.7.7", "destination ip weak ip:192.0.2.1", "source device medium device:lt-marc")
	e = run(x, conn(start+hour, "10.10.7.7", "192.0.2.1"))
	want(t, e, "source ip weak ip:10.10.7.7", "destination ip weak ip:192.0.2.1")
	e = run(x, lease(start+hour, "10.10.7.7", marcs, 7200), release, conn(start+3*hour-minute, "10.10.7.7", "192.0.2.1"))
	want(t, e, "source ip weak ip:10.10.7.7", "destination ip weak ip:192.0.2.1")
}

func TestHardwareNobodyKnowsIsNamedByItsAddress(t *testing.T) {
	e := run(enricher(t), lease(start, "10.50.7.7", stranger, 3600), conn(start+minute, "10.50.7.7", "192.0.2.1"))
	want(t, e, "source ip weak ip:10.50.7.7", "destination ip weak ip:192.0.2.1", "source mac medium mac:"+stranger)
}

func TestSomebodyElsesHardwareAtTheRobotsAddressIsNotTheRobot(t *testing.T) {
	x := enricher(t)
	e := lease(start, "10.20.3.7", stranger, 3600)
	e.SrcEndpoint.Hostname = "amr-07" // and it claims the robot's name
	e.Entities = nil
	e.FindEntities()
	got := run(x, e)
	for _, r := range got.Entities {
		if r.ID == "robot:amr-07" {
			t.Errorf("the lease names the robot: %+v", r)
		}
	}
	flow := []event.Event{conn(start+minute, "10.20.3.7", "192.0.2.1")}
	stats := x.Enrich(flow, nil)
	want(t, &flow[0], "source ip weak ip:10.20.3.7", "destination ip weak ip:192.0.2.1", "source mac medium mac:"+stranger)
	if stats.Addresses.Conflict != 1 {
		t.Errorf("%d conflicts counted, want 1", stats.Addresses.Conflict)
	}
}

func TestAManagedDeviceIsKnownByItsAgentAndItsOwnerWeakly(t *testing.T) {
	x := enricher(t)
	e := run(x, checkIn(start, "edr-77", "10.10.8.8", stranger, "jonas.weber@plant.example"), conn(start+minute, "10.10.8.8", "192.0.2.1"))
	want(t, e, "source ip weak ip:10.10.8.8", "destination ip weak ip:192.0.2.1", "source device medium device:edr-77", "source user weak user:jonas.weber")
	// An hour on its report of the address is too old, but a lease leads to the hardware, and that to the device.
	e = run(x, lease(start+2*hour, "10.10.8.9", stranger, 3600), conn(start+2*hour+minute, "10.10.8.9", "192.0.2.1"))
	want(t, e, "source ip weak ip:10.10.8.9", "destination ip weak ip:192.0.2.1", "source device medium device:edr-77", "source user weak user:jonas.weber")
	stale := checkIn(start+day, "edr-77", "10.10.8.10", stranger, "")
	stale.Device.LastSeen = start + day - 5*hour
	e = run(x, stale, conn(start+day, "10.10.8.10", "192.0.2.1"))
	want(t, e, "source ip weak ip:10.10.8.10", "destination ip weak ip:192.0.2.1")
}

func TestSharedAddressesAreNeverLearnedOrResolved(t *testing.T) {
	x := enricher(t)
	for _, ip := range []string{"203.0.113.10", "127.0.0.1", "0.0.0.0", "224.0.0.5", "169.254.1.1", "100.64.3.3", "198.51.100.7", "fe80::1"} {
		e := run(x, admitted(start, ip, marcs, "mdupont", "s", 1, 1), conn(start+minute, ip, "192.0.2.1"))
		for _, r := range e.Entities {
			if r.Kind != event.EntityIP {
				t.Errorf("%s names %s", ip, r.ID)
			}
		}
		if got, _ := x.Bindings().Resolve(enrich.IPToMAC, ip, start+minute); got != "" {
			t.Errorf("%s is bound to %s", ip, got)
		}
	}
}

func TestNamesOfMachinesAndSharedAccountsAreNoUsers(t *testing.T) {
	x := enricher(t)
	for _, name := range []string{"00-00-5E-00-53-85", "host/lt-marc.integrator.example", "LT-MARC$", "admin"} {
		e := run(x, admitted(start, "10.20.9.9", marcs, name, "s", 1, 1), conn(start+minute, "10.20.9.9", "192.0.2.1"))
		if got := e.PrimaryEntity(event.EntityUser, event.RoleNone); got != "" {
			t.Errorf("%s became the user %s", name, got)
		}
	}
}

func TestEveryKeyOfAnObjectGetsTheCanonicalId(t *testing.T) {
	e := event.Event{ClassUID: event.ClassRobotState, Time: start, Robot: &event.Robot{UID: "Acme/A1200-0007", Name: "acme-amr-07", IP: "10.20.3.7", MAC: "00:00:5e:00:53:07"}}
	e.Actor.User.Name = "asilva"
	e.User.UID, e.User.Email = "nobody-knows", "marc.dupont@integrator.example"
	e.FindEntities()
	got := run(enricher(t), e)
	want(t, got,
		"actor user medium user:ana.silva",
		"target user strong user:marc.dupont",
		"target user medium user:marc.dupont",
		"subject robot strong robot:amr-07",
		"subject robot medium robot:amr-07",
		"subject mac medium robot:amr-07",
		"subject ip weak ip:10.20.3.7")
	r := got.Robot
	if r.Asset != "robot:amr-07" || r.Site != "werk-1" || r.Zone != "robots" || r.Critical != 3 || r.HumansNear != event.True || r.Restricted != event.True {
		t.Errorf("robot is %+v", r)
	}
}

func TestAPersonsAttributesAreThoseOfTheEventsTime(t *testing.T) {
	e := event.Event{ClassUID: event.ClassAuthentication, Time: at(t, "2026-11-20T02:00:00+01:00")}
	e.User.Name = `PLANT\ASilva`
	e.FindEntities()
	u := run(enricher(t), e).User
	if d := cmp.Diff(event.User{Name: `PLANT\ASilva`, Roles: []string{"robot-admin", "vpn"}, Kind: "employee", Country: "DE", Privileged: event.True, OnShift: event.False}, u); d != "" {
		t.Error(d)
	}
}

func TestARobotCalledADeviceGetsAReferenceOfItsOwnKind(t *testing.T) {
	e := event.Event{ClassUID: event.ClassDetection, Time: start}
	e.Device.Hostname, e.Device.LastSeen = "humanoid-02.plant.example", start-90*minute
	e.FindEntities()
	got := run(enricher(t), e)
	want(t, got, "subject device medium robot:humanoid-02", "subject robot medium robot:humanoid-02")
	d := got.Device
	if d.Asset != "robot:humanoid-02" || d.Kind != "humanoid" || d.Critical != 4 || d.Zone != "robots" || d.AgeHours != event.FloatOf(1.5) {
		t.Errorf("device is %+v", d)
	}
}

func TestWhatTheEventSaysItselfIsNotOverruledByAnAddress(t *testing.T) {
	x := enricher(t)
	run(x, lease(start, "10.10.7.7", marcs, 3600))
	e := conn(start+minute, "10.10.7.7", "192.0.2.1")
	e.SrcEndpoint.Hostname = "lt-ana.plant.example"
	e.Entities = nil
	e.FindEntities()
	batch := []event.Event{e}
	stats := x.Enrich(batch, nil)
	if got := batch[0].PrimaryEntity(event.EntityDevice, event.RoleNone); got != "device:lt-ana" || stats.Addresses.Conflict != 1 {
		t.Errorf("device is %q, %d conflicts", got, stats.Addresses.Conflict)
	}
	e = conn(start+minute, "10.10.7.7", "192.0.2.1")
	e.SrcEndpoint.Hostname = "win-8f3k2" // a short name nobody knows is weak: the address says whose it is
	e.Entities = nil
	e.FindEntities()
	got := run(x, e)
	want(t, got, "source device weak device:lt-marc", "source ip weak ip:10.10.7.7", "destination ip weak ip:192.0.2.1", "source device medium device:lt-marc")
}

func TestAFullNameTheInventoryDoesNotKnowIsNotOverruledEither(t *testing.T) {
	x := enricher(t)
	run(x, lease(start, "10.10.7.7", marcs, 3600))
	e := conn(start+minute, "10.10.7.7", "192.0.2.1")
	e.SrcEndpoint.Hostname = "pc-9.example.org"
	e.Entities = nil
	e.FindEntities()
	batch := []event.Event{e}
	stats := x.Enrich(batch, nil)
	want(t, &batch[0], "source device medium device:pc-9.example.org", "source ip weak ip:10.10.7.7", "destination ip weak ip:192.0.2.1")
	if stats.Addresses.Conflict != 1 {
		t.Errorf("%d conflicts counted, want 1", stats.Addresses.Conflict)
	}
}

func TestAClientCannotBindItsHardwareToTheNameOfAnAsset(t *testing.T) {
	x := enricher(t)
	e := admitted(start, "10.20.9.9", stranger, "mdupont", "s1", 1, 1)
	e.SrcEndpoint.Hostname = "eng-ws-02.plant.example"
	e.Entities = nil
	e.FindEntities()
	got := run(x, e, conn(start+minute, "10.20.9.9", "192.0.2.1"))
	want(t, got, "source ip weak ip:10.20.9.9", "destination ip weak ip:192.0.2.1", "source mac medium mac:"+stranger, "source user weak user:marc.dupont")
}

func TestShortHostNamesAreNotLearned(t *testing.T) {
	x := enricher(t)
	e := lease(start, "10.50.9.9", stranger, 3600)
	e.SrcEndpoint.Hostname = "iphone"
	e.Entities = nil
	e.FindEntities()
	got := run(x, e, conn(start+minute, "10.50.9.9", "192.0.2.1"))
	want(t, got, "source ip weak ip:10.50.9.9", "destination ip weak ip:192.0.2.1", "source mac medium mac:"+stranger)
}

func TestTheVLANOfAnAdmissionIsTheClientsZone(t *testing.T) {
	e := admitted(start, "", marcs, "mdupont", "s1", 1, 1)
	e.Envelope.Site = "werk-1"
	e.DstEndpoint.IP, e.DstEndpoint.VLAN = "10.10.0.250", "20"
	got := run(enricher(t), e)
	if got.SrcEndpoint.Zone != "robots" || got.DstEndpoint.Zone != "office" || got.Device.Zone != "" {
		t.Errorf("source zone %q, destination zone %q, device zone %q", got.SrcEndpoint.Zone, got.DstEndpoint.Zone, got.Device.Zone)
	}
	e = event.Event{ClassUID: event.ClassAuthentication, ActivityID: 1, StatusID: 1, AuthProtocolID: 9, Time: start}
	e.Device.MAC, e.DstEndpoint.VLAN = stranger, "robots"
	e.Envelope.Site = "werk-1"
	e.FindEntities()
	if got = run(enricher(t), e); got.Device.Zone != "robots" || got.SrcEndpoint.Zone != "" {
		t.Errorf("device zone %q, source zone %q", got.Device.Zone, got.SrcEndpoint.Zone)
	}
}

func TestASourcesZoneNameIsTranslatedOrLeftAlone(t *testing.T) {
	e := conn(start, "10.20.3.9", "10.20.3.7")
	e.SrcEndpoint.Zone, e.DstEndpoint.Zone = "Trust", "zone-of-theirs"
	got := run(enricher(t), e)
	if got.SrcEndpoint.Zone != "office" || got.SrcEndpoint.Purdue != event.FloatOf(4) {
		t.Errorf("source is %+v", got.SrcEndpoint)
	}
	if got.DstEndpoint.Zone != "zone-of-theirs" || got.DstEndpoint.Purdue != event.FloatOf(2) {
		t.Errorf("destination is %+v", got.DstEndpoint)
	}
}

func TestAResourceThatIsARobotIsATarget(t *testing.T) {
	e := event.Event{ClassUID: event.ClassAPI, Time: start, Access: &event.Access{Resource: event.Resource{UID: "AMR-07"}}}
	e.FindEntities()
	got := run(enricher(t), e)
	want(t, got, "target resource context resource:AMR-07", "target robot medium robot:amr-07")
}

func TestAReporterIsNeverResolved(t *testing.T) {
	e := event.Event{ClassUID: event.ClassNetwork, Time: start}
	e.Metadata.Extend().Reporter.IP = "10.20.3.7"
	e.Metadata.More.Reporter.Hostname = "amr-08.plant.example"
	e.FindEntities()
	got := run(enricher(t), e)
	want(t, got, "reporter device context robot:amr-08", "reporter ip context ip:10.20.3.7")
	if id := got.PrimaryEntity(event.EntityRobot, event.RoleNone); id != "" {
		t.Errorf("robot is %s", id)
	}
}

func TestUnknownThingsKeepTheirNamesAndAreCounted(t *testing.T) {
	e := conn(start, "192.0.2.7", "10.99.0.1")
	e.User.Name, e.Device.Hostname = "stranger@example.org", "pc.example.org"
	e.FindEntities()
	before := refs(&e)
	batch := []event.Event{e}
	stats := enricher(t).Enrich(batch, nil)
	if d := cmp.Diff(before, refs(&batch[0])); d != "" {
		t.Error(d)
	}
	got := stats
	got.Bindings = enrich.BindingStats{}
	if d := cmp.Diff(enrich.Stats{Events: 1, Assets: enrich.Outcome{Miss: 1}, Identities: enrich.Outcome{Miss: 1}, Zones: enrich.Outcome{Miss: 2}, Addresses: enrich.Outcome{Miss: 1, Skipped: 1}}, got); d != "" {
		t.Error(d)
	}
	sum := map[string]int{}
	stats.Each(func(table, outcome string, n int) { sum[table+" "+outcome] += n })
	if sum["addresses skipped"] != 1 || sum["identities miss"] != 1 {
		t.Errorf("metrics are %v", sum)
	}
}

func TestABatchIsEnrichedInTheOrderOfTime(t *testing.T) {
	events := []event.Event{conn(start+minute, "10.10.7.7", "192.0.2.1"), lease(start, "10.10.7.7", marcs, 3600)}
	enricher(t).Enrich(events, []int32{1, 0})
	if got := events[0].PrimaryEntity(event.EntityDevice, event.RoleNone); got != "device:lt-marc" {
		t.Errorf("device is %q", got)
	}
}

func TestANewInventoryRenamesWhatWasLearnedBefore(t *testing.T) {
	f := files{"a.csv": "id,kind\nother,laptop\n"}
	live, problems := enrich.NewLive(enrich.Config{Assets: "a.csv"}, f.read)
	if len(problems) > 0 {
		t.Fatal(problems)
	}
	x := enrich.New(live.Tables, nil, newBindings())
	run(x, checkIn(start, "edr-77", "10.10.8.8", stranger, ""))
	f["a.csv"] = "id,kind,aliases\nlt-new,laptop,edr-77\n"
	if changed, problems := live.Reload(); !changed {
		t.Fatal(problems)
	}
	e := run(x, conn(start+minute, "10.10.8.8", "192.0.2.1"))
	if got := e.PrimaryEntity(event.EntityDevice, event.RoleNone); got != "device:lt-new" {
		t.Errorf("device is %q", got)
	}
}
