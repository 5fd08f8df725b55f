//go:build unix

package analytics_test

import (
	"bytes"
	"context"
	"fmt"
	"net/http/httptest"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/ccproxy-go/ccproxy"
	"github.com/ccproxy-go/ccproxy/system/analytics"
	"github.com/ccproxy-go/ccproxy/system/analytics/analyticstest"
)

// postgres is a server of its own for a test, which listens on a socket in a directory.
type postgres struct {
	t    *testing.T
	bin  string
	dir  string
	as   *syscall.Credential // PostgreSQL does not run as root
	cmd  *exec.Cmd
	logs bytes.Buffer
}

// startPostgres starts a server, or skips the test where there is none.
func startPostgres(t *testing.T) *postgres {
	t.Helper()
	p := &postgres{t: t, bin: postgresBin(t)}
	var err error
	if p.dir, err = os.MkdirTemp("", "pg"); err != nil { //nolint:usetesting // a socket's path must be short
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(p.dir) })
	if os.Getuid() == 0 {
		p.as = postgresUser(t)
		if err := os.Chown(p.dir, int(p.as.Uid), int(p.as.Gid)); err != nil {
			t.Fatal(err)
		}
	}
	p.run("initdb", "-D", p.data(), "-A", "trust", "-U", "tester", "-E", "UTF8", "--locale=C", "-N")
	p.start()
	t.Cleanup(p.stop)
	return p
}

// postgresBin is the directory of the server's programs.
func postgresBin(t *testing.T) string {
	t.Helper()
	found, _ := filepath.Glob("/usr/lib/postgresql/*/bin/initdb")
	slices.Sort(found)
	if len(found) > 0 {
		return filepath.Dir(found[len(found)-1])
	}
	initdb, err := exec.LookPath("initdb")
	if err != nil {
		t.Skip("no PostgreSQL on this machine: neither /usr/lib/postgresql/*/bin/initdb nor initdb in PATH")
	}
	return filepath.Dir(initdb)
}

func postgresUser(t *testing.T) *syscall.Credential {
	t.Helper()
	for _, name := range []string{"postgres", "nobody"} {
		u, err := user.Lookup(name)
		if err != nil {
			continue
		}
		uid, uidErr := strconv.ParseUint(u.Uid, 10, 32)
		gid, gidErr := strconv.ParseUint(u.Gid, 10, 32)
		if uidErr == nil && gidErr == nil {
			return &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}
		}
	}
	t.Skip("PostgreSQL does not run as root, and there is neither a user postgres nor nobody")
	return nil
}

func (p *postgres) data() string { return filepath.Join(p.dir, "d") }

func (p *postgres) command(ctx context.Context, name string, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, filepath.Join(p.bin, name), args...)
	cmd.Dir = p.dir
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: p.as}
	return cmd
}

func (p *postgres) run(name string, args ...string) {
	p.t.Helper()
	ctx, cancel := context.WithTimeout(p.t.Context(), time.Minute)
	defer cancel()
	if out, err := p.command(ctx, name, args...).CombinedOutput(); err != nil {
		p.t.Fatalf("%s: %v\n%s", name, err, out)
	}
}

