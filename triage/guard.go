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

// never are networks nobody may be told in, whatever is allowed: this host, link-local, multicast, and the metadata services of clouds that
// are elsewhere (fd00:ec2::254, 100.100.100.200, 168.63.129.16, 192.0.0.192).
var never = prefixes(
	"0.0.0.0/8", "169.254.0.0/16", "224.0.0.0/4", "255.255.255.255/32", "::/128", "fe80::/10", "ff00::/8",
	"fd00:ec2::254/128", "100.100.100.200/32", "168.63.129.16/32", "192.0.0.192/32",
)

// internal are networks that only allow_cidrs opens: private, loopback, shared, reserved, and the forms of IPv6 that hide an IPv4 address
// which a gateway may unwrap (NAT64, 6to4, Teredo).
var internal = prefixes(
	"10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "127.0.0.0/8", "100.64.0.0/10", "192.0.0.0/24", "198.18.0.0/15", "240.0.0.0/4",
	"::/96", "fc00::/7", "64:ff9b::/96", "64:ff9b:1::/48", "2002::/16", "2001::/32", "fec0::/10",
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
	if inner, ok := wrapped(ip); ok {
		if err := g.Check(inner); err != nil {
			return fmt.Errorf("%w, which %s stands for", err, ip)
		}
	}
	if within(ip, internal) && !within(ip, g.allow) {
		return fmt.Errorf("%w: %s is internal: add its network to allow_cidrs if that is meant", errGuarded, ip)
	}
	return nil
}

// wrapped is the IPv4 address that an IPv6 address stands for at a gateway: NAT64 (RFC 6052, RFC 8215), 6to4 (RFC 3056), IPv4-compatible.
func wrapped(ip netip.Addr) (netip.Addr, bool) {
	if !ip.Is6() {
		return netip.Addr{}, false
	}
	b := ip.As16()
	switch {
	case within(ip, nat64) || compatible.Contains(ip) && ip != netip.IPv6Loopback():
		return netip.AddrFrom4([4]byte(b[12:])), true
	case sixToFour.Contains(ip):
		return netip.AddrFrom4([4]byte(b[2:6])), true
	}
	return netip.Addr{}, false
}

var (
	nat64      = prefixes("64:ff9b::/96", "64:ff9b:1::/48")
	compatible = netip.MustParsePrefix("::/96")
	sixToFour  = netip.MustParsePrefix("2002::/16")
)

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
