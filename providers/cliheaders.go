package providers

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"os"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/ccproxy-go/ccproxy"
)

// CLIProgram describes a command-line program whose own headers a provider wants to send.
type CLIProgram struct {
	// Name is what [ccproxy.CLIDetector] is asked for, such as "claude". Required.
	Name string
	// Args make the program send one request.
	Args []string
	// Env gives what is to be added to the program's environment, as KEY=VALUE, for it to send that request to a base
	// URL and to read and leave nothing outside of a directory, which is empty and goes afterwards. Of the proxy's own
	// environment the program gets what it needs to run, and no credentials. Required.
	Env func(baseURL, dir string) []string
	// Headers are the names of the headers that are taken; a name may end in "*". Credentials never are.
	Headers []string
	// CacheDir keeps what was learned, in a file for each version of the program. Empty: it is kept in memory.
	CacheDir string
}

// CLIHeaders are the headers that a command-line program sends which is installed on this machine, as it says itself:
// it is run once for each of its versions against a listener on the loopback interface. Nothing is built in.
//
// Nobody waits for that: it happens in the background when somebody asks, at most every ten minutes, and there are
// none before. Its methods may be called concurrently.
type CLIHeaders struct {
	pc      *ccproxy.PluginContext
	program CLIProgram
	allowed allowList
	current atomic.Pointer[learned]

	mu      sync.Mutex
	looking bool
	next    time.Time // of the next look
}

// learned is what a version of a program sends.
type learned struct {
	Version string      `json:"version"`
	Header  http.Header `json:"headers"`
}

const (
	cliLookEvery   = 10 * time.Minute
	cliCaptureTime = 30 * time.Second
	cliLinger      = time.Second
	maxCLIHeaders  = 64
	maxCLIValue    = 4 << 10
	maxCLIRequest  = 4 << 20
)

// NewCLIHeaders returns the headers of a program, which is not run yet.
func NewCLIHeaders(pc *ccproxy.PluginContext, program CLIProgram) *CLIHeaders {
	return &CLIHeaders{pc: pc, program: program, allowed: newAllowList(program.Headers)}
}

// Header returns what is known so far; nil if that is nothing. It does not wait. The caller must not change it.
func (c *CLIHeaders) Header() http.Header {
	now := time.Now()
	c.mu.Lock()
	look := !c.looking && !now.Before(c.next)
	if look {
		c.looking, c.next = true, now.Add(cliLookEvery)
	}
	c.mu.Unlock()
	if look {
		c.pc.Go("headers of "+c.program.Name, c.look)
	}
	if known := c.current.Load(); known != nil {
		return known.Header
	}
	return nil
}

// look finds out what the installed version sends, unless that is known.
func (c *CLIHeaders) look(ctx context.Context) {
	defer func() {
		c.mu.Lock()
		defer c.mu.Unlock()
		c.looking = false
	}()
	cli, err := c.pc.CLI.Detect(ctx, c.program.Name)
	if known := c.current.Load(); err == nil && (known == nil || known.Version != cli.Version) {
		err = c.learn(ctx, cli)
	}
	if err != nil && ctx.Err() == nil {
		c.pc.Logger.WarnContext(ctx, "headers of a command-line program are not known",
			"program", c.program.Name, "error", err)
	}
}

func (c *CLIHeaders) learn(ctx context.Context, cli ccproxy.CLI) error {
	if cached, ok := c.cached(cli.Version); ok {
		c.current.Store(cached)
		return nil
	}
	h, err := c.capture(ctx, cli)
	if err != nil {
		return err
	}
	fresh := &learned{Version: cli.Version, Header: h}
	c.current.Store(fresh)
	c.pc.Logger.InfoContext(ctx, "headers of a command-line program are known",
		"program", c.program.Name, "version", cli.Version, "headers", slices.Sorted(maps.Keys(h)))
	return c.cache(fresh)
}

var errNoCLIRequest = errors.New("it sent no request")

