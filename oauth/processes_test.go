package oauth_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/ccproxy-go/ccproxy/oauth"
	"github.com/ccproxy-go/ccproxy/oauth/oauthtest"
	"github.com/ccproxy-go/ccproxy/oauth/store"
)

// The tests of this file run this test binary again, as processes that share a file of credentials. The
// variable tells such a process what to do, and the one after it where.
const (
	helperTask   = "OAUTH_TEST_TASK"
	helperServer = "OAUTH_TEST_SERVER"
	helperFile   = "OAUTH_TEST_FILE"
)

// helper is such a process. It reads commands and writes answers, one line each.
type helper struct {
	cmd *exec.Cmd
	in  io.WriteCloser
	out *bufio.Reader
}

func startHelper(t *testing.T, task, server, file string) *helper {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestHelperProcess$", "-test.timeout=90s")
	cmd.Env = append(os.Environ(), helperTask+"="+task, helperServer+"="+server, helperFile+"="+file)
	cmd.Stderr = os.Stderr
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
	t.Cleanup(func() {
		_ = in.Close()
		_ = cmd.Wait()
	})
	return &helper{cmd, in, bufio.NewReader(out)}
}

func (h *helper) say(line string) error {
	_, err := io.WriteString(h.in, line+"\n")
	return err
}

func (h *helper) hear() (string, error) {
	line, err := h.out.ReadString('\n')
	return strings.TrimSpace(line), err
}

// kill ends the process as the kernel does when memory is short.
func (h *helper) kill() {
	_ = h.cmd.Process.Kill()
	_ = h.cmd.Wait()
}

// TestHelperProcess is no test: it is what the processes run.
func TestHelperProcess(t *testing.T) { //nolint:paralleltest // alone in its process
	server := &oauthtest.Server{URL: os.Getenv(helperServer)} // for its addresses only
	cfg := server.ProviderConfig("example")
	network := &http.Transport{MaxIdleConns: 1}
	cfg.Transport = network
	file := &store.File{Path: os.Getenv(helperFile)}
	commands := bufio.NewReader(os.Stdin)
	switch os.Getenv(helperTask) {
	case "":
		t.Skip("run by other tests")
	case "storm":
		for seed := uint64(0); ; seed++ {
			line, err := commands.ReadString('\n')
			if err != nil {
				network.CloseIdleConnections()
				return
			}
			callers, _ := strconv.Atoi(strings.TrimSpace(line))
			m := fleet(t, 1, server, file, func(c *oauth.ProviderConfig) { c.Transport = network })[0]
			source, _ := m.Source("example")
			random := rand.New(rand.NewPCG(seed, uint64(os.Getpid())))
			served, left, err := herd(t, source, callers, thirdLeaves(random))
			if err == nil {
				err = m.Shutdown(t.Context())
			}
			fmt.Printf("%d %d %v\n", served, left, err)
		}
	default:
		stops := &stoppingStore{File: file, at: os.Getenv(helperTask), commands: commands}
		p, err := oauth.NewConfigProvider(cfg)
		if err != nil {
			t.Fatal(err)
		}
		m := &oauth.TokenManager{Store: stops}
		source, err := m.Add(oauth.Account{Provider: stoppingProvider{p, stops}})
		if err != nil {
			t.Fatal(err)
		}
		_, err = source.Token(t.Context())
		fmt.Println("not killed:", err)
	}
}

// stoppingStore is a file store in a process that stops at one point of a refresh, to be killed there.
type stoppingStore struct {
	*store.File
	at       string
	commands *bufio.Reader
}

func (s *stoppingStore) stop(point string) {
	if s.at == point {
		fmt.Println("at", point)
		_, _ = s.commands.ReadString('\n')
	}
}

func (s *stoppingStore) Lock(ctx context.Context, id string) (func(), error) {
	s.stop("before the lock")
	unlock, err := s.File.Lock(ctx, id)
	s.stop("locked")
	return unlock, err
}

func (s *stoppingStore) Save(ctx context.Context, id string, c *oauth.Credentials) error {
	err := s.File.Save(ctx, id, c)
	s.stop("saved")
	return err
}

type stoppingProvider struct {
	*oauth.ConfigProvider
	store *stoppingStore
}

func (p stoppingProvider) Refresh(ctx context.Context, c *oauth.Credentials) (*oauth.Credentials, error) {
	next, err := p.ConfigProvider.Refresh(ctx, c)
	p.store.stop("answered")
	return next, err
}

// network serves a test server on the loopback interface.
func network(t *testing.T) *oauthtest.Server {
	t.Helper()
	server := new(oauthtest.Server)
	listening := httptest.NewServer(server)
	t.Cleanup(listening.Close)
	server.URL = listening.URL
	return server
}

