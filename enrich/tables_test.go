package enrich_test

import (
	"errors"
	"io/fs"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/tocsin-siem/tocsin/enrich"
	"github.com/tocsin-siem/tocsin/event"
)

const examples = "../testdata/enrich"

func exampleConfig() enrich.Config {
	c := enrich.DefaultConfig()
	c.Assets = filepath.Join(examples, "assets.csv")
	c.Identities = filepath.Join(examples, "identities.yaml")
	c.Zones = filepath.Join(examples, "zones.csv")
	c.Schedules = filepath.Join(examples, "schedules.yaml")
	c.Lists = map[string]enrich.List{
		"egress-nat":          {File: filepath.Join(examples, "lists/egress-nat.txt")},
		"vendor-update-hosts": {File: filepath.Join(examples, "lists/vendor-update-hosts.txt")},
		"sanctioned-travel":   {File: filepath.Join(examples, "lists/sanctioned-travel.txt")},
		"watch":               {Values: []string{"10.20.0.0/16", "Robot-X", "2001:db8::/32", strings.Repeat("x", 70)}},
	}
	return c
}

func plant(t testing.TB) *enrich.Tables {
	t.Helper()
	c := exampleConfig()
	if err := c.Validate(); err != nil {
		t.Fatal(err)
	}
	tables, problems := enrich.Load(&c, os.ReadFile)
	for _, p := range problems {
		t.Error(p)
	}
	if tables == nil {
		t.FailNow()
	}
	return tables
}

// files reads from memory.
type files map[string]string

func (f files) read(path string) ([]byte, error) {
	s, ok := f[path]
	if !ok {
		return nil, &fs.PathError{Op: "open", Path: path, Err: fs.ErrNotExist}
	}
	return []byte(s), nil
}

func at(t testing.TB, s string) int64 {
	t.Helper()
	x, err := time.Parse(time.RFC3339, s)
	if err != nil {
		t.Fatal(err)
	}
	return x.UnixMicro()
}

func TestAnAssetIsFoundByEveryKeyTheInventoryGivesIt(t *testing.T) {
	tables := plant(t)
	for _, id := range []string{"robot:amr-07", "amr-07", "AMR-07", "acme-amr-07", "A1200-0007", "acme/a1200-0007", "amr-07.plant.example", "device:amr-07"} {
		a, ok := tables.Asset(id)
		if !ok || a.ID != "robot:amr-07" {
			t.Errorf("Asset(%q) = %q, %v", id, a.ID, ok)
		}
	}
	a, _ := tables.Asset("robot:amr-07")
	if a.HumansNear != event.True || a.RestrictedArea != event.True || a.Criticality != 3 || a.Site != "werk-1" || a.Kind != "amr" {
		t.Errorf("amr-07 is %+v", a)
	}
	if a, _ := tables.Asset("lt-marc"); a.ID != "device:lt-marc" {
		t.Errorf("lt-marc is %q", a.ID)
	}
	if _, ok := tables.Asset("amr-99"); ok {
		t.Error("amr-99 was found")
	}
}

func TestOwnerTeamFollowsTheInventoryThenTheKindOfAsset(t *testing.T) {
	tables := plant(t)
	for id, want := range map[string]string{
		"robot:cobot-03": "robot-operations", "device:plc-04": "ot", "device:safety-01": "safety", "device:cam-11": "facilities",
		"device:lt-ana": "it", "device:fleet-01": "robot-operations", "user:ana.silva": "it", "user:nobody": "", "ip:10.1.1.1": "",
	} {
		if got := tables.OwnerTeam(id); got != want {
			t.Errorf("OwnerTeam(%s) = %q, want %q", id, got, want)
		}
	}
	if got := tables.Criticality("robot:humanoid-02"); got != 4 {
		t.Errorf("criticality is %d", got)
	}
}

