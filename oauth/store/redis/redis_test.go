package redis_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/alicebob/miniredis/v2"
	goredis "github.com/redis/go-redis/v9"
	"go.uber.org/goleak"

	"github.com/ccproxy-go/ccproxy/oauth"
	"github.com/ccproxy-go/ccproxy/oauth/store"
	"github.com/ccproxy-go/ccproxy/oauth/store/redis"
	"github.com/ccproxy-go/ccproxy/oauth/store/storetest"
)

func TestMain(m *testing.M) {
	if storetest.Child(os.Args, open) {
		return
	}
	goredis.SetLogger(silence{}) // it tells of every server that is away
	goleak.VerifyTestMain(m)
}

type silence struct{}

func (silence) Printf(context.Context, string, ...any) {}

// lease is short, so that tests see it end.
const lease = 600 * time.Millisecond

// patience is how long a command may take where no test is about that: a busy machine is no fault.
const patience = time.Minute

// open opens a store by the address of the server and the prefix, which have a space between them.
func open(place string) (oauth.Store, error) {
	address, prefix, _ := strings.Cut(place, " ")
	s, err := redis.Open(address)
	if err != nil {
		return nil, err
	}
	s.Prefix, s.Lease, s.Timeout = prefix, lease, patience
	return s, nil
}

func mustOpen(t *testing.T, place string) *redis.Store {
	t.Helper()
	s, err := open(place)
	if err != nil {
		t.Fatal(err)
	}
	r := s.(*redis.Store)
	t.Cleanup(func() { _ = r.Close() })
	return r
}

// mini starts a double of Redis whose time passes.
func mini(t *testing.T) (string, *miniredis.Miniredis) {
	t.Helper()
	server := miniredis.NewMiniRedis()
	if err := server.Start(); err != nil {
		t.Fatal(err)
	}
	stop, stopped := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(stopped)
		tick := time.NewTicker(20 * time.Millisecond)
		defer tick.Stop()
		for {
			select {
			case <-tick.C:
				server.FastForward(20 * time.Millisecond)
			case <-stop:
				return
			}
		}
	}()
	t.Cleanup(func() {
		close(stop)
		<-stopped
		server.Close()
	})
	return "redis://" + server.Addr(), server
}

// daemon is a real server, on a socket of its own. It keeps what it was told when it is stopped and started again.
type daemon struct {
	t            *testing.T
	program, dir string
	address      string
	cmd          *exec.Cmd
}

func startDaemon(t *testing.T) *daemon {
	t.Helper()
	program, err := exec.LookPath("redis-server")
	if err != nil {
		t.Skip("no redis-server on this machine")
	}
	dir, err := os.MkdirTemp("", "redis") //nolint:usetesting // a socket's path must be short
	if err != nil {
		t.Fatal(err)
	}
	d := &daemon{t: t, program: program, dir: dir, address: "unix://" + filepath.Join(dir, "s")}
	t.Cleanup(func() {
		d.stop()
		_ = os.RemoveAll(dir)
	})
	d.start()
	return d
}

// stop ends the server as a crash does.
func (d *daemon) stop() {
	_ = d.cmd.Process.Kill()
	_ = d.cmd.Wait()
}

// start may be called from any goroutine.
func (d *daemon) start() {
	socket := filepath.Join(d.dir, "s")
	d.cmd = exec.CommandContext(context.Background(), d.program, "--port", "0", "--unixsocket", socket,
		"--save", "", "--appendonly", "yes", "--appendfsync", "no", "--dir", d.dir, "--loglevel", "warning")
	if err := d.cmd.Start(); err != nil {
		d.t.Error(err)
		return
	}
	client := goredis.NewClient(&goredis.Options{Network: "unix", Addr: socket, MaxRetries: -1})
	defer client.Close()
	for range 1000 {
		if client.Ping(context.Background()).Err() == nil {
			return
		}
		time.Sleep(10 * time.Millisecond) // another program's start tells nothing
	}
	d.t.Error("redis-server does not answer")
}

