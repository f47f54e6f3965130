package triage

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"syscall"
	"time"
)

// errGuarded marks an address that must not be connected to.
var errGuarded = errors.New("the address is not allowed")

// never are networks nobody may be told in, whatever is allowed: this host, link-local (with the metadata services of clouds), multicast.
var never = prefixes("0.0.0.0/8", "169.254.0.0/16", "224.0.0.0/4", "255.255.255.255/32", "::/128", "fe80::/10", "ff00::/8")

// internal are networks that only allow_cidrs opens: private, loopback, shared, reserved, and the forms of IPv6 that hide an IPv4 address
// which a gateway may unwrap (NAT64, 6to4, Teredo).
var internal = prefixes(
	"10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "127.0.0.0/8", "100.64.0.0/10", "192.0.0.0/24", "198.18.0.0/15", "240.0.0.0/4",
	"::1/128", "fc00::/7", "64:ff9b::/96", "64:ff9b:1::/48", "2002::/16", "2001::/32", "fec0::/10",
)

func prefixes(list ...string) []netip.Prefix {
	var out []netip.Prefix
	for _, s := range list {
		out = append(out, netip.MustParsePrefix(s))
	}
	return out
}

// Guard decides which addresses may be connected to. It is asked after names have been resolved, at the moment of connecting, so a name
// that resolves to something else the second time gains nothing.
type Guard struct{ allow []netip.Prefix }

// NewGuard makes a guard that lets public addresses through, and internal ones in the given networks.
func NewGuard(allowCIDRs []string) (Guard, error) {
	var g Guard
	for _, s := range allowCIDRs {
		p, err := netip.ParsePrefix(s)
		if err != nil {
			return Guard{}, fmt.Errorf("%q is no network: %w", s, err)
		}
		g.allow = append(g.allow, p)
	}
	return g, nil
}

// Check is nil if ip may be connected to.
func (g Guard) Check(ip netip.Addr) error {
	ip = ip.Unmap().WithZone("")
	if !ip.IsValid() || within(ip, never) {
		return fmt.Errorf("%w: %s", errGuarded, ip)
	}
	if within(ip, internal) && !within(ip, g.allow) {
		return fmt.Errorf("%w: %s is internal: add its network to allow_cidrs if that is meant", errGuarded, ip)
	}
	return nil
}

func within(ip netip.Addr, list []netip.Prefix) bool {
	for _, p := range list {
		if p.Contains(ip) {
			return true
		}
	}
	return false
}

// Dialer is a dialer that connects only to what the guard lets through.
func (g Guard) Dialer() *net.Dialer {
	return &net.Dialer{Timeout: 10 * time.Second, Control: func(_, address string, _ syscall.RawConn) error {
		at, err := netip.ParseAddrPort(address)
		if err != nil {
			return fmt.Errorf("%w: %s", errGuarded, address)
		}
		return g.Check(at.Addr())
	}}
}
