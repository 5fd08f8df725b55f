package oauth

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"
)

// account is what a TokenManager knows of one account.
//
// Credentials change only while busy is held, which is for as long as it takes to talk to the store and the
// server. mu is held for moments, so that whoever reads never waits for those.
type account struct {
	m        *TokenManager
	id       string
	name     string // of the provider
	provider Provider
	store    Store
	locker   Locker // nil if the store is none

	busy chan struct{} // a semaphore of one
	// unlock gives the lock of the store back; nil if it is not held. Guarded by busy.
	unlock func()

	stop    chan struct{} // closed when the account is
	running sync.WaitGroup

	mu          sync.Mutex
	closing     bool
	flight      *flight      // nil if none is under way
	cur         *held        // the newest credentials; nil if there are none
	stored      *Credentials // what the store is known to hold; nil for nothing
	unsaved     bool         // cur is newer than stored
	saving      bool         // somebody sees to that
	refused     Secret       // an access token that the upstream refused
	forcedAt    time.Time    // when a token was last invalidated
	dead        *Credentials // credentials that only a login can replace
	deadErr     error
	err         error // of the last attempt; nil if it succeeded
	failures    int
	notBefore   time.Time // the next attempt
	checked     time.Time // when the store was last looked at
	lastRefresh time.Time
}

// flight is one attempt that everybody waits for who needs its result.
type flight struct{ done chan struct{} }

const (
	// maxRounds bounds how many flights a caller waits for. One may have begun before the token was refused,
	// and one may bring a token that has ended already.
	maxRounds = 4
	// loginPoll is how often the store is looked at while only a login helps.
	loginPoll = time.Second
	// forcedInterval is how long a token that replaced a refused one is believed in.
	forcedInterval = time.Minute
)

var (
	errAbandoned = errors.New("the attempt ended its goroutine")
	errShortLife = errors.New("tokens end before they can be used")
)

func newAccount(m *TokenManager, id, name string, p Provider, s Store) *account {
	locker, _ := s.(Locker)
	return &account{
		m: m, id: id, name: name, provider: p, store: s, locker: locker,
		busy: make(chan struct{}, 1), stop: make(chan struct{}),
	}
}