func suite(address string) storetest.Suite {
	place := func(s oauth.Store) string { return address + " " + s.(*redis.Store).Prefix }
	return storetest.Suite{
		New: func(t *testing.T) oauth.Store {
			t.Helper()
			return mustOpen(t, address+" "+url.PathEscape(t.Name())+"[*]?:")
		},
		Reopen: func(t *testing.T, s oauth.Store) oauth.Store {
			t.Helper()
			return mustOpen(t, place(s))
		},
		Corrupt: func(t *testing.T, s oauth.Store, id string) {
			t.Helper()
			r := s.(*redis.Store)
			if err := r.Client.HSet(t.Context(), r.Prefix+"{"+id+"}:login", "login", "broken").Err(); err != nil {
				t.Fatal(err)
			}
		},
		Place: place,
	}
}

func TestMiniredis(t *testing.T) {
	t.Parallel()
	address, _ := mini(t)
	suite(address).Run(t)
}

func TestRedisServer(t *testing.T) {
	t.Parallel()
	suite(startDaemon(t).address).Run(t)
}

func generation(n uint64) *oauth.Credentials {
	return &oauth.Credentials{AccessToken: oauth.NewSecret(fmt.Sprint("token-", n)), Generation: n}
}

// servers runs a test against the double and the real server.
func servers(t *testing.T, test func(t *testing.T, address string)) {
	t.Helper()
	t.Run("miniredis", func(t *testing.T) {
		t.Parallel()
		address, _ := mini(t)
		test(t, address)
	})
	t.Run("server", func(t *testing.T) {
		t.Parallel()
		test(t, startDaemon(t).address)
	})
}

// TestGenerations wants no older login to take the place of a newer one, unless somebody has logged in anew.
func TestGenerations(t *testing.T) {
	t.Parallel()
	const huge = 1 << 63
	tests := []struct {
		name         string
		stored, next uint64
		stale        bool
	}{
		{"newer", 7, 8, false},
		{"again", 7, 7, false},
		{"older", 7, 6, true},
		{"older by its digits alone", 10, 9, true},
		{"newer by its digits alone", 9, 10, false},
		{"beyond what a script can count", huge + 1, huge, true},
		{"login", 7, 1, false},
		{"unknown", 7, 0, false},
	}
	servers(t, func(t *testing.T, address string) {
		t.Helper()
		s := mustOpen(t, address+" g:")
		for _, tt := range tests {
			t.Run(tt.name, func(t *testing.T) {
				for _, step := range []error{s.Delete(t.Context(), "id"), s.Save(t.Context(), "id", generation(tt.stored))} {
					if step != nil {
						t.Fatal(step)
					}
				}
				err := s.Save(t.Context(), "id", generation(tt.next))
				if errors.Is(err, store.ErrStale) != tt.stale || errors.Is(err, oauth.ErrInvalid) != tt.stale || (err != nil) != tt.stale {
					t.Errorf("Save = %v, want ErrStale: %t", err, tt.stale)
				}
				want := tt.next
				if tt.stale {
					want = tt.stored
				}
				c, err := s.Load(t.Context(), "id")
				if err != nil || c.Generation != want {
					t.Errorf("Load = %v, %v; want generation %d", c, err, want)
				}
			})
		}
	})
}

func waitFor(t *testing.T, within time.Duration) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), within)
	t.Cleanup(cancel)
	return ctx
}

// TestLeaseIsRenewed holds a lock for three times as long as its lease.
func TestLeaseIsRenewed(t *testing.T) {
	t.Parallel()
	servers(t, func(t *testing.T, address string) {
		t.Helper()
		s := mustOpen(t, address+" r:")
		unlock, err := s.Lock(t.Context(), "id")
		if err != nil {
			t.Fatal(err)
		}
		if _, err := mustOpen(t, address+" r:").Lock(waitFor(t, 3*lease), "id"); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("Lock of what is held = %v, want DeadlineExceeded", err)
		}
		unlock()
		if n := s.Client.Exists(t.Context(), "r:{id}:lock").Val(); n != 0 {
			t.Error("the lock is still there after unlock")
		}
	})
}

