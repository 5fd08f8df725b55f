package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"runtime"
	"runtime/pprof"
	"time"
)

// specVariable is the environment variable that makes this program one of the measured processes.
const specVariable = "CCPROXY_BENCH_PROCESS"

// stopTimeout is how long the proxy of a process that ends may wait for its requests.
const stopTimeout = 2 * time.Second

// The roles of processes.
const (
	roleUpstream = "upstream"
	roleBare     = "bare"
	roleProxied  = "proxied"
)

// spec says what a process is.
type spec struct {
	Role     string        `json:"role"`
	Upstream string        `json:"upstream,omitempty"` // base URL
	Hooks    int           `json:"hooks,omitempty"`
	Chunks   bool          `json:"chunks,omitempty"`
	Pause    time.Duration `json:"pause,omitempty"`
	Dialect  string        `json:"dialect,omitempty"` // of the upstream
}

// command is what a process is asked on its standard input; the end of the input ends the process.
type command struct {
	Do   string `json:"do"`
	Path string `json:"path,omitempty"`
}

// The commands.
const (
	doUsage      = "usage"
	doCPUProfile = "cpu profile" // until the process ends
	doMemProfile = "mem profile" // of all that was allocated so far
)

// reply is what a process says on its standard output: once when it is ready, then to each command.
type reply struct {
	Addr  string `json:"addr,omitempty"`
	Usage usage  `json:"usage"`
	Error string `json:"error,omitempty"`
}

// usage is what a process has used since it started.
type usage struct {
	CPU     time.Duration `json:"cpu"` // user and system
	Allocs  uint64        `json:"allocs"`
	Bytes   uint64        `json:"bytes"` // allocated
	PeakRSS int64         `json:"peak_rss"`
	Hooks   int64         `json:"hooks"` // calls of hooks
}

// child is a measured process, seen from inside.
type child struct {
	count   hookCount
	hooked  bool
	profile *os.File
}

// serveChild is the whole life of a measured process.
func serveChild(ctx context.Context, text string, in io.Reader, out io.Writer) error {
	var s spec
	if err := json.Unmarshal([]byte(text), &s); err != nil {
		return fmt.Errorf("%s: %w", specVariable, err)
	}
	c := &child{hooked: s.Hooks > 0 || s.Chunks}
	handler, stop, err := c.handler(ctx, s)
	if err != nil {
		return err
	}
	defer stop()
	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	server := &http.Server{Handler: handler, ReadHeaderTimeout: time.Minute}
	served := make(chan error, 1)
	go func() { served <- server.Serve(listener) }()
	err = c.obey(json.NewDecoder(in), json.NewEncoder(out), listener.Addr().String())
	if closing := server.Close(); err == nil {
		err = closing
	}
	if serving := <-served; err == nil && !errors.Is(serving, http.ErrServerClosed) {
		err = serving
	}
	return errors.Join(err, c.endProfile())
}

// handler is what the process serves, and the function that releases it.
func (c *child) handler(ctx context.Context, s spec) (http.Handler, func(), error) {
	switch s.Role {
	case roleUpstream:
		return newUpstream(s.Dialect, s.Pause), func() {}, nil
	case roleBare:
		u, err := url.Parse(s.Upstream)
		if err != nil {
			return nil, nil, err
		}
		return newBare(u), func() {}, nil
	case roleProxied:
		proxy, err := newProxied(ctx, s, &c.count)
		if err != nil {
			return nil, nil, err
		}
		return proxy, func() {
			ctx, cancel := context.WithTimeout(ctx, stopTimeout)
			defer cancel()
			_ = proxy.Shutdown(ctx) // the process ends, whatever is left
		}, nil
	}
	return nil, nil, fmt.Errorf("there is no role %q", s.Role)
}

// obey says that the process is ready and does what it is told until the input ends.
func (c *child) obey(in *json.Decoder, out *json.Encoder, addr string) error {
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
		if err := c.do(cmd, &answer); err != nil {
			answer.Error = err.Error()
		}
		if err := out.Encode(answer); err != nil {
			return err
		}
	}
}

func (c *child) do(cmd command, answer *reply) (err error) {
	switch cmd.Do {
	case doUsage:
		answer.Usage, err = c.usage()
		return err
	case doCPUProfile:
		if c.profile, err = os.Create(cmd.Path); err != nil {
			return err
		}
		return pprof.StartCPUProfile(c.profile)
	case doMemProfile:
		return writeAllocs(cmd.Path)
	}
	return fmt.Errorf("there is no command %q", cmd.Do)
}

func (c *child) usage() (usage, error) {
	if c.hooked {
		c.count.settle()
	}
	cpu, err := cpuTime()
	if err != nil {
		return usage{}, err
	}
	var mem runtime.MemStats
	runtime.ReadMemStats(&mem)
	return usage{
		CPU: cpu, Allocs: mem.Mallocs, Bytes: mem.TotalAlloc, PeakRSS: peakRSS(), Hooks: c.count.calls.Load(),
	}, nil
}

func (c *child) endProfile() error {
	if c.profile == nil {
		return nil
	}
	pprof.StopCPUProfile()
	return c.profile.Close()
}

func writeAllocs(path string) error {
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	return errors.Join(pprof.Lookup("allocs").WriteTo(f, 0), f.Close())
}

// peakRSS is the most memory that the process has held, or 0 where the system does not say.
func peakRSS() int64 {
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		return 0
	}
	_, rest, found := bytes.Cut(status, []byte("VmHWM:"))
	var kilobytes int64
	if _, err := fmt.Sscan(string(rest), &kilobytes); !found || err != nil {
		return 0
	}
	return kilobytes << 10
}
