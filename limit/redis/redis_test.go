package redis_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/alicebob/miniredis/v2"
	goredis "github.com/redis/go-redis/v9"
	"go.uber.org/goleak"

	"github.com/ccproxy-go/ccproxy/limit"
	"github.com/ccproxy-go/ccproxy/limit/limittest"
	"github.com/ccproxy-go/ccproxy/limit/redis"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// open makes a limiter at an address.
func open(t *testing.T, address string) *redis.Limiter {
	t.Helper()
	l, err := redis.Open(address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := l.Close(); err != nil {
			t.Error(err)
		}
	})
	return l
}

// finish ends what a case has left running, so that no goroutine stays for it.
type finish struct {
	*redis.Limiter

	begun chan limit.Request
}

func (f finish) Begin(ctx context.Context, r limit.Request) (limit.Decision, error) {
	d, err := f.Limiter.Begin(ctx, r)
	if err == nil && d.Refused == "" {
		f.begun <- r
	}
	return d, err
}

func finishing(t *testing.T, l *redis.Limiter) finish {
	t.Helper()
	f := finish{l, make(chan limit.Request, 1<<14)}
	t.Cleanup(func() {
		for len(f.begun) > 0 {
			_ = l.End(context.Background(), <-f.begun, 0)
		}
	})
	return f
}

// TestMini runs the suite on a clock of its own.
func TestMini(t *testing.T) {
	t.Parallel()
	for _, c := range limittest.Cases() {
		t.Run(c.Name, func(t *testing.T) {
			t.Parallel()
			server := miniredis.RunT(t)
			now := time.Now()
			server.SetTime(now)
			l := open(t, "redis://"+server.Addr())
			l.Timeout = 10 * time.Second // the machine may be busy
			c.Test(t, limittest.Rig{Limiter: finishing(t, l), Advance: func(d time.Duration) {
				now = now.Add(d)
				server.SetTime(now)
				server.FastForward(d)
			}})
			if t.Failed() {
				return
			}
			server.FastForward(limit.MaxDebt + 2*limit.Window)
			if left := server.Keys(); len(left) > 0 {
				t.Errorf("keys that stay: %q", left)
			}
		})
	}
}

// TestServer runs it on a real one.
func TestServer(t *testing.T) {
	t.Parallel()
	address := startServer(t)
	for i, c := range limittest.Cases() {
		t.Run(c.Name, func(t *testing.T) {
			t.Parallel()
			l := open(t, address)
			l.Prefix, l.Timeout = fmt.Sprintf("case %d:", i), 10*time.Second
			c.Test(t, limittest.Rig{Limiter: finishing(t, l), Advance: time.Sleep})
		})
	}
}

// startServer starts a redis-server of the test's own and returns its address.
func startServer(t *testing.T) string {
	t.Helper()
	program, err := exec.LookPath("redis-server")
	if err != nil {
		t.Skip("redis-server is not installed")
	}
	dir, err := os.MkdirTemp("", "redis") //nolint:usetesting // a socket's path must be short
	if err != nil {
		t.Fatal(err)
	}
	socket := filepath.Join(dir, "s")
	cmd := exec.CommandContext(context.Background(), program,
		"--port", "0", "--unixsocket", socket, "--save", "", "--appendonly", "no", "--dir", dir)
	if err := cmd.Start(); err != nil {
		t.Skipf("redis-server does not start: %v", err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
		_ = os.RemoveAll(dir)
	})
	for range 500 {
		conn, err := (&net.Dialer{}).DialContext(t.Context(), "unix", socket)
		if err == nil {
			_ = conn.Close()
			return "unix://" + socket
		}
		time.Sleep(20 * time.Millisecond)
	}
	t.Fatal("redis-server does not answer")
	return ""
}