// TestLostLock lets somebody else have the lock of a process that was suspended: it is not given back for him.
func TestLostLock(t *testing.T) {
	t.Parallel()
	servers(t, func(t *testing.T, address string) {
		t.Helper()
		s := mustOpen(t, address+" l:")
		unlock, err := s.Lock(t.Context(), "id")
		if err != nil {
			t.Fatal(err)
		}
		if err := s.Client.Set(t.Context(), "l:{id}:lock", "somebody else", 0).Err(); err != nil {
			t.Fatal(err)
		}
		if _, err := s.Lock(waitFor(t, lease/2), "id"); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("Lock = %v, want DeadlineExceeded", err)
		}
		unlock()
		if owner := s.Client.Get(t.Context(), "l:{id}:lock").Val(); owner != "somebody else" {
			t.Errorf("the lock is that of %q after unlock", owner)
		}
	})
}

// TestLockSurvivesRestart lets Redis forget everything: who holds the lock takes it again.
func TestLockSurvivesRestart(t *testing.T) {
	t.Parallel()
	servers(t, func(t *testing.T, address string) {
		t.Helper()
		s := mustOpen(t, address+" f:")
		unlock, err := s.Lock(t.Context(), "id")
		if err != nil {
			t.Fatal(err)
		}
		defer unlock()
		owner, _, _ := strings.Cut(s.Client.Get(t.Context(), "f:{id}:lock").Val(), ":")
		if err := s.Client.FlushAll(t.Context()).Err(); err != nil {
			t.Fatal(err)
		}
		for ctx := waitFor(t, 10*time.Second); !strings.HasPrefix(s.Client.Get(ctx, "f:{id}:lock").Val(), owner+":"); {
			if ctx.Err() != nil {
				t.Fatal("the lock was not taken again")
			}
		}
	})
}

// wantUnavailable wants every call to say soon that Redis is not there, and nothing else.
func wantUnavailable(t *testing.T, s *redis.Store, within time.Duration) {
	t.Helper()
	calls := map[string]func(ctx context.Context) error{
		"Load":   func(ctx context.Context) error { _, err := s.Load(ctx, "id"); return err },
		"Save":   func(ctx context.Context) error { return s.Save(ctx, "id", generation(2)) },
		"Delete": func(ctx context.Context) error { return s.Delete(ctx, "id") },
		"List":   func(ctx context.Context) error { _, err := s.List(ctx); return err },
		"Lock":   func(ctx context.Context) error { _, err := s.Lock(ctx, "id"); return err },
	}
	for name, call := range calls {
		started := time.Now()
		err := call(t.Context())
		var at *store.Error
		if !errors.Is(err, redis.ErrUnavailable) || !errors.As(err, &at) || errors.Is(err, oauth.ErrNoCredentials) ||
			errors.Is(err, context.DeadlineExceeded) || strings.Contains(err.Error(), "token-2") {
			t.Errorf("%s = %v, want ErrUnavailable alone", name, err)
		}
		if took := time.Since(started); took > within {
			t.Errorf("%s took %v, want at most %v", name, took, within)
		}
	}
}

