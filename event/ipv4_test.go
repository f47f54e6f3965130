package event_test

import (
	"net/netip"
	"testing"

	"github.com/tocsin-siem/tocsin/event"
)

func FuzzAnIPv4AddressIsReadAsTheLibraryDoes(f *testing.F) {
	for _, s := range []string{
		"", ".", "...", "1.2.3", "1.2.3.4", "0.0.0.0", "255.255.255.255", "256.1.1.1", "1.2.3.4.5", "01.2.3.4", "1.02.3.4", "1.2.3.00", "1..2.3", "1.2.3.", ".1.2.3",
		" 1.2.3.4", "1.2.3.4 ", "1.2.3.4%eth0", "::ffff:1.2.3.4", "::1", "a.b.c.d", "1234.1.1.1", "1.2.3.999", "-1.2.3.4", "1,2,3,4",
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		got, ok := event.IPv4(s)
		want, err := netip.ParseAddr(s)
		if plain := err == nil && want.Is4(); ok != plain {
			t.Fatalf("%q: %v, want %v", s, ok, plain)
		}
		if ok && netip.AddrFrom4(got) != want {
			t.Fatalf("%q: %v, want %v", s, got, want)
		}
	})
}

func TestKeysOfAddressesAreCanonical(t *testing.T) {
	for s, want := range map[string]string{
		"10.1.2.3": "10.1.2.3", " 10.1.2.3 ": "10.1.2.3", "0.0.0.0": "", "127.0.0.1": "", "127.255.0.9": "", "224.0.0.1": "", "239.255.255.250": "", "240.0.0.1": "240.0.0.1",
		"223.255.255.255": "223.255.255.255", "255.255.255.255": "", "255.255.255.254": "255.255.255.254", "0.0.0.1": "0.0.0.1", "10.01.2.3": "", "::ffff:10.1.2.3": "10.1.2.3",
		"fe80::1%eth0": "fe80::1", "::": "", "2001:DB8::1": "2001:db8::1",
	} {
		if got := event.CanonicalKey(event.EntityIP, s); got != want {
			t.Errorf("%q: %q, want %q", s, got, want)
		}
	}
}