// expire makes a file's token end, for those who look into it.
func expire(t *testing.T, file *store.File) {
	t.Helper()
	c, err := file.Load(t.Context(), "example")
	if err != nil {
		t.Fatal(err)
	}
	c.Expiry = time.Now().Add(-time.Minute)
	if err := file.Save(t.Context(), "example", c); err != nil {
		t.Fatal(err)
	}
}

// Three processes and a thousand requests in each, when the token has ended: one refresh.
func TestStormOfProcesses(t *testing.T) {
	t.Parallel()
	rounds, callers := scaled(100), scaled(1000)
	server := network(t)
	file := &store.File{Path: filepath.Join(t.TempDir(), "credentials.json")}
	if err := file.Save(t.Context(), "example", server.Login()); err != nil {
		t.Fatal(err)
	}
	processes := make([]*helper, 3)
	for i := range processes {
		processes[i] = startHelper(t, "storm", server.URL, file.Path)
	}
	for round := range rounds {
		expire(t, file)
		server.Fail(oauthtest.Token, oauthtest.Fault{Slow: 10 * time.Millisecond})
		for _, p := range processes {
			if err := p.say(strconv.Itoa(callers)); err != nil {
				t.Fatal(err)
			}
		}
		for i, p := range processes {
			line, err := p.hear()
			var served, left int
			var failed string
			if _, scanErr := fmt.Sscan(line, &served, &left, &failed); err != nil || scanErr != nil || failed != "<nil>" ||
				served+left != callers || served < callers*7/10 {
				t.Fatalf("round %d, process %d: %q, %v", round, i, line, err)
			}
		}
		c, err := file.Load(t.Context(), "example")
		if counts := server.Counts(); err != nil || !server.Newest(c) || counts.Refreshes != round+1 || counts.Reuses != 0 {
			t.Fatalf("round %d: %v, newest %t, %+v", round, err, server.Newest(c), counts)
		}
	}
	t.Logf("%d rounds of 3 processes of %d callers: %d refreshes", rounds, callers, server.Counts().Refreshes)
}

// A process is killed in the middle of a refresh; another one goes on.
func TestKilledProcesses(t *testing.T) {
	t.Parallel()
	tests := []struct {
		point     string
		refreshes int  // in all
		lost      bool // the server gave tokens to nobody: a new login is all that helps
	}{
		{point: "before the lock", refreshes: 1},
		{point: "locked", refreshes: 1},
		{point: "asking", refreshes: 1},
		{point: "answered", refreshes: 1, lost: true},
		{point: "saved", refreshes: 1},
	}
	for _, tt := range tests {
		t.Run(tt.point, func(t *testing.T) {
			t.Parallel()
			server := network(t)
			runs := scaled(50)
			for run := range runs {
				before := server.Counts()
				c, err := killedAt(t, server, tt.point)
				now := server.Counts()
				if n := now.Refreshes - before.Refreshes; n != tt.refreshes {
					t.Fatalf("run %d: %d refreshes, want %d", run, n, tt.refreshes)
				}
				reuses := now.Reuses - before.Reuses
				switch {
				case tt.lost && (!errors.Is(err, oauth.ErrNeedsLogin) || reuses != 1):
					t.Fatalf("run %d: %v, %d tokens spent twice; want ErrNeedsLogin and 1", run, err, reuses)
				case !tt.lost && (err != nil || reuses != 0 || !server.Newest(c)):
					t.Fatalf("run %d: %v, %d tokens spent twice, newest %t", run, err, reuses, server.Newest(c))
				}
			}
			t.Logf("%d processes killed; new login needed: %t", runs, tt.lost)
		})
	}
}

// killedAt kills a process at a point of its refresh and gives what another one ends up with.
func killedAt(t *testing.T, server *oauthtest.Server, point string) (*oauth.Credentials, error) {
	t.Helper()
	file := &store.File{Path: filepath.Join(t.TempDir(), "credentials.json")}
	c := server.Login()
	c.Expiry = time.Now().Add(-time.Minute)
	if err := file.Save(t.Context(), "example", c); err != nil {
		t.Fatal(err)
	}
	asking := make(chan struct{})
	if point == "asking" {
		server.Fail(oauthtest.Token, oauthtest.Fault{Before: func(ctx context.Context) {
			close(asking)
			<-ctx.Done() // the client's end
		}})
	}
	victim := startHelper(t, point, server.URL, file.Path)
	if point == "asking" {
		<-asking
	} else if line, err := victim.hear(); err != nil || line != "at "+point {
		t.Fatalf("the process said %q, %v", line, err)
	}
	victim.kill()
	m := fleet(t, 1, server, file, nil)[0]
	_, err := m.Token(t.Context(), "example")
	if shutdownErr := m.Shutdown(t.Context()); shutdownErr != nil {
		t.Errorf("Shutdown = %v", shutdownErr)
	}
	saved, loadErr := file.Load(t.Context(), "example")
	if loadErr != nil {
		t.Errorf("Load = %v", loadErr)
	}
	return saved, err
}