func TestRedisAway(t *testing.T) {
	t.Parallel()
	const timeout, within = 200 * time.Millisecond, 2 * time.Second
	t.Run("gone", func(t *testing.T) {
		t.Parallel()
		address, server := mini(t)
		s := mustOpen(t, address)
		if err := s.Save(t.Context(), "id", generation(1)); err != nil {
			t.Fatal(err)
		}
		unlock, err := s.Lock(t.Context(), "id")
		if err != nil {
			t.Fatal(err)
		}
		server.Close()
		hasty := mustOpen(t, address)
		hasty.Timeout = timeout
		wantUnavailable(t, hasty, within)
		unlock()
		if err := server.Restart(); err != nil {
			t.Fatal(err)
		}
		if c, err := s.Load(waitFor(t, within), "id"); err != nil || c.Generation != 1 {
			t.Errorf("Load when Redis is back = %v, %v", c, err)
		}
	})
	t.Run("silent", func(t *testing.T) {
		t.Parallel()
		var lc net.ListenConfig
		listener, err := lc.Listen(t.Context(), "tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		defer listener.Close() // connections wait in its queue and are never answered
		s := mustOpen(t, "redis://"+listener.Addr().String())
		s.Timeout = timeout
		wantUnavailable(t, s, within)
	})
	t.Run("suspended", func(t *testing.T) {
		t.Parallel()
		d := startDaemon(t)
		s := mustOpen(t, d.address)
		if err := s.Save(t.Context(), "id", generation(1)); err != nil {
			t.Fatal(err)
		}
		s.Timeout = timeout
		suspend(t, d.cmd.Process)
		wantUnavailable(t, s, within)
	})
	t.Run("loading", func(t *testing.T) {
		t.Parallel()
		address, server := mini(t)
		s := mustOpen(t, address)
		s.Timeout = timeout
		server.SetError("LOADING Redis is loading the dataset in memory")
		wantUnavailable(t, s, within)
	})
}

func TestOpen(t *testing.T) {
	t.Parallel()
	for _, address := range []string{"", "http://user:canary@x", "redis://user:canary@[::1", "redis://:canary@x/nonsense"} {
		s, err := redis.Open(address)
		if !errors.Is(err, oauth.ErrInvalid) || strings.Contains(err.Error(), "canary") {
			t.Errorf("Open = %v, %v; want ErrInvalid that quotes nothing", s, err)
		}
	}
	if err := new(redis.Store).Save(t.Context(), "id", generation(1)); err == nil {
		t.Error("Save without a client succeeded")
	}
	if _, err := new(redis.Store).Lock(t.Context(), "id"); err == nil {
		t.Error("Lock without a client succeeded")
	}
}

// TestForeignKeys wants a key of another kind, or of another prefix, to be no login.
func TestForeignKeys(t *testing.T) {
	t.Parallel()
	servers(t, func(t *testing.T, address string) {
		t.Helper()
		s := mustOpen(t, address+" k:")
		other := mustOpen(t, address+" kk:")
		if err := other.Save(t.Context(), "id", generation(1)); err != nil {
			t.Fatal(err)
		}
		if err := s.Client.Set(t.Context(), "k:{id}:login", "text", 0).Err(); err != nil {
			t.Fatal(err)
		}
		if _, err := s.Load(t.Context(), "id"); !errors.Is(err, oauth.ErrCorrupt) {
			t.Errorf("Load = %v, want ErrCorrupt", err)
		}
		if err := s.Delete(t.Context(), "id"); err != nil {
			t.Fatal(err)
		}
		if ids, err := s.List(t.Context()); err != nil || len(ids) != 0 {
			t.Errorf("List = %q, %v; want none of another prefix", ids, err)
		}
	})
}

// TestOwnClient wants a client that the caller brought to be left open.
func TestOwnClient(t *testing.T) {
	t.Parallel()
	_, server := mini(t)
	client := goredis.NewClient(&goredis.Options{Addr: server.Addr()})
	defer client.Close()
	s := &redis.Store{Client: client}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if err := s.Save(t.Context(), "id", generation(1)); err != nil {
		t.Errorf("Save after Close = %v", err)
	}
	if keys := server.Keys(); len(keys) != 1 || keys[0] != redis.DefaultPrefix+"{id}:login" {
		t.Errorf("keys %q", keys)
	}
}
