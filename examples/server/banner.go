package main

import (
	"fmt"
	"io"
	"net"
	"slices"
	"strings"

	"github.com/ccproxy-go/ccproxy"
	"github.com/ccproxy-go/ccproxy/providers/echo"
)

// banner says where the server is, what each plugin has there, and how to try it.
type banner struct {
	address string // as in URLs
	plugins []string
	lines   []string // one for each mount
}

func newBanner(addr net.Addr, manifests []ccproxy.Manifest, statuses []ccproxy.PluginStatus) banner {
	b := banner{address: "http://" + reachable(addr)}
	for _, s := range statuses {
		if s.State == "active" {
			b.plugins = append(b.plugins, s.Name)
		}
	}
	for _, m := range manifests {
		if slices.Contains(b.plugins, m.Name) {
			b.mounts(m)
		}
	}
	return b
}

// reachable is an address that a client on the same machine can use.
func reachable(addr net.Addr) string {
	tcp, ok := addr.(*net.TCPAddr)
	if ok && tcp.IP.IsUnspecified() {
		return (&net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: tcp.Port}).String()
	}
	return addr.String()
}

// mounts adds what a plugin answers at: a base URL for each of its providers, and its routes.
func (b *banner) mounts(m ccproxy.Manifest) {
	add := func(format string, args ...any) {
		b.lines = append(b.lines, fmt.Sprintf("  %-14s ", m.Name)+fmt.Sprintf(format, args...))
	}
	for _, p := range m.Providers {
		name := p.Name
		if name == "" {
			name = m.Name
		}
		var formats []string
		for _, f := range p.Formats {
			formats = append(formats, string(f))
		}
		add("%s/%s  (base URL, %s)", b.address, name, strings.Join(formats, ", "))
	}
	for _, r := range m.Routes {
		for _, e := range r.Endpoints {
			method := e.Method
			if method == "" {
				method = "GET"
			}
			add("%s %s%s%s", method, b.address, r.Prefix, e.Pattern)
		}
	}
}

// try is a command that works without any key: echo answers, or else the proxy tells of its health.
func (b *banner) try() string {
	if !slices.Contains(b.plugins, echo.Name) {
		return "curl -sS " + b.address + "/health"
	}
	return "curl -sS " + b.address + "/echo/v1/messages -H 'content-type: application/json' " +
		`-d '{"model":"echo-1","max_tokens":64,"messages":[{"role":"user","content":"Hello"}]}'`
}

func (b *banner) write(w io.Writer) error {
	mounts := strings.Join(b.lines, "\n")
	if mounts == "" {
		mounts = "  no plugin serves anything"
	}
	const layout = "ccproxy %s on %s\n\n%s\n\nTry it:\n\n  %s\n\n"
	_, err := fmt.Fprintf(w, layout, ccproxy.Version, b.address, mounts, b.try())
	return err
}