func (p *postgres) start() {
	p.t.Helper()
	p.cmd = p.command(context.Background(), "postgres",
		"-D", p.data(), "-k", p.dir, "-c", "listen_addresses=", "-c", "max_connections=50")
	p.cmd.Stdout, p.cmd.Stderr = &p.logs, &p.logs
	if err := p.cmd.Start(); err != nil {
		p.t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(p.t.Context(), 30*time.Second)
	defer cancel()
	for {
		s, err := analytics.OpenPostgres(ctx, p.address())
		if err == nil {
			_ = s.Close()
			return
		}
		if ctx.Err() != nil {
			p.stop()
			p.t.Fatalf("PostgreSQL does not start: %v\n%s", err, &p.logs)
		}
		select {
		case <-ctx.Done():
		case <-time.After(50 * time.Millisecond): // it tells nobody when it is ready
		}
	}
}

// stop ends the server as a crash does.
func (p *postgres) stop() {
	if p.cmd == nil {
		return
	}
	_ = p.cmd.Process.Signal(syscall.SIGQUIT)
	_ = p.cmd.Wait()
	p.cmd = nil
}

func (p *postgres) address() ccproxy.Secret {
	return ccproxy.NewSecret(fmt.Sprintf("host=%s user=tester dbname=postgres", p.dir))
}

func (p *postgres) open(t *testing.T) analytics.Store {
	t.Helper()
	s, err := analytics.OpenPostgres(t.Context(), p.address())
	if err != nil {
		t.Fatal(err)
	}
	return s
}

//nolint:tparallel // the parts of the suite come one after the other
func TestPostgres(t *testing.T) {
	t.Parallel()
	server := startPostgres(t)
	analyticstest.TestStore(t, server.open)
	t.Run("several begin at once", func(t *testing.T) {
		fresh := startPostgres(t)
		done := make(chan error)
		for range 5 {
			go func() {
				s, err := analytics.OpenPostgres(t.Context(), fresh.address())
				if err == nil {
					err = s.Close()
				}
				done <- err
			}()
		}
		for range 5 {
			if err := <-done; err != nil {
				t.Error(err)
			}
		}
	})
}

// TestPostgresSums asks for more sums than the suite does.
func TestPostgresSums(t *testing.T) {
	t.Parallel()
	s := openPostgres(t)
	defer s.Close()
	analyticstest.CheckSums(t, s, 32, 40, nil)
}

// TestPostgresHidesItsPassword has addresses that cannot be read, and servers that are away.
func TestPostgresHidesItsPassword(t *testing.T) {
	t.Parallel()
	const password = "hunter-22"
	for _, address := range []string{
		"postgres://user:" + password + "@127.0.0.1:1/db?connect_timeout=1",
		"postgres://user:" + password + "@127.0.0.1:notaport/db",
		"postgres://user:" + password + "%zz@127.0.0.1/db",
		"host=127.0.0.1 port=x password=" + password,
		"password=" + password,
		"password " + password,
	} {
		ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
		s, err := analytics.OpenPostgres(ctx, ccproxy.NewSecret(address))
		cancel()
		if err == nil {
			_ = s.Close()
			continue
		}
		if strings.Contains(err.Error(), password) {
			t.Errorf("the error has the password: %v", err)
		}
	}
}

// TestPostgresLedger holds the ledger with a server that is away for a while.
func TestPostgresLedger(t *testing.T) {
	t.Parallel()
	server := startPostgres(t)
	proxy := startLedger(t, map[string]map[string]any{analytics.Name: {
		"enabled": true, "postgres": server.address().Reveal(), "batch_size": 50, "flush_interval": "20ms",
	}})
	client := httptest.NewServer(proxy)
	defer client.Close()
	const requests = 270
	for n := range requests {
		if n == 90 {
			server.stop()
		}
		newPlan(n).ask(t, client)
	}
	server.start()
	ctx, cancel := context.WithTimeout(t.Context(), 60*time.Second)
	defer cancel()
	store := server.open(t)
	defer store.Close()
	for {
		sums, err := store.Aggregate(ctx, analytics.Aggregation{})
		if err != nil {
			t.Fatal(err)
		}
		if sums[0].Totals.Requests >= requests {
			break
		}
		select {
		case <-ctx.Done():
			t.Fatalf("%d records came after the outage, want %d", sums[0].Totals.Requests, requests)
		case <-time.After(50 * time.Millisecond): // the next attempt has its time
		}
	}
	if err := proxy.Shutdown(context.Background()); err != nil {
		t.Error(err)
	}
	compareLedger(t, store, requests)
}

// openPostgres opens a database of a server of its own.
func openPostgres(t *testing.T) analytics.Store {
	t.Helper()
	return startPostgres(t).open(t)
}

func TestOldPostgres(t *testing.T) {
	t.Parallel()
	server := startPostgres(t)
	checkOld(t, "pgx", server.address().Reveal(), func() (analytics.Store, error) {
		return analytics.OpenPostgres(t.Context(), server.address())
	})
}