// Two processes share what a caller has left, and one that dies gives back what it held when its lease has ended.
func TestShared(t *testing.T) {
	t.Parallel()
	server := miniredis.RunT(t)
	now := time.Now()
	server.SetTime(now)
	one, two := open(t, "redis://"+server.Addr()), open(t, "redis://"+server.Addr())
	p := limit.Policy{Concurrency: 1, RequestsPerMinute: 100, TokensPerMinute: 100}
	r := limit.Request{Key: "k", ID: "1", Policy: p}
	begin := func(l *redis.Limiter, id string) limit.Decision {
		t.Helper()
		d, err := l.Begin(t.Context(), limit.Request{Key: "k", ID: id, Policy: p})
		if err != nil {
			t.Fatal(err)
		}
		return d
	}
	if d := begin(one, "1"); d.Refused != "" {
		t.Fatalf("first: %+v", d)
	}
	if d := begin(two, "2"); d.Refused != limit.Concurrency || d.Requests.Remaining != 99 {
		t.Errorf("the other process: %+v", d)
	}
	server.SetTime(now.Add(redis.DefaultLease + time.Second)) // nobody has renewed
	if d := begin(two, "3"); d.Refused != "" {
		t.Errorf("after the lease: %+v", d)
	}
	if err := one.End(t.Context(), r, 150); err != nil {
		t.Fatal(err)
	}
	if d := begin(one, "4"); d.Refused != limit.Tokens || d.Tokens.Remaining != 0 {
		t.Errorf("what the other has taken: %+v", d)
	}
	if err := two.End(t.Context(), limit.Request{Key: "k", ID: "3", Policy: p}, 0); err != nil {
		t.Fatal(err)
	}
}

// A request that runs for longer than the lease keeps its place.
func TestRenewal(t *testing.T) {
	t.Parallel()
	server := miniredis.RunT(t)
	now := time.Now()
	server.SetTime(now)
	l := open(t, "redis://"+server.Addr())
	l.Lease, l.Timeout = time.Second, 10*time.Second
	p := limit.Policy{Concurrency: 1}
	first := limit.Request{Key: "k", ID: "1", Policy: p}
	if d, err := l.Begin(t.Context(), first); err != nil || d.Refused != "" {
		t.Fatalf("%+v, %v", d, err)
	}
	before := score(t, server)
	server.SetTime(now.Add(900 * time.Millisecond))
	for deadline := time.Now().Add(20 * time.Second); score(t, server) == before; {
		if time.Now().After(deadline) {
			t.Fatal("the lease was not renewed")
		}
		time.Sleep(20 * time.Millisecond)
	}
	server.SetTime(now.Add(1500 * time.Millisecond))
	if d, err := l.Begin(t.Context(), limit.Request{Key: "k", ID: "2", Policy: p}); err != nil || d.Refused == "" {
		t.Errorf("beside one that runs: %+v, %v", d, err)
	}
	if err := l.End(t.Context(), first, 0); err != nil {
		t.Fatal(err)
	}
	if keys := server.Keys(); len(keys) > 0 {
		t.Errorf("keys after the end: %q", keys)
	}
}

