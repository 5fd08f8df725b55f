package permissions

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"strings"
	"time"

	"github.com/ccproxy-go/ccproxy"
)

// defaultURL is where the command's server listens by default.
const defaultURL = "http://127.0.0.1:8000"

// watchCommand asks at a terminal. The proxy that it answers for is another process.
func watchCommand() ccproxy.CommandSpec {
	return ccproxy.CommandSpec{
		Name: "watch", Parent: Name, Description: "Show permission requests of a running proxy and ask for answers",
		Options: []ccproxy.CommandOption{
			{Name: "url", Description: "the proxy's address; by default that of this configuration"},
		},
		New: func(pc *ccproxy.PluginContext) (func(context.Context, ccproxy.Invocation) error, error) {
			cfg, err := ccproxy.ConfigOf[Config](pc)
			if err != nil {
				return nil, err
			}
			return func(ctx context.Context, inv ccproxy.Invocation) error {
				if !isTerminal(inv.Stdin) {
					return errNoTerminal
				}
				c, err := newClient(cmp.Or(inv.Flags["url"], pc.PublicURL(), defaultURL), cfg)
				if err != nil {
					return err
				}
				defer c.http.CloseIdleConnections()
				err = (&prompter{client: c, in: inv.Stdin, out: inv.Stdout}).run(ctx)
				if e, ok := errors.AsType[*statusError](err); ok && e.status == http.StatusUnauthorized {
					return fmt.Errorf("plugins.%s.key: %w", Name, err)
				}
				return err
			}, nil
		},
	}
}

var errNoTerminal = errors.New("standard input is not a terminal: nobody could be asked")

// isTerminal tells whether a person is at the other end of a stream.
func isTerminal(in io.Reader) bool {
	f, ok := in.(*os.File)
	if !ok {
		return false
	}
	info, err := f.Stat()
	if err != nil || info.Mode()&os.ModeCharDevice == 0 {
		return false
	}
	null, err := os.Stat(os.DevNull)
	return err != nil || !os.SameFile(info, null)
}

func newClient(base string, cfg *Config) (*client, error) {
	u, err := url.Parse(base)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" || u.User != nil || u.RawQuery != "" {
		return nil, fmt.Errorf("option url: must be an address such as %s", defaultURL)
	}
	if ip := net.ParseIP(u.Hostname()); !cfg.Key.IsZero() && u.Scheme == "http" && u.Hostname() != "localhost" &&
		(ip == nil || !ip.IsLoopback()) {
		return nil, errors.New("option url: the key would be sent to another machine without https")
	}
	return &client{
		base: strings.TrimRight(base, "/"), key: cfg.Key,
		http: &http.Client{
			Transport: &http.Transport{
				DialContext:         (&net.Dialer{Timeout: 10 * time.Second}).DialContext,
				TLSHandshakeTimeout: 10 * time.Second, ResponseHeaderTimeout: 30 * time.Second,
			},
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		},
	}, nil
}
