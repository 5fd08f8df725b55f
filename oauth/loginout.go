package oauth

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// ErrNotRevoked means that a logout deleted the credentials here, but the authorization server was not seen
// to make them invalid.
var ErrNotRevoked = errors.New("the credentials were deleted but may still be valid at the server")

// Login saves the credentials of a new login and puts them in place at once, here and, when they look, in the
// other processes that share the store. It goes on if the caller leaves, since a code yields credentials
// only once. If they cannot be saved the error wraps [ErrUnsaved]; they are used all the same, and saved
// later. Credentials without an access token give an error wrapping [ErrInvalid].
//
// The generation is raised above that of what was stored, so that stores can tell the newer of two.
func (m *TokenManager) Login(ctx context.Context, id string, c *Credentials) error {
	a := m.account(id)
	if a == nil {
		return unknownAccount(id)
	}
	if c == nil || c.AccessToken.IsZero() {
		return fmt.Errorf("%w: login without access token", ErrInvalid)
	}
	c = c.Clone()
	return a.detached(ctx, func(ctx context.Context) error { return a.login(ctx, c) })
}

func (a *account) login(ctx context.Context, c *Credentials) error {
	_ = a.lock(ctx) // who holds it sees before saving that there was a login
	defer a.release()
	old, err := a.load(ctx)
	c.Generation = max(c.Generation, 1)
	if err == nil {
		c.Generation = max(c.Generation, old.Generation+1)
	}
	if cur := a.current(); cur != nil {
		c.Generation = max(c.Generation, cur.Generation+1)
	}
	saveErr := a.save(ctx, c)
	a.mu.Lock()
	if err == nil || errors.Is(err, ErrNoCredentials) {
		a.stored = old
	}
	a.dead, a.deadErr, a.forcedAt = nil, nil, time.Time{}
	a.mu.Unlock()
	a.publish(c, saveErr)
	a.settle(nil)
	a.emit(about(EventLogin, c))
	a.saveLater(saveErr)
	if saveErr != nil {
		return fmt.Errorf("%w: %w", ErrUnsaved, saveErr)
	}
	return nil
}

// Logout revokes the credentials at the server, if provider and server can, and deletes them here in any
// case, also those that cannot be read. It goes on if the caller leaves. If only the revocation failed, the
// error wraps [ErrNotRevoked]; a server that cannot revoke is no error.
func (m *TokenManager) Logout(ctx context.Context, id string) error {
	a := m.account(id)
	if a == nil {
		return unknownAccount(id)
	}
	return a.detached(ctx, a.logout)
}

func (a *account) logout(ctx context.Context) error {
	_ = a.lock(ctx) // who holds it sees before saving that there was a logout
	defer a.release()
	c, err := a.load(ctx)
	a.mu.Lock()
	if a.unsaved && (err != nil || sameTokens(c, a.stored)) {
		c = a.cur.creds
	}
	a.mu.Unlock()
	revokeErr := a.revoke(ctx, c)
	sctx, cancel := a.storeContext(ctx)
	defer cancel()
	deleteErr := protect(func() error { return a.store.Delete(sctx, a.id) })
	if deleteErr == nil {
		a.mu.Lock()
		a.replace(nil)
		a.stored = nil
		a.mu.Unlock()
		a.settle(fmt.Errorf("%w: logged out", ErrNoCredentials))
		e := about(EventLogout, c)
		e.Err = revokeErr
		a.emit(e)
	} else {
		deleteErr = fmt.Errorf("delete credentials: %w", deleteErr)
	}
	return errors.Join(deleteErr, revokeErr)
}

// revoke makes credentials invalid at the server. Nil is none to revoke.
func (a *account) revoke(ctx context.Context, c *Credentials) error {
	revoker, ok := a.provider.(Revoker)
	if !ok || c == nil {
		return nil
	}
	ctx, cancel := context.WithTimeoutCause(ctx, or(a.m.RefreshTimeout, defaultRefreshTimeout), errTimeout)
	defer cancel()
	err := ownTimeout(ctx, protect(func() error { return revoker.Revoke(ctx, c.Clone()) }))
	if err == nil || errors.Is(err, errors.ErrUnsupported) {
		return nil
	}
	return fmt.Errorf("%w: %w", ErrNotRevoked, err)
}

// Refresh replaces the token of an account now, whether it has ended or not, for a user who asks for it. It
// does not heed the time to wait after a failure. It goes on if the caller leaves.
func (m *TokenManager) Refresh(ctx context.Context, id string) (Credential, error) {
	a := m.account(id)
	if a == nil {
		return Credential{}, unknownAccount(id)
	}
	if err := a.detached(ctx, a.refreshNow); err != nil {
		if ctx.Err() != nil && errors.Is(err, ctx.Err()) {
			return Credential{}, err
		}
		return Credential{}, &TokenError{ID: id, Err: err}
	}
	return a.Token(ctx)
}

func (a *account) refreshNow(ctx context.Context) error {
	err := a.lock(ctx)
	if err == nil {
		defer a.release()
		_, err = a.reload(ctx)
		if a.current() != nil && (err == nil || errors.Is(err, ErrNeedsLogin)) {
			err = a.refresh(ctx)
		}
	}
	a.settle(err)
	return err
}