func TestAnIdentityIsFoundByEveryKeyAndKnowsItsShift(t *testing.T) {
	tables := plant(t)
	for _, id := range []string{"user:ana.silva", "Ana.Silva@plant.example", `PLANT\asilva`, "asilva", "00u1ana0silva0000001"} {
		if i, ok := tables.Identity(id); !ok || i.ID != "user:ana.silva" {
			t.Errorf("Identity(%q) = %q, %v", id, i.ID, ok)
		}
	}
	ana, _ := tables.Identity("ana.silva")
	night, _ := tables.Identity("piotr.nowak")
	none, _ := tables.Identity("ines.moreau")
	for _, c := range []struct {
		who  enrich.IdentityInfo
		when string
		want event.Bool
	}{
		{ana, "2026-11-20T06:00:00+01:00", event.True},
		{ana, "2026-11-20T05:59:59+01:00", event.False},
		{ana, "2026-11-20T14:00:00+01:00", event.False},
		{ana, "2026-11-21T08:00:00+01:00", event.False}, // Saturday
		{ana, "2026-07-20T04:30:00Z", event.True},       // summer time
		{ana, "2026-11-20T04:30:00Z", event.False},      // winter time
		{night, "2026-11-20T23:00:00+01:00", event.True},
		{night, "2026-11-21T05:59:59+01:00", event.True}, // Friday's shift runs into Saturday
		{night, "2026-11-21T06:00:00+01:00", event.False},
		{night, "2026-11-21T23:00:00+01:00", event.False},
		{night, "2026-11-23T03:00:00+01:00", event.False}, // Sunday has no shift to run into Monday
		{none, "2026-11-20T12:00:00Z", event.Unknown},
	} {
		if got := c.who.OnShift(at(t, c.when)); got != c.want {
			t.Errorf("%s at %s: on shift %d, want %d", c.who.ID, c.when, got, c.want)
		}
	}
}

func TestAZoneIsTheLongestNetworkAndAVLANThatOfItsSite(t *testing.T) {
	f := files{"z.csv": "zone,kind,cidrs,vlans,site\nall,it,10.0.0.0/8;2001:db8::/32,20,\nrobots,robot,10.20.0.0/16,20,werk-2\ncell,robot,10.20.3.0/24,Cell-3,\n"}
	c := enrich.Config{Zones: "z.csv"}
	tables, problems := enrich.Load(&c, f.read)
	if len(problems) > 0 {
		t.Fatal(problems)
	}
	for ip, want := range map[string]string{"10.20.3.7": "cell", "10.20.4.7": "robots", "10.99.0.1": "all", "2001:db8::1": "all", "::ffff:10.20.3.7": "cell", "192.0.2.1": ""} {
		if z, _ := tables.Zone(netip.MustParseAddr(ip)); z.Name != want {
			t.Errorf("zone of %s is %q, want %q", ip, z.Name, want)
		}
	}
	for _, v := range []struct{ vlan, site, want string }{{"20", "werk-2", "robots"}, {"20", "werk-1", "all"}, {"cell-3", "", "cell"}, {"99", "", ""}} {
		if z, _ := tables.ZoneOfVLAN(v.vlan, v.site); z.Name != v.want {
			t.Errorf("zone of VLAN %s at %q is %q, want %q", v.vlan, v.site, z.Name, v.want)
		}
	}
}

func TestInListComparesTextNetworksDomainsAndBareIds(t *testing.T) {
	tables := plant(t)
	for _, c := range []struct {
		list, value string
		want        bool
	}{
		{"watch", "10.20.3.7", true},
		{"watch", "ip:10.20.3.7", true},
		{"watch", "::ffff:10.20.3.7", true},
		{"watch", "10.21.0.1", false},
		{"watch", "2001:db8::7", true},
		{"watch", "robot-x", true},
		{"watch", "robot:robot-x", true},
		{"watch", "robot-xy", false},
		{"watch", "", false},
		{"watch", strings.Repeat("X", 70), true},
		{"watch", strings.Repeat("x", 71), false},
		{"vendor-update-hosts", "cdn.acme-robotics.example", true},
		{"vendor-update-hosts", "a.b.ACME-robotics.example.", true},
		{"vendor-update-hosts", "acme-robotics.example", false},
		{"vendor-update-hosts", "evil-acme-robotics.example", false},
		{"vendor-update-hosts", "198.51.100.40", true},
		{"vendor-update-hosts", "198.51.100.48", false},
		{"vendor-update-hosts", "cdn.acme-robotics.example..", false},
		{"vendor-update-hosts", ".", false},
		{"vendor-update-hosts", strings.Repeat("a.", 40) + "acme-robotics.example", true},
		{"sanctioned-travel", "user:lena.koch", true},
		{"no-such-list", "x", false},
	} {
		if got := tables.InList(c.list, c.value); got != c.want {
			t.Errorf("InList(%s, %s) = %v", c.list, c.value, got)
		}
	}
}