// score is the end of the only lease there is.
func score(t *testing.T, server *miniredis.Miniredis) float64 {
	t.Helper()
	keys := server.Keys()
	if len(keys) != 1 {
		t.Fatalf("keys %q, want that of a lease", keys)
	}
	members, err := server.ZMembers(keys[0])
	if err != nil || len(members) != 1 {
		t.Fatalf("%s: %q, %v", keys[0], members, err)
	}
	s, err := server.ZScore(keys[0], members[0])
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// A Redis that is away is an error at once, and is asked again after a pause.
func TestAway(t *testing.T) {
	t.Parallel()
	server := miniredis.RunT(t)
	l := open(t, "redis://"+server.Addr())
	l.Pause, l.Timeout = 300*time.Millisecond, 5*time.Second
	r := limit.Request{Key: "k", ID: "1", Policy: limit.Policy{RequestsPerMinute: 10}}
	server.SetError("LOADING it is not ready")
	if _, err := l.Begin(t.Context(), r); !errors.Is(err, redis.ErrUnavailable) {
		t.Fatalf("Begin: %v, want ErrUnavailable", err)
	}
	server.SetError("")
	if _, err := l.Begin(t.Context(), r); !errors.Is(err, redis.ErrUnavailable) {
		t.Errorf("Begin in the pause: %v, want ErrUnavailable", err)
	}
	time.Sleep(l.Pause)
	if d, err := l.Begin(t.Context(), r); err != nil || d.Requests.Remaining != 9 {
		t.Errorf("Begin after the pause: %+v, %v", d, err)
	}
}

func TestOpen(t *testing.T) {
	t.Parallel()
	const password = "a-very-secret-word"
	_, err := redis.Open("http://user:" + password + "@host")
	if !errors.Is(err, redis.ErrAddress) || fmt.Sprint(err) != redis.ErrAddress.Error() {
		t.Errorf("Open: %v", err)
	}
	if err := (&redis.Limiter{}).Close(); err != nil {
		t.Errorf("Close of a limiter that Open did not make: %v", err)
	}
	if _, err := (&redis.Limiter{}).Begin(t.Context(), limit.Request{Policy: limit.Policy{Concurrency: 1}}); err == nil {
		t.Error("Begin without a client")
	}
}

// meddler stands between a limiter and Redis.
type meddler struct {
	goredis.Hook

	process func(ctx context.Context, cmd goredis.Cmder, next goredis.ProcessHook) error
}

func (m meddler) DialHook(next goredis.DialHook) goredis.DialHook { return next }

func (m meddler) ProcessPipelineHook(next goredis.ProcessPipelineHook) goredis.ProcessPipelineHook {
	return next
}

func (m meddler) ProcessHook(next goredis.ProcessHook) goredis.ProcessHook {
	return func(ctx context.Context, cmd goredis.Cmder) error { return m.process(ctx, cmd, next) }
}

// What Redis has let in counts nothing if its caller has left, or given up, before the answer was there.
func TestAbandoned(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name    string
		leaves  bool
		timeout time.Duration
		policy  limit.Policy
		want    error
	}{
		{"the client leaves", true, time.Minute, limit.Policy{Concurrency: 1, RequestsPerMinute: 10}, context.Canceled},
		{"without concurrency", true, time.Minute, limit.Policy{RequestsPerMinute: 10}, context.Canceled},
		{"no answer in time", false, time.Second, limit.Policy{Concurrency: 1, RequestsPerMinute: 10}, redis.ErrUnavailable},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			server := miniredis.RunT(t)
			server.SetTime(time.Now())
			l := open(t, "redis://"+server.Addr())
			l.Timeout, l.Pause = tt.timeout, time.Nanosecond
			ctx, leave := context.WithCancel(t.Context())
			defer leave()
			var once sync.Once
			returned := make(chan struct{})
			l.Client.AddHook(meddler{process: func(ctx context.Context, cmd goredis.Cmder, next goredis.ProcessHook) error {
				err := next(ctx, cmd)
				if err != nil || cmd.Name() != "eval" {
					return err
				}
				once.Do(func() { // the script has run, and its answer is still under way
					if tt.leaves {
						leave()
					}
					select {
					case <-returned:
					case <-ctx.Done():
						err = ctx.Err()
					}
				})
				return err
			}})
			r := limit.Request{Key: "k", ID: "1", Policy: tt.policy}
			if d, err := l.Begin(ctx, r); !errors.Is(err, tt.want) {
				t.Errorf("Begin: %+v, %v, want %v", d, err, tt.want)
			}
			close(returned)
			if err := l.Close(); err != nil {
				t.Fatal(err)
			}
			another := open(t, "redis://"+server.Addr())
			r.ID = "2"
			d, err := another.Begin(t.Context(), r)
			if err != nil || d.Refused != "" || d.Requests.Remaining != 9 {
				t.Errorf("the next request: %+v, %v", d, err)
			}
			if err := another.End(t.Context(), r, 0); err != nil {
				t.Error(err)
			}
		})
	}
}
