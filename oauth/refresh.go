package oauth

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"
)

// renew sees to it that the account has a fresh token: from the store if another process was faster, else
// from the server. It is called with busy held.
func (a *account) renew(ctx context.Context) error {
	defer a.release()
	if done, err := a.reload(ctx); done {
		return err
	}
	if err := a.lock(ctx); err != nil {
		return err
	}
	if a.locker != nil {
		// Whoever held the lock before has most likely done what we came for.
		if done, err := a.reload(ctx); done {
			return err
		}
	}
	return a.refresh(ctx)
}

// reload looks into the store. done tells that nothing is left to do, or to be done.
func (a *account) reload(ctx context.Context) (done bool, err error) {
	c, loadErr := a.load(ctx)
	a.mu.Lock()
	a.checked = time.Now()
	news := a.adopt(c, loadErr)
	fresh, dead, unsaved, none := a.fresh(a.checked), a.needsLogin(), a.unsaved, a.cur == nil
	err = a.deadErr
	a.mu.Unlock()
	for _, e := range news {
		a.emit(e)
	}
	switch {
	case unsaved && !fresh && !dead:
		return false, nil // what the store says does not matter: memory has the newest, and the lock
	case loadErr != nil && (none || !errors.Is(loadErr, ErrNoCredentials)):
		return true, loadErr // a refresh without knowing the newest token could spend an old one
	case fresh:
		return true, nil
	case dead:
		return true, err
	}
	return false, nil
}

// outlives tells whether tokens that are not saved count more than what was found in the store: what had been there
// when they came, or nothing at all. It is called with busy and mu held.
func (a *account) outlives(c *Credentials, err error) bool {
	return sameTokens(c, a.stored) || errors.Is(err, ErrNoTrace)
}

// adopt takes over what was found in the store, unless memory is newer. It is called with busy and mu held.
func (a *account) adopt(c *Credentials, err error) []Event {
	switch {
	case err != nil && !errors.Is(err, ErrNoCredentials):
		return nil
	case a.unsaved && a.outlives(c, err):
		return nil
	case a.cur != nil && c != nil && sameTokens(a.cur.creds, c):
		a.stored = c
		a.unsaved = false
		// Some files hold less than there is to know, and whole seconds.
		if d := a.cur.creds.Expiry.Sub(c.Expiry).Abs(); d > time.Second {
			same := a.cur.creds.Clone()
			same.Expiry = c.Expiry
			a.replace(same)
		}
		return nil
	case a.cur == nil && c == nil:
		return nil
	}
	known := a.cur
	a.stored = c
	if c != nil && known != nil {
		c = c.Clone()
		c.Generation = max(c.Generation, known.creds.Generation+1)
	}
	a.replace(c)
	switch {
	case c == nil:
		return []Event{about(EventLogout, known.creds)}
	case known != nil:
		return []Event{about(EventAdopted, c)}
	}
	return nil
}

// replace puts credentials in place, which others may hold from then on. Nil means none. It is called with
// busy and mu held.
func (a *account) replace(c *Credentials) {
	a.unsaved, a.cur = false, nil
	if c == nil || !c.AccessToken.Equal(a.refused) {
		a.refused = Secret{}
	}
	if c != nil {
		a.cur = newHeld(c, max(0, or(a.m.Skew, defaultSkew)), time.Now())
	}
	if !sameTokens(a.dead, c) {
		a.dead, a.deadErr = nil, nil
	}
}

// refresh asks the server. It is called with busy, the store's lock, and credentials.
func (a *account) refresh(ctx context.Context) error {
	base, began := a.current(), time.Now()
	a.emit(about(EventRefreshing, base))
	next, err := a.ask(ctx, base)
	if err == nil {
		return a.keep(ctx, next, time.Since(began))
	}
	if !errors.Is(err, ErrNeedsLogin) {
		return err
	}
	// Somebody who does not know our lock, such as the vendor's own command, may have been faster.
	done, loadErr := a.reload(ctx)
	if now := a.current(); now == nil || !sameTokens(now, base) {
		if done {
			return loadErr
		}
		return nil
	}
	a.mu.Lock()
	a.dead, a.deadErr = base, err
	a.mu.Unlock()
	e := about(EventNeedsLogin, base)
	e.Err = err
	a.emit(e)
	return err
}

// ask calls the provider and makes sure that what it gives is worth keeping.
func (a *account) ask(ctx context.Context, base *Credentials) (*Credentials, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, or(a.m.RefreshTimeout, defaultRefreshTimeout), errTimeout)
	defer cancel()
	var next *Credentials
	err := protect(func() (err error) {
		next, err = a.provider.Refresh(ctx, base.Clone())
		return err
	})
	if err != nil {
		return nil, ownTimeout(ctx, err)
	}
	if next == nil || next.AccessToken.IsZero() {
		return nil, fmt.Errorf("%s: refresh: %w", a.name, errNoToken)
	}
	next = next.Clone()
	if next.RefreshToken.IsZero() {
		next.RefreshToken = base.RefreshToken
	}
	next.Generation = max(next.Generation, base.Generation+1)
	return next, nil
}

// keep saves new tokens and puts them in place.
func (a *account) keep(ctx context.Context, next *Credentials, took time.Duration) error {
	c, err := a.load(ctx)
	a.mu.Lock()
	deleted := errors.Is(err, ErrNoCredentials) && !errors.Is(err, ErrNoTrace) && a.stored != nil
	changed := err == nil && !sameTokens(c, a.stored)
	a.mu.Unlock()
	if changed || deleted {
		// A login or a logout in the meantime is what the user wants, more than what came of the old login.
		_, err = a.reload(ctx)
		return err
	}
	saveErr := a.save(ctx, next)
	a.publish(next, saveErr)
	a.mu.Lock()
	a.lastRefresh = time.Now()
	a.mu.Unlock()
	e := about(EventRefreshed, next)
	e.Duration = took
	a.emit(e)
	a.saveLater(saveErr)
	return nil
}

// current gives the newest credentials, nil if there are none.
func (a *account) current() *Credentials {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.cur == nil {
		return nil
	}
	return a.cur.creds
}

// The bounds of the time between two attempts.
const (
	firstBackoff   = time.Second
	maxBackoff     = time.Minute
	maxAskedToWait = 15 * time.Minute
)

// backoff gives how long to wait after so many failures, of which err is the last. It varies by a fifth, so
// that processes which failed together do not come back together.
func backoff(failures int, err error) time.Duration {
	d := min(firstBackoff<<min(max(failures-1, 0), 10), maxBackoff)
	d = d*4/5 + rand.N(d*2/5) //nolint:gosec // nothing depends on its being unguessable
	var e *EndpointError
	if errors.As(err, &e) && e.RetryAfter > 0 {
		asked := min(e.RetryAfter, maxAskedToWait)
		d = max(d, asked+rand.N(asked/10+1)) //nolint:gosec // as above
	}
	return d
}