func TestAWindowIsOpenForTheAssetItsZoneOrItsSite(t *testing.T) {
	f := files{
		"a.csv": "id,kind,zone,site,ips\namr-07,amr,robots,werk-1,10.20.3.7\nplc-04,plc,ot,werk-1,\nplc-05,plc,ot,werk-2,\n",
		"z.csv": "zone,kind,cidrs\nrobots,robot,10.20.0.0/16\not,ot,10.30.0.0/16\n",
		"s.yaml": `
- {id: once, assets: amr-07, from: 2026-11-21T22:00:00+01:00, to: 2026-11-22T02:00:00+01:00}
- {id: zone, zones: [ot], weekly: "Sun 02:00-05:00 Europe/Berlin"}
- {id: site, kind: drill, sites: werk-2, weekly: daily 12:00-13:00 UTC}
- {id: all, kind: freeze, assets: "*", weekly: Sat 00:00-24:00 UTC}
`,
	}
	c := enrich.Config{Assets: "a.csv", Zones: "z.csv", Schedules: "s.yaml"}
	tables, problems := enrich.Load(&c, f.read)
	if len(problems) > 0 {
		t.Fatal(problems)
	}
	for _, c := range []struct {
		kind, entity, when string
		want               bool
	}{
		{"maintenance", "robot:amr-07", "2026-11-21T21:00:00Z", true},
		{"maintenance", "amr-07", "2026-11-21T20:59:59Z", false},
		{"maintenance", "amr-07", "2026-11-22T01:00:00Z", false}, // the end is exclusive
		{"drill", "amr-07", "2026-11-21T21:00:00Z", false},
		{"maintenance", "device:plc-04", "2026-11-22T02:30:00Z", true},
		{"maintenance", "plc-04", "2026-11-22T04:00:00Z", false},
		{"maintenance", "ot", "2026-11-22T02:30:00Z", true},
		{"maintenance", "ip:10.30.7.7", "2026-11-22T02:30:00Z", true},
		{"maintenance", "10.20.3.99", "2026-11-22T02:30:00Z", false},
		{"drill", "plc-05", "2026-11-22T12:30:00Z", true},
		{"drill", "plc-04", "2026-11-22T12:30:00Z", false},
		{"freeze", "user:anyone", "2026-11-21T12:00:00Z", true},
		{"freeze", "user:anyone", "2026-11-22T12:00:00Z", false},
		{"maintenance", "", "2026-11-22T02:30:00Z", false},
	} {
		if got := tables.Window(c.kind, c.entity, at(t, c.when)); got != c.want {
			t.Errorf("Window(%s, %s, %s) = %v", c.kind, c.entity, c.when, got)
		}
	}
}

func TestTheVersionFollowsTheContentAndNotThePlace(t *testing.T) {
	load := func(f files, c enrich.Config) string {
		tables, problems := enrich.Load(&c, f.read)
		if len(problems) > 0 {
			t.Fatal(problems)
		}
		return tables.Version()
	}
	csv := "id,kind\namr-07,amr\n"
	a := load(files{"a.csv": csv}, enrich.Config{Assets: "a.csv"})
	if b := load(files{"b.csv": csv}, enrich.Config{Assets: "b.csv"}); a != b {
		t.Errorf("moving a file changed %s to %s", a, b)
	}
	if b := load(files{"a.csv": csv + "amr-08,amr\n"}, enrich.Config{Assets: "a.csv"}); a == b {
		t.Error("another asset left the version as it was")
	}
	if b := load(files{"a.csv": csv}, enrich.Config{Assets: "a.csv", Lists: map[string]enrich.List{"x": {Values: []string{"1"}}}}); a == b {
		t.Error("a list left the version as it was")
	}
}

func TestEmptyTablesAnswerEverythingWithNo(t *testing.T) {
	c := enrich.DefaultConfig()
	tables, problems := enrich.Load(&c, func(string) ([]byte, error) { return nil, errors.New("nothing to read") })
	if len(problems) > 0 {
		t.Fatal(problems)
	}
	if _, ok := tables.Asset("x"); ok || tables.InList("x", "y") || tables.Window("maintenance", "x", 1) || tables.OwnerTeam("robot:x") != "" {
		t.Error("something was found in empty tables")
	}
}

