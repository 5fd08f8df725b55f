package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"time"

	"github.com/ccproxy-go/ccproxy"
)

// specVariable is the environment variable that makes this program one of the measured processes.
const specVariable = "CCPROXY_TORTURE_PROCESS"

// The roles of processes.
const (
	roleUpstream = "upstream"
	roleBare     = "bare"
	roleProxied  = "proxied"
)

// spec says what a process is. Limits are those of the proxy, zero for its defaults.
type spec struct {
	Role     string `json:"role"`
	Upstream string `json:"upstream,omitempty"` // base URL
	Hooks    int    `json:"hooks,omitempty"`

	Header     time.Duration `json:"header,omitempty"` // ReadHeaderTimeout of the server
	BodyIdle   time.Duration `json:"body_idle,omitempty"`
	BodyTotal  time.Duration `json:"body_total,omitempty"`
	WriteIdle  time.Duration `json:"write_idle,omitempty"`
	StreamIdle time.Duration `json:"stream_idle,omitempty"`
}

// command is what a process is asked on its standard input; the end of the input ends the process.
type command struct {
	Do    string        `json:"do"`
	Grace time.Duration `json:"grace,omitempty"`
}

// The commands.
const (
	doUsage = "usage"
	doFires = "fires" // of the upstream
	doIdle  = "idle"  // close connections that no request uses; the upstream
	doStop  = "stop"  // drain, as NewServer says, and tell how that went
)

// reply is what a process says on its standard output: once when it is ready, then to each command.
type reply struct {
	Addr  string `json:"addr,omitempty"`
	Usage usage  `json:"usage"`
	Fires fires  `json:"fires"`
	Error string `json:"error,omitempty"`
}

// child is a measured process, seen from inside.
type child struct {
	server   *http.Server
	proxy    *ccproxy.Proxy // where it is one
	upstream *upstream      // where it is one
}

// serveChild is the whole life of a measured process.
func serveChild(ctx context.Context, text string, in io.Reader, out io.Writer) error {
	var s spec
	if err := json.Unmarshal([]byte(text), &s); err != nil {
		return fmt.Errorf("%s: %w", specVariable, err)
	}
	c := new(child)
	if err := c.open(ctx, s); err != nil {
		return err
	}
	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	served := make(chan error, 1)
	go func() { served <- c.server.Serve(listener) }()
	err = c.obey(ctx, json.NewDecoder(in), json.NewEncoder(out), listener.Addr().String())
	if closing := c.server.Close(); err == nil {
		err = closing
	}
	if serving := <-served; err == nil && !errors.Is(serving, http.ErrServerClosed) {
		err = serving
	}
	if c.proxy != nil {
		ctx, cancel := context.WithTimeout(ctx, 2*time.Second)
		defer cancel()
		_ = c.proxy.Shutdown(ctx) // the process ends, whatever is left
	}
	return err
}

// open makes what the process serves.
func (c *child) open(ctx context.Context, s spec) error {
	switch s.Role {
	case roleUpstream:
		c.upstream = new(upstream)
		c.server = ccproxy.NewServer(c.upstream)
	case roleBare:
		u, err := url.Parse(s.Upstream)
		if err != nil {
			return err
		}
		c.server = ccproxy.NewServer(newBare(u))
	case roleProxied:
		proxy, err := newProxied(ctx, s)
		if err != nil {
			return err
		}
		c.proxy, c.server = proxy, ccproxy.NewServer(proxy)
	default:
		return fmt.Errorf("there is no role %q", s.Role)
	}
	if s.Header > 0 {
		c.server.ReadHeaderTimeout = s.Header
	}
	return nil
}

// newBare is the least that a proxy can be: it looks at nothing and changes nothing but the address.
func newBare(upstream *url.URL) http.Handler {
	proxy := &httputil.ReverseProxy{
		Rewrite: func(r *httputil.ProxyRequest) { r.SetURL(upstream) },
		Transport: &http.Transport{
			MaxIdleConnsPerHost: 256, IdleConnTimeout: 90 * time.Second, DisableCompression: true,
		},
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		// Without it the server may close a request's body under the transport that still sends it.
		_ = http.NewResponseController(w).EnableFullDuplex() // every HTTP/1 server of net/http can
		proxy.ServeHTTP(w, r)
	})
}

// obey says that the process is ready and does what it is told until the input ends.
func (c *child) obey(ctx context.Context, in *json.Decoder, out *json.Encoder, addr string) error {
	if err := out.Encode(reply{Addr: addr}); err != nil {
		return err
	}
	for {
		var cmd command
		if err := in.Decode(&cmd); errors.Is(err, io.EOF) {
			return nil
		} else if err != nil {
			return err
		}
		var answer reply
		if err := c.do(ctx, cmd, &answer); err != nil {
			answer.Error = err.Error()
		}
		if err := out.Encode(answer); err != nil {
			return err
		}
	}
}

func (c *child) do(ctx context.Context, cmd command, answer *reply) (err error) {
	switch cmd.Do {
	case doUsage:
		answer.Usage, err = used()
		return err
	case doFires:
		answer.Fires = c.upstream.fires()
		return nil
	case doIdle:
		c.server.SetKeepAlivesEnabled(false)
		c.server.SetKeepAlivesEnabled(true)
		return nil
	case doStop:
		return c.stop(ctx, cmd.Grace)
	}
	return fmt.Errorf("there is no command %q", cmd.Do)
}

// stop ends the proxy and its server. Its error is one of the proxy; that time ran out is none.
func (c *child) stop(ctx context.Context, grace time.Duration) error {
	stopping, cancel := context.WithTimeout(ctx, grace)
	defer cancel()
	if err := c.proxy.StopServer(stopping, c.server); !errors.Is(err, context.DeadlineExceeded) {
		return err
	}
	return nil
}
