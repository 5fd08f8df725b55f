package command

import (
	"errors"
	"fmt"
	"io"
	"net"
	"slices"
	"strings"

	"github.com/ccproxy-go/ccproxy"
	"github.com/ccproxy-go/ccproxy/config"
)

// banner says where the server is, what is there, what is not and why, and how clients find it.
type banner struct {
	title     string
	address   string // as in URLs
	path      string // of the configuration
	keys      int
	endpoints []ccproxy.EndpointInfo
	statuses  []ccproxy.PluginStatus
}

func (s *server) banner() banner {
	proxy := s.handle.Proxy()
	return banner{
		title: s.app.Name + " " + s.app.Version, address: addressOf(s.file, s.listener.Addr()), path: s.file.Path,
		keys: len(s.file.Settings.Security.Keys), endpoints: proxy.Endpoints(), statuses: proxy.Statuses(),
	}
}

// addressOf is an address that clients can use: the public one, or one for programs of the same machine.
func addressOf(f *config.File, addr net.Addr) string {
	if f.Server.PublicURL != "" {
		return strings.TrimRight(f.Server.PublicURL, "/")
	}
	tcp, ok := addr.(*net.TCPAddr)
	if ok && tcp.IP.IsUnspecified() {
		addr = &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: tcp.Port}
	}
	return "http://" + addr.String()
}

func (b banner) write(w io.Writer) error {
	var out strings.Builder
	fmt.Fprintf(&out, "%s on %s\n", b.title, b.address)
	if b.path != "" {
		fmt.Fprintf(&out, "configured by %s\n", b.path)
	}
	if b.keys == 0 {
		out.WriteString("no key is asked for: programs of this machine may call\n")
	} else {
		out.WriteString("a key is asked for, as x-api-key or as Authorization: Bearer\n")
	}
	b.plugins(&out)
	b.hints(&out)
	_, err := io.WriteString(w, out.String())
	return err
}

// plugins lists those that run with what they answer at, and those that do not with the reason.
func (b banner) plugins(out *strings.Builder) {
	var on, off table
	for _, s := range b.statuses {
		switch {
		case s.State == "active":
			on.add("  "+s.Name, strings.Join(b.mounts(s.Name), " "))
		case s.Reason != nil:
			off.add("  "+s.Name, joinLines(s.Reason)+remedy(s))
		default:
			off.add("  "+s.Name, s.State)
		}
	}
	on.head, off.head = []string{"\nplugins"}, []string{"\nleft out"}
	for _, t := range []table{on, off} {
		if len(t.rows) > 0 {
			out.WriteString(strings.TrimLeft(t.head[0], " ") + "\n")
			_ = (&table{head: t.rows[0], rows: t.rows[1:]}).write(out) // a builder has no errors
		}
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

// mounts lists the first segments of a plugin's paths.
func (b banner) mounts(plugin string) []string {
	var found []string
	for _, e := range b.endpoints {
		first, _, _ := strings.Cut(strings.TrimPrefix(e.Path, "/"), "/")
		if path := "/" + first; e.Plugin == plugin && !slices.Contains(found, path) {
			found = append(found, path)
		}
	}
	return found
}

// hints are lines for the shells of clients. The keys themselves stay out of terminals and logs.
func (b banner) hints(out *strings.Builder) {
	key := "unused"
	if b.keys > 0 {
		key = "<the key>"
	}
	fmt.Fprintf(out, "\nfor clients\n"+
		"  export ANTHROPIC_BASE_URL=%s\n  export ANTHROPIC_API_KEY='%s'\n"+
		"  export OPENAI_BASE_URL=%s/v1\n  export OPENAI_API_KEY='%s'\n\n", b.address, key, b.address, key)
}
