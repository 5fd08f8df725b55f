package main

import (
	"errors"
	"fmt"
	"io"
	"net"
	"slices"
	"strings"

	"github.com/ccproxy-go/ccproxy"
	"github.com/ccproxy-go/ccproxy/config"
	"github.com/ccproxy-go/ccproxy/providers/echo"
)

// banner says where the server is, what is there, what is not and why, and how to try it.
type banner struct {
	address   string // as in URLs
	keys      int
	host      string // what to send as Host, if the address will not do
	endpoints []ccproxy.EndpointInfo
	statuses  []ccproxy.PluginStatus
}

func (s *server) banner() banner {
	proxy, security := s.handle.Proxy(), s.file.Settings.Security
	b := banner{
		address: "http://" + reachable(s.listener.Addr()), keys: len(security.Keys),
		endpoints: proxy.Endpoints(), statuses: proxy.Statuses(),
	}
	if len(security.Hosts) > 0 {
		b.host = security.Hosts[0]
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

func (b banner) write(w io.Writer) error {
	var out strings.Builder
	fmt.Fprintf(&out, "ccproxy %s on %s\n%s\n", ccproxy.Version, b.address, b.access())
	for _, s := range b.statuses {
		b.mounts(&out, s.Name)
	}
	fmt.Fprintf(&out, "\nthe proxy itself: %s\n", strings.Join(b.core(), ", "))
	b.leftOut(&out)
	fmt.Fprintf(&out, "\nTry it%s:\n\n  %s\n\n", b.condition(), b.try())
	_, err := io.WriteString(w, out.String())
	return err
}

// access tells who may call.
func (b banner) access() string {
	switch b.keys {
	case 0:
		return "No key is asked for: programs of this machine may call."
	case 1:
		return "A key is asked for, as x-api-key or as Authorization: Bearer."
	default:
		return fmt.Sprintf("One of %d keys is asked for, as x-api-key or as Authorization: Bearer.", b.keys)
	}
}

// mounts lists what a plugin answers at.
func (b banner) mounts(out *strings.Builder, plugin string) {
	width := 0
	var own []ccproxy.EndpointInfo
	for _, e := range b.endpoints {
		if e.Plugin == plugin {
			own, width = append(own, e), max(width, len(e.Path))
		}
	}
	if len(own) == 0 {
		return
	}
	fmt.Fprintf(out, "\n%s\n", plugin)
	for _, e := range own {
		line := fmt.Sprintf("  %-6s %-*s  %s", e.Method, width, e.Path, e.Summary)
		out.WriteString(strings.TrimRight(line, " ") + "\n")
	}
}

// core lists the first segments of the proxy's own paths.
func (b banner) core() []string {
	var paths []string
	for _, e := range b.endpoints {
		first, _, _ := strings.Cut(strings.TrimPrefix(e.Path, "/"), "/")
		if path := "/" + first; e.Plugin == "" && !slices.Contains(paths, path) {
			paths = append(paths, path)
		}
	}
	return paths
}

// leftOut lists the plugins that do not run.
func (b banner) leftOut(out *strings.Builder) {
	head := "\nleft out\n"
	for _, s := range b.statuses {
		if s.State == "active" {
			continue
		}
		reason := s.State
		if s.Reason != nil {
			reason = strings.ReplaceAll(s.Reason.Error(), "\n", "; ") + remedy(s)
		}
		fmt.Fprintf(out, "%s  %s: %s\n", head, s.Name, reason)
		head = ""
	}
}

// remedy is what a plugin that opted out for want of a key waits for.
func remedy(s ccproxy.PluginStatus) string {
	for _, v := range config.KeyVariables() {
		if v.Plugin == s.Name && errors.Is(s.Reason, ccproxy.ErrSkip) {
			return " (set " + v.Variable + ", or plugins." + v.Plugin + "." + v.Key + ")"
		}
	}
	return ""
}

func (b banner) condition() string {
	if b.keys > 0 && b.hasEcho() {
		return ", with a key in CCPROXY_KEY"
	}
	return ""
}

func (b banner) hasEcho() bool {
	return slices.ContainsFunc(b.endpoints, func(e ccproxy.EndpointInfo) bool {
		return e.Plugin == echo.Name && e.Path == "/echo/v1/messages"
	})
}

// try is a command for a shell that needs no upstream: echo answers, or else the proxy tells of its health.
func (b banner) try() string {
	command := "curl -sS " + b.address
	if b.hasEcho() {
		command += "/echo/v1/messages"
	} else {
		command += "/health"
	}
	if b.host != "" {
		command += " -H 'host: " + b.host + "'"
	}
	if !b.hasEcho() {
		return command
	}
	if b.keys > 0 {
		command += ` -H "x-api-key: $CCPROXY_KEY"`
	}
	return command + " -H 'content-type: application/json' " +
		`-d '{"model":"echo-1","max_tokens":64,"messages":[{"role":"user","content":"Hello"}]}'`
}
