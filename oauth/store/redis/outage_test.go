package redis_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os/exec"
	"sync"
	"testing"
	"time"

	goredis "github.com/redis/go-redis/v9"

	"github.com/ccproxy-go/ccproxy/oauth"
	"github.com/ccproxy-go/ccproxy/oauth/oauthtest"
	"github.com/ccproxy-go/ccproxy/oauth/store/redis"
)

// breakable is a server that goes away and comes back with what it held.
type breakable struct {
	address     string
	stop, start func()
}

// startBreakable takes the real server where there is one.
func startBreakable(t *testing.T) breakable {
	t.Helper()
	if _, err := exec.LookPath("redis-server"); err == nil {
		d := startDaemon(t)
		return breakable{d.address, d.stop, d.start}
	}
	address, server := mini(t)
	return breakable{address, server.Close, func() {
		if err := server.Restart(); err != nil {
			t.Error(err)
		}
	}}
}

// outageLease is longer than go-redis takes to notice that a server is back, which is a second at most.
const outageLease = 3 * time.Second

// outage says when in a refresh Redis goes away, and for how long.
type outage struct {
	name          string
	before, after bool // the authorization server has looked at the request; neither: nobody has asked yet
	lasts         time.Duration
}

func outages() []outage {
	some := rand.N(300 * time.Millisecond)
	return []outage{
		{name: "longer than the lease, new tokens unsaved", after: true, lasts: outageLease + 500*time.Millisecond},
		{name: "before anybody asks", lasts: some},
		{name: "during the call", before: true, lasts: some},
		{name: "new tokens unsaved", after: true, lasts: some},
		{name: "back before the answer", after: true, lasts: 0},
	}
}

// TestRedisAwayDuringRefreshes stops Redis fifty times in the middle of what three replicas do: nothing is spent
// twice, nothing is lost, and everybody gets a token.
func TestRedisAwayDuringRefreshes(t *testing.T) {
	t.Parallel()
	runs := max(2, scaled(10))
	var running sync.WaitGroup
	for range runs {
		b, server := startBreakable(t), new(oauthtest.Server)
		replicas := make([]*redis.Store, 3)
		for i := range replicas {
			replicas[i] = mustOpen(t, b.address+" o:")
			replicas[i].Lease, replicas[i].Timeout = outageLease, time.Second
		}
		if err := replicas[0].Save(t.Context(), "example", server.Login()); err != nil {
			t.Fatal(err)
		}
		running.Go(func() {
			for round, o := range outages() {
				if err := expire(t.Context(), replicas[0]); err != nil {
					t.Error(err)
					return
				}
				o.meet(t, b, server, replicas)
				c, err := replicas[0].Load(t.Context(), "example")
				counts := server.Counts()
				if err != nil || !server.Newest(c) || counts.Refreshes != round+1 || counts.Reuses+counts.LostReplays != 0 {
					t.Errorf("%s: %v, newest %t, %+v", o.name, err, server.Newest(c), counts)
					return
				}
			}
		})
	}
	running.Wait()
	t.Logf("Redis was away %d times", runs*len(outages()))
}

// meet lets twenty callers at each replica ask until they have a token, and Redis go away meanwhile.
func (o outage) meet(t *testing.T, b breakable, server *oauthtest.Server, replicas []*redis.Store) {
	t.Helper()
	var back sync.WaitGroup
	away := func(context.Context) {
		b.stop()
		if o.lasts == 0 {
			b.start()
			return
		}
		back.Go(func() {
			time.Sleep(o.lasts)
			b.start()
		})
	}
	switch {
	case o.before:
		server.Fail(oauthtest.Token, oauthtest.Fault{Before: away, Slow: 50 * time.Millisecond})
	case o.after:
		server.Fail(oauthtest.Token, oauthtest.Fault{After: away, Slow: 50 * time.Millisecond})
	default:
		away(t.Context())
	}
	var callers sync.WaitGroup
	var managers []*oauth.TokenManager
	for _, s := range replicas {
		m, source := managerOf(t, server, s, nil)
		managers = append(managers, m)
		for range 20 {
			callers.Go(func() {
				if err := untilServed(waitFor(t, 30*time.Second), source); err != nil {
					t.Errorf("%s: %v", o.name, err)
				}
			})
		}
	}
	callers.Wait()
	back.Wait()
	for _, m := range managers {
		if err := m.Shutdown(waitFor(t, 30*time.Second)); err != nil {
			t.Errorf("%s: Shutdown = %v", o.name, err)
		}
	}
}

func untilServed(ctx context.Context, source oauth.Source) error {
	for {
		_, err := source.Token(ctx)
		if err == nil || errors.Is(err, oauth.ErrNeedsLogin) || errors.Is(err, oauth.ErrNoCredentials) || ctx.Err() != nil {
			return err
		}
		time.Sleep(20 * time.Millisecond)
	}
}