func TestABrokenFileLeavesTheOldTablesInForce(t *testing.T) {
	f := files{"a.csv": "id,kind\namr-07,amr\n"}
	live, problems := enrich.NewLive(enrich.Config{Assets: "a.csv"}, f.read)
	if len(problems) > 0 {
		t.Fatal(problems)
	}
	if changed, problems := live.Reload(); changed || problems != nil {
		t.Errorf("an unchanged file: changed %v, %v", changed, problems)
	}
	before := live.Tables()
	f["a.csv"] = "id,kind\namr-07,amr\namr-08,arm\n"
	changed, problems := live.Reload()
	if changed || len(problems) != 1 || live.Tables() != before {
		t.Errorf("a broken file: changed %v, %v", changed, problems)
	}
	f["a.csv"] = "id,kind\namr-07,amr\namr-08,amr\n"
	if changed, problems := live.Reload(); !changed || problems != nil {
		t.Errorf("a mended file: changed %v, %v", changed, problems)
	}
	if _, ok := live.Tables().Asset("amr-08"); !ok {
		t.Error("the mended file is not in force")
	}
	if swapped, refused := live.Reloads(); swapped != 1 || refused != 1 {
		t.Errorf("counted %d swapped and %d refused", swapped, refused)
	}
}

func TestEveryKindOfMistakeIsNamedWithItsPlaceAndTheFix(t *testing.T) {
	const zones = "zone,kind,cidrs\nrobots,robot,10.20.0.0/16\n"
	for _, c := range []struct {
		name   string
		config enrich.Config
		files  files
		want   string // Start of the first problem.
		fix    string // Part of its hint.
	}{
		{"missing file", enrich.Config{Assets: "a.csv"}, files{}, "a.csv: cannot be read: open a.csv", "check the path"},
		{"empty CSV", enrich.Config{Assets: "a.csv"}, files{"a.csv": ""}, "a.csv: is empty", "header"},
		{"unknown column", enrich.Config{Assets: "a.csv"}, files{"a.csv": "id,kind,hostname\na,amr,h\n"}, "a.csv:2: hostname: unknown column", "did you mean hostnames?"},
		{"unknown key", enrich.Config{Identities: "i.yaml"}, files{"i.yaml": "- id: ana\n  rolls: [x]\n"}, "i.yaml:2: rolls: unknown column", "did you mean roles?"},
		{"wrong number of fields", enrich.Config{Assets: "a.csv"}, files{"a.csv": "id,kind\na,amr\nb\n"}, "a.csv:3: has 1 fields, the header has 2", "semicolons"},
		{"semicolon CSV", enrich.Config{Assets: "a.csv"}, files{"a.csv": "id;kind\na;amr\n"}, "a.csv:1: columns are separated by semicolons", "commas"},
		{"doubled column", enrich.Config{Assets: "a.csv"}, files{"a.csv": "id,kind,id\na,amr,b\n"}, "a.csv:1: id: column stands twice", "keep one"},
		{"open quote", enrich.Config{Assets: "a.csv"}, files{"a.csv": "id,kind\n\"a,amr\n"}, "a.csv:2: cannot be read as CSV", "quote"},
		{"not UTF-8", enrich.Config{Assets: "a.csv"}, files{"a.csv": "id,kind\na\xff,amr\n"}, "a.csv:2: is not UTF-8 text", "UTF-8"},
		{"bad YAML", enrich.Config{Assets: "a.yaml"}, files{"a.yaml": "- id: [a\n"}, "a.yaml: cannot be read as YAML: line", "indentation"},
		{"YAML without list", enrich.Config{Assets: "a.yaml"}, files{"a.yaml": "id: a\nkind: amr\n"}, "a.yaml:1: is not a list", "- id"},
		{"YAML anchors", enrich.Config{Assets: "a.yaml"}, files{"a.yaml": "- id: &x a\n  kind: amr\n- {id: b, kind: *x}\n"}, "a.yaml:3: kind: is neither a value", "anchors"},
		{"doubled key", enrich.Config{Assets: "a.yaml"}, files{"a.yaml": "- id: a\n  kind: amr\n  kind: plc\n"}, "a.yaml:3: kind: key stands twice", "keep one"},
		{"two documents", enrich.Config{Assets: "a.yaml"}, files{"a.yaml": "- {id: a, kind: amr}\n---\n- {id: b, kind: amr}\n"}, "a.yaml:2: has more than one document", "keep one"},
		{"list for one value", enrich.Config{Assets: "a.yaml"}, files{"a.yaml": "- {id: a, kind: [amr, plc]}\n"}, "a.yaml:1: kind: holds one value", "brackets"},
		{"no id", enrich.Config{Assets: "a.csv"}, files{"a.csv": "id,kind\n,amr\n"}, "a.csv:2: id: is missing", "such as amr-07"},
		{"bad id", enrich.Config{Assets: "a.csv"}, files{"a.csv": "id,kind\nAMR 7,amr\n"}, `a.csv:2: id: "AMR 7" is not an id`, "lower-case"},
		{"duplicate id", enrich.Config{Assets: "a.csv"}, files{"a.csv": "id,kind\na,amr\nb,amr\na,plc\n"}, "a.csv:4: id: duplicate id a, first on line 2", "own id"},
		{"overlapping alias", enrich.Config{Assets: "a.csv"}, files{"a.csv": "id,kind,aliases\na,amr,x;Y\nb,amr,y\n"}, "a.csv:3: aliases: name y of b already belongs to a on line 2", "only at the entry"},
		{"alias like an id", enrich.Config{Assets: "a.csv"}, files{"a.csv": "id,kind,aliases\na,amr,\nb,amr,a\n"}, "a.csv:3: aliases: name a of b already belongs to a", "only at"},
		{"shared serial", enrich.Config{Assets: "a.csv"}, files{"a.csv": "id,kind,vendor,serials\na,amr,Acme,1\nb,amr,Other,1\n"}, "a.csv:3: serials: name 1 of b already", "vendor/serial"},
		{"shared MAC", enrich.Config{Assets: "a.csv"}, files{"a.csv": "id,kind,macs\na,amr,00-00-5E-00-53-01\nb,amr,0000.5e00.5301\n"}, "a.csv:3: macs: MAC address 00:00:5e:00:53:01 of b", "only at"},
		{"shared address", enrich.Config{Assets: "a.csv"}, files{"a.csv": "id,kind,ips\na,amr,10.0.0.1\nb,amr,::ffff:10.0.0.1\n"}, "a.csv:3: ips: address 10.0.0.1 of b", "only at"},
		{"bad kind", enrich.Config{Assets: "a.csv"}, files{"a.csv": "id,kind\na,cobt\n"}, `a.csv:2: kind: "cobt" is not known`, "did you mean cobot?"},
		{"bad team", enrich.Config{Assets: "a.csv"}, files{"a.csv": "id,kind,owner_team\na,amr,robots\n"}, `a.csv:2: owner_team: "robots" is not known`, "robot-operations"},
		{"bad MAC", enrich.Config{Assets: "a.csv"}, files{"a.csv": "id,kind,macs\na,amr,00:00:5e\n"}, `a.csv:2: macs: "00:00:5e" is not a MAC address`, "02:00"},
		{"bad address", enrich.Config{Assets: "a.csv"}, files{"a.csv": "id,kind,ips\na,amr,10.20.0.0/16\n"}, `a.csv:2: ips: "10.20.0.0/16" is not an IP address`, "zones file"},
		{"loopback", enrich.Config{Assets: "a.csv"}, files{"a.csv": "id,kind,ips\na,amr,127.0.0.1\n"}, `a.csv:2: ips: "127.0.0.1" names no single machine`, "leave it out"},
		{"bad criticality", enrich.Config{Assets: "a.csv"}, files{"a.csv": "id,kind,criticality\na,amr,5\n"}, `a.csv:2: criticality: "5" is not a criticality`, "1 (low)"},
		{"bad truth", enrich.Config{Assets: "a.csv"}, files{"a.csv": "id,kind,humans_near\na,amr,maybe\n"}, `a.csv:2: humans_near: "maybe" is neither`, "leave it empty"},
		{"unknown zone", enrich.Config{Assets: "a.csv", Zones: "z.csv"}, files{"a.csv": "id,kind,zone\na,amr,robot\n", "z.csv": zones}, `a.csv:2: zone: "robot" is not in the zones file`, "did you mean robots?"},
		{"bad e-mail", enrich.Config{Identities: "i.csv"}, files{"i.csv": "id,emails\nana,ana\n"}, `i.csv:2: emails: "ana" is not an e-mail`, "accounts or names"},
		{"bad account", enrich.Config{Identities: "i.csv"}, files{"i.csv": "id,accounts\nana,asilva\n"}, `i.csv:2: accounts: "asilva" is not domain`, "names"},
		{"bad country", enrich.Config{Identities: "i.csv"}, files{"i.csv": "id,home_country\nana,Germany\n"}, `i.csv:2: home_country: "Germany" is not a country code`, "DE"},
		{"bad shift", enrich.Config{Identities: "i.csv"}, files{"i.csv": "id,shift\nana,Mon-Fri 6-14 Europe/Berlin\n"}, `i.csv:2: shift: "6-14" are not hours`, "06:00-14:00"},
		{"shift without zone", enrich.Config{Identities: "i.csv"}, files{"i.csv": "id,shift\nana,Mon-Fri 06:00-14:00\n"}, "i.csv:2: shift:", "Europe/Berlin"},
		{"unknown time zone", enrich.Config{Identities: "i.csv"}, files{"i.csv": "id,shift\nana,daily 06:00-14:00 Europe/Berln\n"}, `i.csv:2: shift: "Europe/Berln" is not a time zone`, "Europe/Berlin"},
		{"bad days", enrich.Config{Identities: "i.csv"}, files{"i.csv": "id,shift\nana,Mo-Fr 06:00-14:00 UTC\n"}, `i.csv:2: shift: "Mo-Fr" are not days`, "Mon-Fri"},
		{"shared key", enrich.Config{Identities: "i.csv"}, files{"i.csv": "id,names,emails\nana,asilva,\nalma,ASilva,\n"}, "i.csv:3: names: key asilva of alma already belongs to ana", "only at"},
		{"bad network", enrich.Config{Zones: "z.csv"}, files{"z.csv": "zone,kind,cidrs\nr,robot,10.20.0.0/33\n"}, `z.csv:2: cidrs: "10.20.0.0/33" is not a network`, "10.20.0.0/16"},
		{"host bits", enrich.Config{Zones: "z.csv"}, files{"z.csv": "zone,kind,cidrs\nr,robot,10.20.3.7/16\n"}, `z.csv:2: cidrs: "10.20.3.7/16" has address bits`, "did you mean 10.20.0.0/16?"},
		{"network twice", enrich.Config{Zones: "z.csv"}, files{"z.csv": zones + "cell,robot,10.20.0.0/16\n"}, "z.csv:3: cidrs: network 10.20.0.0/16 of cell already belongs to robots", "only at"},
		{"zone twice", enrich.Config{Zones: "z.csv"}, files{"z.csv": zones + "robots,robot,10.21.0.0/16\n"}, "z.csv:3: zone: duplicate zone robots, first on line 2", "one row"},
		{"VLAN twice", enrich.Config{Zones: "z.csv"}, files{"z.csv": "zone,kind,vlans,site\na,it,20,w1\nb,it,20,w1\n"}, "z.csv:3: vlans: VLAN 20 at w1 of b already", "only at"},
		{"zone of nothing", enrich.Config{Zones: "z.csv"}, files{"z.csv": "zone,kind\nr,robot\n"}, "z.csv:2: cidrs: zone r has neither", "10.20.0.0/16"},
		{"bad Purdue level", enrich.Config{Zones: "z.csv"}, files{"z.csv": "zone,kind,cidrs,purdue\nr,robot,10.0.0.0/8,7\n"}, `z.csv:2: purdue: "7" is not a Purdue level`, "0 to 5"},
		{"schedule without zone of time", enrich.Config{Schedules: "s.csv"}, files{"s.csv": "id,assets,from,to\nx,a,2026-11-21 22:00,2026-11-22T00:00:00Z\n"}, `s.csv:2: from: "2026-11-21 22:00" is not a time`, "2026-11-21T22:00:00+01:00"},
		{"schedule backwards", enrich.Config{Schedules: "s.csv"}, files{"s.csv": "id,assets,from,to\nx,a,2026-11-22T00:00:00Z,2026-11-21T00:00:00Z\n"}, "s.csv:2: to: window x has no end", "earlier one first"},
		{"schedule both ways", enrich.Config{Schedules: "s.csv"}, files{"s.csv": "id,assets,from,to,weekly\nx,a,2026-11-20T00:00:00Z,2026-11-21T00:00:00Z,daily 01:00-02:00 UTC\n"}, "s.csv:2: weekly: window x must be either", "from and to, or weekly"},
		{"schedule for nothing", enrich.Config{Schedules: "s.csv"}, files{"s.csv": "id,weekly\nx,daily 01:00-02:00 UTC\n"}, "s.csv:2: assets: window x is for nothing", "everything"},
		{"schedule for a stranger", enrich.Config{Assets: "a.csv", Schedules: "s.csv"}, files{"a.csv": "id,kind\namr-07,amr\n", "s.csv": "id,assets,weekly\nx,amr-7,daily 01:00-02:00 UTC\n"}, `s.csv:2: assets: "amr-7" is not in the inventory`, "did you mean amr-07?"},
		{"list pattern", enrich.Config{Lists: map[string]enrich.List{"l": {File: "l.txt"}}}, files{"l.txt": "ok\nfoo*bar\n"}, `l.txt:2: "foo*bar" has a * inside`, "*.vendor.example"},
		{"inline list", enrich.Config{Lists: map[string]enrich.List{"l": {Values: []string{"10.0.0.1/8"}}}}, files{}, `enrich.lists.l:1: values: "10.0.0.1/8" has address bits`, "10.0.0.0/8"},
	} {
		t.Run(c.name, func(t *testing.T) {
			tables, problems := enrich.Load(&c.config, c.files.read)
			if tables != nil || len(problems) == 0 {
				t.Fatal("the file was accepted")
			}
			if got := problems[0].String(); !strings.HasPrefix(got, c.want) {
				t.Errorf("got  %s\nwant %s", got, c.want)
			}
			if !strings.Contains(problems[0].Hint, c.fix) {
				t.Errorf("hint %q does not say %q", problems[0].Hint, c.fix)
			}
			if len(problems) > 1 {
				t.Errorf("one mistake gave %d problems: %v", len(problems), problems)
			}
		})
	}
}