// Token implements Source.
func (a *account) Token(ctx context.Context) (Credential, error) {
	if err := ctx.Err(); err != nil {
		return Credential{}, err
	}
	for range maxRounds {
		cred, f, err := a.look()
		if f == nil {
			return cred, err
		}
		select {
		case <-f.done:
		case <-ctx.Done():
			return Credential{}, ctx.Err()
		}
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.cur.valid(time.Now()) {
		return a.cur.cred, nil
	}
	return Credential{}, a.failure()
}

// look gives a credential to use now, or the flight to wait for, or an error.
func (a *account) look() (Credential, *flight, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	now := time.Now()
	valid := a.cur.valid(now)
	switch {
	case a.fresh(now):
		if every := or(a.m.Recheck, defaultRecheck); every > 0 && now.Sub(a.checked) >= every {
			a.begin(now)
		}
		return a.cur.cred, nil, nil
	case valid && !a.isRefused() && (a.failures > 0 || !a.cur.creds.Expired(now, a.cur.margin)):
		a.begin(now) // nobody waits for a server that did not answer before, either
		return a.cur.cred, nil, nil
	}
	if f := a.begin(now); f != nil {
		return Credential{}, f, nil
	}
	if valid && !(a.isRefused() && a.needsLogin()) { // also one that was refused, while there may be no better one
		return a.cur.cred, nil, nil
	}
	return Credential{}, nil, a.failure()
}

// fresh tells whether there is a token that need not be replaced. It is called with mu held.
func (a *account) fresh(now time.Time) bool {
	return a.cur != nil && !a.isRefused() && !a.cur.creds.Expired(now, a.cur.skew)
}

// isRefused is called with mu held and a.cur set.
func (a *account) isRefused() bool {
	return !a.refused.IsZero() && a.refused.Equal(a.cur.cred.Token)
}

// needsLogin is called with mu held.
func (a *account) needsLogin() bool {
	return a.dead != nil && a.cur != nil && sameTokens(a.dead, a.cur.creds)
}

// failure is called with mu held.
func (a *account) failure() error {
	e := &TokenError{ID: a.id, Err: a.err}
	switch {
	case a.closing:
		e.Err = ErrClosed
	case a.err == nil:
		e.Err = errShortLife
	case a.failures > 0:
		e.NextAttempt = a.notBefore
	}
	return e
}

// begin gives the flight that is under way, or a new one. It gives nil if none may begin now. It is called
// with mu held.
func (a *account) begin(now time.Time) *flight {
	if a.flight != nil {
		return a.flight
	}
	if a.closing || now.Before(a.notBefore) {
		return nil
	}
	f := &flight{done: make(chan struct{})}
	a.flight = f
	a.running.Add(1)
	go a.fly(f)
	return f
}

// fly runs one attempt. It knows nothing of the callers that wait for it.
func (a *account) fly(f *flight) {
	defer a.running.Done()
	a.busy <- struct{}{}
	err := errAbandoned
	defer func() {
		a.settle(err)
		<-a.busy
		a.mu.Lock()
		a.flight = nil
		a.mu.Unlock()
		close(f.done)
	}()
	err = protect(func() error { return a.renew(context.Background()) })
}

// settle notes how an attempt ended, and tells of one that is going to be repeated. It is called with busy held.
func (a *account) settle(err error) {
	a.mu.Lock()
	now, e := time.Now(), Event{}
	a.err = err
	if a.cur != nil {
		e = about("", a.cur.creds)
	}
	e.Err = err
	switch {
	case err == nil:
		a.failures, a.notBefore = 0, time.Time{}
	case errors.Is(err, ErrNeedsLogin), errors.Is(err, ErrNoCredentials):
		a.failures, a.notBefore = 0, now.Add(loginPoll)
	default:
		a.failures++
		a.notBefore = now.Add(backoff(a.failures, err))
		e.Kind, e.Failures, e.NextAttempt = EventRefreshFailed, a.failures, a.notBefore
	}
	a.mu.Unlock()
	if e.Kind != "" {
		a.emit(e)
	}
}

// Invalidate implements Source.
func (a *account) Invalidate(used Credential) (retry bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	now := time.Now()
	switch {
	case used.Token.IsZero():
		return false
	case a.cur == nil || !a.cur.cred.Token.Equal(used.Token):
		return true // somebody was faster
	case a.closing || a.needsLogin() || a.flight == nil && now.Before(a.notBefore):
		return false
	case a.isRefused():
		return true
	case now.Sub(a.forcedAt) < forcedInterval:
		return false
	}
	a.refused, a.forcedAt = used.Token, now
	return true
}

// detached runs a change of the credentials to its end, also if the caller leaves.
func (a *account) detached(ctx context.Context, change func(context.Context) error) error {
	a.mu.Lock()
	if a.closing {
		a.mu.Unlock()
		return ErrClosed
	}
	a.running.Add(1)
	a.mu.Unlock()
	result := make(chan error, 1)
	go func() {
		defer a.running.Done()
		err := errAbandoned
		defer func() { result <- err }()
		a.busy <- struct{}{}
		defer func() { <-a.busy }()
		err = protect(func() error { return change(context.Background()) })
	}()
	select {
	case err := <-result:
		return err
	case <-ctx.Done():
		return ctx.Err()
	}
}

// close lets nothing new begin and waits for what runs, as long as ctx lasts.
func (a *account) close(ctx context.Context) error {
	a.mu.Lock()
	if !a.closing {
		a.closing = true
		close(a.stop)
	}
	a.mu.Unlock()
	done := make(chan struct{})
	go func() {
		a.running.Wait()
		close(done)
	}()
	select {
	case <-done:
	case <-ctx.Done():
		return fmt.Errorf("account %q: a refresh still runs: %w", a.id, ctx.Err())
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.unsaved {
		return fmt.Errorf("account %q: %w", a.id, ErrUnsaved)
	}
	return nil
}

// protect turns a panic of somebody else's code into an error. Its value is not shown: it might hold anything.
func protect(f func() error) (err error) {
	defer func() {
		if v := recover(); v != nil {
			err = fmt.Errorf("panic of type %T", v)
		}
	}()
	return f()
}
