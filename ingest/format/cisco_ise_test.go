package format_test

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/tocsin-siem/tocsin/event"
	"github.com/tocsin-siem/tocsin/ingest/format"
)

const iseAttributesOfOneMessage = "Device IP Address=10.20.0.3, UserName=m.kessler, Protocol=Radius, NetworkDeviceName=sw-cell3, Calling-Station-ID=3C-22-FB-10-7E-01, " +
	"AuthorizationPolicyMatchedRule=Contractor_Exception, SelectedAuthorizationProfiles=Robot_Cell_VLAN, EapAuthentication=EAP-TLS, CPMSessionID=0A140003,"

// iseSegments cuts one message into segments at random attributes, as ISE does, and ends some as relays do.
func iseSegments(r *rand.Rand, total int) []event.Record {
	attributes := strings.SplitAfter(iseAttributesOfOneMessage, ", ")
	bodies := make([]string, total)
	for _, a := range attributes {
		at := r.IntN(total)
		bodies[at] += a
	}
	var records []event.Record
	for i, body := range bodies {
		head := fmt.Sprintf("<181>Nov 21 02:06:31 ise-psn-1 CISE_Passed_Authentications 0000104711 %d %d ", total, i)
		if i == 0 {
			head += "2026-11-21 02:06:31.412 +01:00 0000993120 5200 NOTICE Passed-Authentication: Authentication succeeded, "
		}
		body = strings.TrimSpace(body) + []string{"", "#015", "\r\n"}[r.IntN(3)]
		records = append(records, event.Record{Value: []byte(head + body), Received: received.UnixMicro()})
	}
	return records
}

func TestSegmentsInAnyOrderReadLikeTheWholeMessage(t *testing.T) {
	ise, _ := format.ByName("cisco_ise")
	seed := rand.Uint64()
	r := rand.New(rand.NewPCG(seed, 1))
	var s format.Scratch
	whole, err := decode(t, ise, &s, &iseSegments(r, 1)[0])
	if err != nil {
		t.Fatal(err)
	}
	want := []string{"Contractor_Exception", "Robot_Cell_VLAN", "m.kessler", "3c:22:fb:10:7e:01", "EAP-TLS", "0A140003"}
	if d := cmp.Diff(want, iseSummary(&whole[0])); d != "" {
		t.Fatalf("the whole message (-want +got):\n%s", d)
	}
	for range 50 {
		parts := iseSegments(r, 2+r.IntN(4))
		shuffled := r.Perm(len(parts))
		bodies := make([][]byte, len(parts))
		for _, i := range shuffled {
			_, index, total, body, ok := ise.Join(&parts[i])
			if !ok || total != len(parts) {
				t.Fatalf("seed %d: segment not recognised: %q", seed, parts[i].Value)
			}
			bodies[index] = body
		}
		// The pipeline keeps the first record as it came and adds the bodies of the others.
		joined := parts[0]
		joined.Value = bytes.Join(append([][]byte{parts[0].Value}, bodies[1:]...), nil)
		got, err := decode(t, ise, &s, &joined)
		if err != nil {
			t.Fatalf("seed %d: %v", seed, err)
		}
		if d := cmp.Diff(want, iseSummary(&got[0])); d != "" {
			t.Errorf("seed %d: %q (-want +got):\n%s", seed, joined.Value, d)
		}
	}
}

func iseSummary(e *event.Event) []string {
	policy := ""
	if e.Policy != nil {
		policy = e.Policy.Name
	}
	return []string{policy, e.StatusDetail, e.User.Name, e.SrcEndpoint.MAC, e.AuthProtocol, e.Session.UID}
}

func TestNetworkDevicesAddressIsNeverTheStations(t *testing.T) {
	for _, c := range []struct{ format, line string }{
		{"cisco_ise", "CISE_Failed_Attempts 0000104713 1 0 2026-11-21 02:07:10.000 +01:00 0000993130 5400 NOTICE Failed-Attempt: Authentication failed, " +
			"Device IP Address=10.20.0.3, NAS-IP-Address=10.20.0.3, UserName=3C-22-FB-10-7E-0B, Calling-Station-ID=3C-22-FB-10-7E-0B,"},
		{"freeradius", "Sat Nov 21 02:07:00 2026\n\tPacket-Type = Access-Reject\n\tUser-Name = \"x\"\n\tNAS-IP-Address = 10.20.0.3\n\tCalling-Station-Id = \"3C-22-FB-10-7E-0B\""},
	} {
		f, _ := format.ByName(c.format)
		var s format.Scratch
		got, err := decode(t, f, &s, &event.Record{Value: []byte(c.line), Received: received.UnixMicro()})
		if err != nil {
			t.Fatal(err)
		}
		e := &got[0]
		if e.SrcEndpoint.IP != "" || e.Device.IP != "" {
			t.Errorf("%s binds %s %s to the station %s", c.format, e.SrcEndpoint.IP, e.Device.IP, e.SrcEndpoint.MAC)
		}
		if e.Metadata.More == nil || e.Metadata.More.Reporter.IP != "10.20.0.3" {
			t.Errorf("%s does not name the network device as reporter", c.format)
		}
	}
}