func TestYAMLAndCSVSayTheSame(t *testing.T) {
	f := files{
		"a.csv":  "id,kind,aliases,humans_near,criticality\namr-07,amr,x;y,no,3\n",
		"a.yaml": "assets:\n  - id: amr-07\n    kind: amr\n    aliases: [x, y]\n    humans_near: no\n    criticality: 3\n",
	}
	var got [2]enrich.AssetInfo
	for i, path := range []string{"a.csv", "a.yaml"} {
		tables, problems := enrich.Load(&enrich.Config{Assets: path}, f.read)
		if len(problems) > 0 {
			t.Fatal(problems)
		}
		got[i], _ = tables.Asset("y")
	}
	if d := cmp.Diff(got[0], got[1], cmp.Comparer(func(a, b netip.Addr) bool { return a == b })); d != "" {
		t.Error(d)
	}
}

func TestConfigurationMistakesNameTheKeyAndTheFix(t *testing.T) {
	c := enrich.DefaultConfig()
	if err := c.Validate(); err != nil {
		t.Fatal(err)
	}
	c.Assets, c.Refresh, c.Bindings.Max, c.Bindings.NACAge = "assets.xlsx", time.Millisecond, 1, 0
	c.Lists = map[string]enrich.List{"Bad Name": {File: "x"}, "both": {File: "x", Values: []string{"y"}}, "none": {}}
	err := c.Validate()
	if err == nil {
		t.Fatal("accepted")
	}
	for _, want := range []string{"enrich.assets: assets.xlsx", ".csv", "enrich.refresh", "enrich.bindings.max", "enrich.bindings.nac_age", "Bad Name", "enrich.lists.both", "enrich.lists.none"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("%q is missing from: %v", want, err)
		}
	}
}

func FuzzTableFilesNeverPanic(f *testing.F) {
	f.Add([]byte("id,kind,aliases\na,amr,x;y\n"), true)
	f.Add([]byte("- id: a\n  kind: amr\n  shift: [daily 01:00-02:00 UTC]\n"), false)
	f.Fuzz(func(t *testing.T, data []byte, csv bool) {
		path := "x.yaml"
		if csv {
			path = "x.csv"
		}
		read := func(string) ([]byte, error) { return data, nil }
		for _, c := range []enrich.Config{{Assets: path}, {Identities: path}, {Zones: path}, {Schedules: path}, {Lists: map[string]enrich.List{"l": {File: "l.txt"}}}} {
			if tables, problems := enrich.Load(&c, read); (tables == nil) != (len(problems) > 0) {
				t.Errorf("tables %v with problems %v", tables, problems)
			}
		}
	})
}