// capture runs the program until it has sent its request.
func (c *CLIHeaders) capture(ctx context.Context, cli ccproxy.CLI) (http.Header, error) {
	ctx, cancel := context.WithTimeout(ctx, cliCaptureTime)
	defer cancel()
	dir, err := os.MkdirTemp("", "ccproxy-cli-")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir) // it holds nothing of worth
	caught, base, stop, err := c.listen(ctx)
	if err != nil {
		return nil, err
	}
	defer stop()
	run, kill := context.WithCancel(ctx)
	defer kill()
	cmd := exec.CommandContext(run, cli.Path, c.program.Args...) //nolint:gosec // an installed program, as configured
	cmd.Dir, cmd.WaitDelay = dir, cliLinger
	cmd.Env = append(neutral(cmd.Environ()), c.program.Env(base, dir)...)
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("run %s: %w", c.program.Name, err)
	}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		_ = cmd.Wait() // it is killed, or told that its request failed
	}()
	defer func() { kill(); <-ended }()
	select {
	case h := <-caught:
		return h, nil
	case <-ended:
	case <-ctx.Done():
	}
	select {
	case h := <-caught: // it was the last thing that the program did
		return h, nil
	default:
		return nil, fmt.Errorf("run %s: %w", c.program.Name, errNoCLIRequest)
	}
}

// listen takes the first request to an address that nobody can guess, on the loopback interface.
func (c *CLIHeaders) listen(ctx context.Context) (caught <-chan http.Header, base string, stop func(), err error) {
	l, err := new(net.ListenConfig).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return nil, "", nil, err
	}
	path := "/" + rand.Text()
	headers := make(chan http.Header, 1)
	server := &http.Server{
		ReadHeaderTimeout: cliCaptureTime, ReadTimeout: cliCaptureTime, WriteTimeout: cliCaptureTime,
		MaxHeaderBytes: 64 << 10,
		Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.Method != http.MethodPost || !strings.HasPrefix(r.URL.Path, path+"/") {
				w.WriteHeader(http.StatusNotFound)
				return
			}
			_, _ = io.Copy(io.Discard, io.LimitReader(r.Body, maxCLIRequest)) // so that it gets its answer
			select {
			case headers <- c.taken(r.Header):
			default:
			}
			w.Header().Set("Content-Type", "application/json")
			w.WriteHeader(http.StatusBadRequest) // which no program tries again
			_, _ = io.WriteString(w, `{"type":"error","error":{"type":"invalid_request_error","message":"captured"}}`)
		}),
	}
	var serving sync.WaitGroup
	serving.Go(func() { _ = server.Serve(l) }) // always ends with ErrServerClosed
	return headers, "http://" + l.Addr().String() + path, func() { _ = server.Close(); serving.Wait() }, nil
}

// taken are the headers that were asked for, without any that could be a credential.
func (c *CLIHeaders) taken(all http.Header) http.Header {
	h := make(http.Header)
	for name, values := range all {
		if !c.allowed.has(name) || isCredential(name) || len(values) != 1 || len(h) == maxCLIHeaders ||
			len(values[0]) > maxCLIValue {
			continue
		}
		h[name] = values
	}
	return h
}

func isCredential(name string) bool {
	name = strings.ToLower(name)
	for _, word := range [...]string{"auth", "key", "token", "cookie", "secret", "session"} {
		if strings.Contains(name, word) {
			return true
		}
	}
	return false
}

// neutral leaves of an environment what programs need to run.
func neutral(env []string) []string {
	return slices.DeleteFunc(env, func(entry string) bool {
		name, _, _ := strings.Cut(entry, "=")
		switch strings.ToUpper(name) {
		case "PATH", "PATHEXT", "SYSTEMROOT", "COMSPEC", "WINDIR", "LANG", "LC_ALL", "TMPDIR", "TEMP", "TMP":
			return false
		}
		return true
	})
}
