package ccproxy

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"syscall"
)

// ErrAddress tells that a connection was refused because of the address that a name led to; see [WithPublicUpstreams].
var ErrAddress = errors.New("address is not a public one")

// WithPublicUpstreams lets the proxy's own transport connect to public addresses only, and to those in allowed: not to
// this machine, its networks, or the metadata services of clouds. It is for hosts whose users choose base URLs. What
// counts is the address that is connected to, after names are resolved, so that a name cannot lead elsewhere the second
// time; the proxies that the environment names are not used then.
//
// Without it upstreams may be anywhere, since base URLs are the operator's and local models are on this machine; no
// client's request chooses a host in any case. It cannot be had with [WithTransport], whose connections are the
// application's own.
func WithPublicUpstreams(allowed ...netip.Prefix) Option {
	return optionFunc(func(o *options) { o.dial = &dialGuard{allowed: slices.Clone(allowed)} })
}

// checkDial refuses a guard that would guard nothing.
func (o options) checkDial() error {
	if o.dial != nil && o.transport != nil {
		return fmt.Errorf("WithPublicUpstreams: has no effect with WithTransport: %w", ErrConfig)
	}
	return nil
}

type dialGuard struct{ allowed []netip.Prefix }

// control is called with the address of every connection that is about to be made.
func (g *dialGuard) control(_ context.Context, network, address string, _ syscall.RawConn) error {
	at, err := netip.ParseAddrPort(address)
	if err != nil {
		return fmt.Errorf("%s connection: %w", network, ErrAddress)
	}
	if !g.allows(at.Addr()) {
		return fmt.Errorf("connection to %s: %w", at.Addr().WithZone(""), ErrAddress)
	}
	return nil
}

func (g *dialGuard) allows(addr netip.Addr) bool {
	addr = addr.WithZone("").Unmap()
	contains := func(p netip.Prefix) bool { return p.Contains(addr) }
	if slices.ContainsFunc(g.allowed, contains) {
		return true
	}
	if !addr.IsGlobalUnicast() || addr.IsPrivate() {
		return false
	}
	if v4, ok := carried(addr); ok && !g.allows(v4) {
		return false
	}
	return !slices.ContainsFunc(specialPrefixes(), contains)
}

// carried is the IPv4 address that an IPv6 address stands for: what translates between the two would connect to it.
func carried(addr netip.Addr) (v4 netip.Addr, ok bool) {
	if addr.Is4() {
		return netip.Addr{}, false
	}
	b := addr.As16()
	switch {
	case netip.MustParsePrefix("64:ff9b::/96").Contains(addr): // NAT64
		return netip.AddrFrom4([4]byte(b[12:])), true
	case netip.MustParsePrefix("2002::/16").Contains(addr): // 6to4
		return netip.AddrFrom4([4]byte(b[2:6])), true
	}
	return netip.Addr{}, false
}

// specialPrefixes are the blocks of IANA's registries of special purposes that are no part of the public network, and
// that net/netip does not tell.
func specialPrefixes() []netip.Prefix {
	var list []netip.Prefix
	for _, p := range [...]string{
		"0.0.0.0/8", "100.64.0.0/10", "192.0.0.0/24", "192.0.2.0/24", "192.88.99.0/24", "198.18.0.0/15",
		"198.51.100.0/24", "203.0.113.0/24", "240.0.0.0/4",
		"::/96", "64:ff9b:1::/48", "100::/64", "2001::/23", "2001:db8::/32", "3fff::/20", "5f00::/16", "fec0::/10",
	} {
		list = append(list, netip.MustParsePrefix(p))
	}
	return list
}
