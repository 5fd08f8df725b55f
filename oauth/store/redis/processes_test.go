package redis_test

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
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/ccproxy-go/ccproxy/oauth"
	"github.com/ccproxy-go/ccproxy/oauth/oauthtest"
)

// The storm runs this test binary again, as processes that share a Redis. These variables tell them which, and
// where the authorization server is.
const (
	helperServer = "REDIS_TEST_SERVER"
	helperPlace  = "REDIS_TEST_PLACE"
)

// scaled gives n, or a tenth where the race detector or -short asks for less.
func scaled(n int) int {
	if raceEnabled || testing.Short() {
		return max(1, n/10)
	}
	return n
}

// managerOf gives a manager of the account "example" whose tokens are in s.
func managerOf(t *testing.T, server *oauthtest.Server, s oauth.Store, network http.RoundTripper) (*oauth.TokenManager, oauth.Source) {
	t.Helper()
	cfg := server.ProviderConfig("example")
	if network != nil {
		cfg.Transport = network
	}
	p, err := oauth.NewConfigProvider(cfg)
	if err != nil {
		t.Fatal(err)
	}
	m := &oauth.TokenManager{Store: s}
	source, err := m.Add(oauth.Account{Provider: p})
	if err != nil {
		t.Fatal(err)
	}
	return m, source
}

// herd lets many callers ask at once, of which 30 % leave within 40 ms.
func herd(t *testing.T, source oauth.Source, callers int) (served, left int, err error) {
	t.Helper()
	var mu sync.Mutex
	var wg sync.WaitGroup
	barrier := make(chan struct{})
	for i := range callers {
		wg.Go(func() {
			ctx, leaves := t.Context(), i%10 < 3
			<-barrier
			if leaves {
				var cancel context.CancelFunc
				ctx, cancel = context.WithTimeout(ctx, rand.N(40*time.Millisecond))
				defer cancel()
			}
			_, got := source.Token(ctx)
			mu.Lock()
			defer mu.Unlock()
			switch {
			case got == nil:
				served++
			case leaves && errors.Is(got, context.DeadlineExceeded):
				left++
			default:
				err = fmt.Errorf("caller %d: %w", i, got)
			}
		})
	}
	close(barrier)
	wg.Wait()
	return served, left, err
}

// TestHelperProcess is no test: it is what the processes run, one round for each line of input.
func TestHelperProcess(t *testing.T) { //nolint:paralleltest // alone in its process
	place := os.Getenv(helperPlace)
	if place == "" {
		t.Skip("run by another test")
	}
	s := mustOpen(t, place)
	s.Lease = 0 // the default: nobody dies here
	network := &http.Transport{MaxIdleConns: 1}
	defer network.CloseIdleConnections()
	server := &oauthtest.Server{URL: os.Getenv(helperServer)} // for its addresses only
	for commands := bufio.NewScanner(os.Stdin); commands.Scan(); {
		callers, err := strconv.Atoi(commands.Text())
		if err != nil {
			t.Fatal(err)
		}
		m, source := managerOf(t, server, s, network)
		served, left, err := herd(t, source, callers)
		if err == nil {
			err = m.Shutdown(t.Context())
		}
		fmt.Printf("%d %d %v\n", served, left, err)
	}
}

// helper is such a process.
type helper struct {
	in  io.WriteCloser
	out *bufio.Reader
}

func startHelper(t *testing.T, place, server string) *helper {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestHelperProcess$", "-test.timeout=90s")
	cmd.Env = append(os.Environ(), helperPlace+"="+place, helperServer+"="+server)
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
	return &helper{in, bufio.NewReader(out)}
}

// expire makes the stored token end, for those who load it anew.
func expire(ctx context.Context, s oauth.Store) error {
	c, err := s.Load(ctx, "example")
	if err != nil {
		return err
	}
	c.Expiry = time.Now().Add(-time.Minute)
	return s.Save(ctx, "example", c)
}

// TestStormOfProcesses has three processes and a thousand requests in each, when the token has ended: one refresh.
func TestStormOfProcesses(t *testing.T) {
	t.Parallel()
	servers(t, func(t *testing.T, address string) {
		t.Helper()
		rounds, callers := scaled(100), scaled(1000)
		server := new(oauthtest.Server)
		listening := httptest.NewServer(server)
		t.Cleanup(listening.Close)
		server.URL = listening.URL
		s := mustOpen(t, address+" p:")
		if err := s.Save(t.Context(), "example", server.Login()); err != nil {
			t.Fatal(err)
		}
		processes := make([]*helper, 3)
		for i := range processes {
			processes[i] = startHelper(t, address+" p:", server.URL)
		}
		began := time.Now()
		for round := range rounds {
			if err := expire(t.Context(), s); err != nil {
				t.Fatal(err)
			}
			server.Fail(oauthtest.Token, oauthtest.Fault{Slow: 10 * time.Millisecond})
			for _, p := range processes {
				if _, err := fmt.Fprintln(p.in, callers); err != nil {
					t.Fatal(err)
				}
			}
			for i, p := range processes {
				line, err := p.out.ReadString('\n')
				var served, left int
				var failed string
				if _, scanErr := fmt.Sscan(line, &served, &left, &failed); err != nil || scanErr != nil || failed != "<nil>" ||
					served+left != callers || served < callers*7/10 {
					t.Fatalf("round %d, process %d: %q, %v", round, i, strings.TrimSpace(line), err)
				}
			}
			c, err := s.Load(t.Context(), "example")
			counts := server.Counts()
			if err != nil || !server.Newest(c) || counts.Refreshes != round+1 || counts.Reuses != 0 ||
				counts.Requests[oauthtest.Token] != round+1 {
				t.Fatalf("round %d: %v, newest %t, %+v", round, err, server.Newest(c), counts)
			}
		}
		t.Logf("%d rounds of 3 processes of %d callers: %d refreshes, %v",
			rounds, callers, server.Counts().Refreshes, time.Since(began).Round(time.Millisecond))
	})
}