// TestLockOutlivesOutage lets Redis be away for longer than the lease. Whoever asks first when it is back does not get
// the lock of a holder that could not renew it, but gets that of one who never will.
func TestLockOutlivesOutage(t *testing.T) {
	t.Parallel()
	b := startBreakable(t)
	holder, dead, other := mustOpen(t, b.address+" a:"), mustOpen(t, b.address+" a:"), mustOpen(t, b.address+" a:")
	holder.Lease, other.Lease, dead.Lease = outageLease, outageLease, time.Hour
	options, err := goredis.ParseURL(b.address)
	if err != nil {
		t.Fatal(err)
	}
	options.MaxRetries, options.DialerRetries = -1, 1 // so that it is never the first when Redis is back
	slow := goredis.NewClient(options)
	defer slow.Close()
	holder.Client = slow
	unlock, err := holder.Lock(t.Context(), "held")
	if err != nil {
		t.Fatal(err)
	}
	defer unlock()
	neverRenewed, err := dead.Lock(t.Context(), "dead")
	if err != nil {
		t.Fatal(err)
	}
	defer neverRenewed()
	b.stop()
	time.Sleep(outageLease + 200*time.Millisecond) // another program's clock
	b.start()
	var locking sync.WaitGroup
	defer locking.Wait()
	locking.Go(func() {
		unlock, err := other.Lock(waitFor(t, 4*outageLease), "dead")
		if err != nil {
			t.Errorf("Lock of what a dead process held = %v", err)
			return
		}
		unlock()
	})
	if unlock, err := other.Lock(waitFor(t, outageLease*3/2), "held"); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("Lock of what is held = %v, want DeadlineExceeded", err)
		if err == nil {
			unlock()
		}
	}
}

// TestLeaseShorterThanCall has an authorization server that takes several leases to answer, fifty times.
func TestLeaseShorterThanCall(t *testing.T) {
	t.Parallel()
	address := startBreakable(t).address
	var callers sync.WaitGroup
	var authorization []*oauthtest.Server
	for run := range scaled(50) {
		server := new(oauthtest.Server)
		authorization = append(authorization, server)
		for i := range 3 {
			s := mustOpen(t, fmt.Sprintf("%s c%d:", address, run))
			if i == 0 {
				if err := errors.Join(s.Save(t.Context(), "example", server.Login()), expire(t.Context(), s)); err != nil {
					t.Fatal(err)
				}
				server.Fail(oauthtest.Token, oauthtest.Fault{Slow: 2*lease + rand.N(lease)})
			}
			m, source := managerOf(t, server, s, nil)
			t.Cleanup(func() { _ = m.Shutdown(context.Background()) })
			for range 5 {
				callers.Go(func() {
					c, err := source.Token(t.Context())
					if err != nil || c.Generation != 2 {
						t.Errorf("Token = generation %d, %v; want 2", c.Generation, err)
					}
				})
			}
		}
	}
	callers.Wait()
	for run, server := range authorization {
		if c := server.Counts(); c.Requests[oauthtest.Token] != 1 || c.Refreshes != 1 {
			t.Errorf("run %d: %+v, want one refresh", run, c)
		}
	}
}

// TestServedWhileRedisIsAway wants a token that has not ended to be served, also one that the upstream refused, and
// no refresh by those who cannot know what others do.
func TestServedWhileRedisIsAway(t *testing.T) {
	t.Parallel()
	b := startBreakable(t)
	server, s := new(oauthtest.Server), mustOpen(t, b.address+" v:")
	s.Timeout = time.Second
	if err := s.Save(t.Context(), "example", server.Login()); err != nil {
		t.Fatal(err)
	}
	m, source := managerOf(t, server, s, nil)
	m.Recheck = time.Nanosecond // look for others all the time
	cold, coldSource := managerOf(t, server, s, nil)
	used, err := source.Token(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	b.stop()
	for i := range 100 {
		if i == 50 && !source.Invalidate(used) {
			t.Error("Invalidate = false")
		}
		c, err := source.Token(waitFor(t, 5*time.Second))
		if err != nil || !c.Token.Equal(used.Token) {
			t.Fatalf("Token = generation %d, %v; want the one that is known", c.Generation, err)
		}
	}
	if _, err := coldSource.Token(waitFor(t, 5*time.Second)); !errors.Is(err, redis.ErrUnavailable) {
		t.Errorf("Token of who knows none = %v, want ErrUnavailable", err)
	}
	if n := server.Counts().Requests[oauthtest.Token]; n != 0 {
		t.Errorf("%d refreshes while Redis is away, want none", n)
	}
	b.start()
	if err := untilServed(waitFor(t, 10*time.Second), coldSource); err != nil {
		t.Error(err)
	}
	for _, m := range []*oauth.TokenManager{m, cold} {
		if err := m.Shutdown(waitFor(t, 10*time.Second)); err != nil {
			t.Error(err)
		}
	}
	if c := server.Counts(); c.Refreshes > 1 || c.Reuses != 0 {
		t.Errorf("%+v", c)
	}
}
