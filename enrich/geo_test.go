package enrich_test

import (
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/maxmind/mmdbwriter"
	"github.com/maxmind/mmdbwriter/mmdbtype"

	"github.com/tocsin-siem/tocsin/enrich"
	"github.com/tocsin-siem/tocsin/event"
)

// database writes a small MaxMind DB with one network.
func database(t *testing.T, kind, network string, record mmdbtype.Map) string {
	t.Helper()
	tree, err := mmdbwriter.New(mmdbwriter.Options{DatabaseType: kind, RecordSize: 24, IncludeReservedNetworks: true})
	if err != nil {
		t.Fatal(err)
	}
	_, n, err := net.ParseCIDR(network)
	if err != nil {
		t.Fatal(err)
	}
	if err := tree.Insert(n, record); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), kind+".mmdb")
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := tree.WriteTo(f); err != nil {
		t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestPublicAddressesGetCountryAndAutonomousSystem(t *testing.T) {
	geo, err := enrich.OpenGeo(enrich.GeoConfig{
		City: database(t, "Test-City", "198.51.100.0/24", mmdbtype.Map{
			"country":      mmdbtype.Map{"iso_code": mmdbtype.String("BR")},
			"city":         mmdbtype.Map{"names": mmdbtype.Map{"en": mmdbtype.String("Recife")}},
			"subdivisions": mmdbtype.Slice{mmdbtype.Map{"iso_code": mmdbtype.String("PE")}},
		}),
		ASN: database(t, "Test-ASN", "198.51.100.0/25", mmdbtype.Map{
			"autonomous_system_number":       mmdbtype.Uint32(64500),
			"autonomous_system_organization": mmdbtype.String("Example Carrier"),
		}),
	})
	if err != nil {
		t.Fatal(err)
	}
	defer geo.Close()
	x := enrich.New(emptyTables(t), geo, newBindings())
	events := []event.Event{conn(start, "198.51.100.7", "10.20.3.7"), conn(start, "198.51.100.200", "192.0.2.1"), conn(start, "198.51.100.7", "198.51.100.7")}
	events[2].SrcEndpoint.Extend().Location.Country = "PT" // the source's own word stays
	stats := x.Enrich(events, nil)
	place, as := event.Location{Country: "BR", City: "Recife", Region: "PE"}, event.AS{Number: 64500, Name: "Example Carrier"}
	for i, want := range []*event.EndpointMore{{Location: place, AS: as}, {Location: place}, {Location: event.Location{Country: "PT"}, AS: as}} {
		if d := cmp.Diff(want, events[i].SrcEndpoint.More); d != "" {
			t.Errorf("event %d: %s", i, d)
		}
	}
	if events[0].DstEndpoint.More != nil || events[1].DstEndpoint.More != nil {
		t.Error("a private or unknown address got a place")
	}
	if d := cmp.Diff(enrich.Outcome{Hit: 4, Miss: 1}, stats.Geo); d != "" {
		t.Error(d)
	}
	if former := x.SetGeo(nil); former != geo {
		t.Error("the former database was not given back")
	}
	if stats = x.Enrich([]event.Event{conn(start, "198.51.100.7", "10.20.3.7")}, nil); stats.Geo != (enrich.Outcome{}) {
		t.Errorf("without a database: %+v", stats.Geo)
	}
}

func TestADatabaseThatIsNoneIsRefusedByName(t *testing.T) {
	path := filepath.Join(t.TempDir(), "city.mmdb")
	if err := os.WriteFile(path, []byte("not a database"), 0o600); err != nil {
		t.Fatal(err)
	}
	_, err := enrich.OpenGeo(enrich.GeoConfig{City: path, ASN: path + ".missing"})
	if err == nil || !strings.Contains(err.Error(), "enrich.geo.city: "+path) || !strings.Contains(err.Error(), "enrich.geo.asn") {
		t.Errorf("error is %v", err)
	}
	if geo, err := enrich.OpenGeo(enrich.GeoConfig{}); geo != nil || err != nil {
		t.Errorf("nothing configured gave %v, %v", geo, err)
	}
}
