package system

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"runtime/pprof"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/ccproxy-go/ccproxy"
)

// specVariable is the environment variable that makes this program one of the measured proxies.
const specVariable = "CCPROXY_SYSTEM_PROCESS"

// spec says what a measured proxy is.
type spec struct {
	Upstream string
	System   bool   // with the plugins of system/
	Log      string // where access_log writes
	Profile  string // of its CPU, if set
}

// usage is what a process has used since it started.
type usage struct {
	CPU             time.Duration // user and system
	Allocs          uint64
	Dropped, Failed int64 // events
}

// serve is the whole life of a measured proxy. It ends with its standard input.
func serve(ctx context.Context, text string) error {
	var s spec
	if err := json.Unmarshal([]byte(text), &s); err != nil {
		return err
	}
	settings := ccproxy.Settings{Plugins: providerTables(s.Upstream)}
	if s.System {
		settings.Plugins = providerTables(s.Upstream).with(systemTables()).with(tables{
			"access_log": {"client_log_file": s.Log},
		})
	}
	proxy, eye, err := build(settings, nil, s.System)
	if err != nil {
		return err
	}
	if err := proxy.Start(ctx); err != nil {
		return err
	}
	defer func() { _ = proxy.Shutdown(ctx) }()
	mux := http.NewServeMux()
	mux.Handle("/", proxy)
	mux.HandleFunc("GET /usage", func(w http.ResponseWriter, r *http.Request) {
		_ = json.NewEncoder(w).Encode(settled(r.Context(), eye))
	})
	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	if s.Profile != "" {
		stop, err := profile(s.Profile)
		if err != nil {
			return err
		}
		defer stop()
	}
	server := ccproxy.NewServer(mux)
	go func() {
		_, _ = io.Copy(io.Discard, os.Stdin)
		_ = server.Close()
	}()
	fmt.Fprintln(os.Stdout, listener.Addr())
	if err := server.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}

func profile(path string) (stop func(), err error) {
	f, err := os.Create(path)
	if err != nil {
		return nil, err
	}
	return func() {
		pprof.StopCPUProfile()
		_ = f.Close()
		if a, err := os.Create(strings.TrimSuffix(path, ".cpu") + ".allocs"); err == nil {
			_ = pprof.Lookup("allocs").WriteTo(a, 0)
			_ = a.Close()
		}
	}, pprof.StartCPUProfile(f)
}

// settled waits for the work that goes on beside requests, which belongs to them, and tells what was used.
func settled(ctx context.Context, eye *observer) usage {
	var u usage
	for {
		var waiting int64
		if waiting, u.Dropped, u.Failed = eye.waiting(ctx); waiting == 0 {
			break
		}
		time.Sleep(20 * time.Millisecond) // of another process
	}
	var r syscall.Rusage
	_ = syscall.Getrusage(syscall.RUSAGE_SELF, &r)
	u.CPU = time.Duration(r.Utime.Nano() + r.Stime.Nano())
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	u.Allocs = m.Mallocs
	return u
}

// process is a measured proxy, seen from outside.
type process struct {
	base   string
	client *http.Client
}

func start(t *testing.T, upstream string, system bool) *process {
	t.Helper()
	dir := os.Getenv("CCPROXY_SYSTEM_PROFILES")
	s := spec{Upstream: upstream, System: system, Log: filepath.Join(t.TempDir(), "access.log")}
	if dir != "" {
		s.Profile = filepath.Join(dir, fmt.Sprintf("%s-%t.cpu", strings.ReplaceAll(t.Name(), "/", "-"), system))
	}
	text, err := json.Marshal(s)
	if err != nil {
		t.Fatal(err)
	}
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(context.WithoutCancel(t.Context()), self)
	cmd.Env = append(os.Environ(), specVariable+"="+string(text))
	cmd.Stderr, cmd.WaitDelay = os.Stderr, 10*time.Second
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	transport := &http.Transport{MaxIdleConnsPerHost: 64, DisableCompression: true}
	t.Cleanup(func() {
		transport.CloseIdleConnections()
		_ = in.Close()
		if err := cmd.Wait(); err != nil {
			t.Errorf("the measured process: %v", err)
		}
	})
	addr, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		t.Fatalf("the measured process did not start: %v", err)
	}
	return &process{base: "http://" + strings.TrimSpace(addr), client: &http.Client{Transport: transport}}
}

// usage is what the process has used so far, all that its requests have left to do included.
func (p *process) usage(t *testing.T) (u usage) {
	t.Helper()
	resp, err := p.client.Get(p.base + "/usage")
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if err := json.NewDecoder(resp.Body).Decode(&u); err != nil {
		t.Fatal(err)
	}
	return u
}
