package oauth

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"
)

// ErrClosed means that the manager was shut down, or the account removed.
var ErrClosed = errors.New("token manager is closed")

// The defaults of a TokenManager.
const (
	defaultSkew           = 5 * time.Minute
	defaultRecheck        = 30 * time.Second
	defaultRefreshTimeout = 30 * time.Second
	defaultLockTimeout    = time.Minute
	defaultStoreTimeout   = 10 * time.Second
)

// TokenManager hands out access tokens of any number of accounts and refreshes them: once for each that
// ends, however many goroutines ask, and however many processes share a [Store] that is a [Locker].
//
// A refresh runs on a goroutine of its own. A caller that leaves gets its context's error at once and takes
// nothing with it: the new tokens are saved all the same. Who waited for another process's refresh adopts
// the result.
//
// A token within Skew of its end is replaced while it is still served. One that has ended is waited for. A
// refresh that fails in passing (anything but [ErrNeedsLogin]) is tried again when somebody asks, after one
// second and then twice as long each time up to a minute, with jitter, or after what the server asked for,
// up to 15 minutes; in the meantime a token that has not ended is served, and calls fail at once if it has.
//
// If new tokens cannot be saved, they are used and saved later, again and again. The lock of the account is
// kept until then, lest another process spend the old refresh token that the store still holds.
//
// The exported fields must not be changed after first use. The zero value is ready; it must not be copied
// after first use. All methods are safe for concurrent use.
type TokenManager struct {
	// Store keeps the credentials of accounts that bring no store of their own.
	Store Store
	// Skew is how long before its end a token is replaced, at most a tenth of its life. Zero means
	// 5 minutes; negative means none.
	Skew time.Duration
	// Recheck is how often the store is looked at while a token is good, so that logins and logouts by others
	// are noticed. The look never delays a caller. Zero means 30 seconds; negative means never.
	Recheck time.Duration
	// RefreshTimeout bounds one refresh. Zero means 30 seconds.
	RefreshTimeout time.Duration
	// LockTimeout bounds the wait for the lock of a Locker. Zero means a minute.
	LockTimeout time.Duration
	// StoreTimeout bounds each Load, Save and Delete. Zero means 10 seconds.
	StoreTimeout time.Duration
	// OnEvent is told what happens, from several goroutines, those of one account in order. It must return
	// soon, since callers wait. May be nil.
	OnEvent func(Event)

	mu     sync.Mutex
	byID   map[string]*account
	closed bool
}

// Account is what a [TokenManager] is told of an account.
type Account struct {
	// ID is the name of the account at the manager and in the store. Empty means the provider's name.
	ID string
	// Provider refreshes the tokens. Required.
	Provider Provider
	// Store keeps the credentials. Nil means the provider's own if it is a StoreProvider, else the manager's.
	Store Store
}

// Add makes an account known and gives its source. Nothing is loaded before somebody asks for a token. It
// returns an error wrapping [ErrInvalid] without provider or store, [ErrDuplicate] for an id that is known,
// and [ErrClosed] after Shutdown.
func (m *TokenManager) Add(acc Account) (Source, error) {
	if acc.Provider == nil {
		return nil, fmt.Errorf("%w: account without provider", ErrInvalid)
	}
	name := acc.Provider.Info().Name
	if acc.ID == "" {
		acc.ID = name
	}
	store := acc.Store
	if own, ok := acc.Provider.(StoreProvider); ok && store == nil {
		store = own.Store()
	}
	if store == nil {
		store = m.Store
	}
	if acc.ID == "" || store == nil {
		return nil, fmt.Errorf("%w: account %q without id or store", ErrInvalid, acc.ID)
	}
	a := newAccount(m, acc.ID, name, acc.Provider, store)
	m.mu.Lock()
	defer m.mu.Unlock()
	switch {
	case m.closed:
		return nil, ErrClosed
	case m.byID[acc.ID] != nil:
		return nil, fmt.Errorf("%w: account %q", ErrDuplicate, acc.ID)
	case m.byID == nil:
		m.byID = make(map[string]*account)
	}
	m.byID[acc.ID] = a
	return a, nil
}

// Remove makes the manager forget an account; what is stored stays. It waits for a running refresh as long
// as ctx lasts, and tries once more to save what could not be saved. Until it returns the id is taken.
func (m *TokenManager) Remove(ctx context.Context, id string) error {
	a := m.account(id)
	if a == nil {
		return nil
	}
	err := a.close(ctx)
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.byID[id] == a {
		delete(m.byID, id)
	}
	return err
}

// Shutdown stops all refreshes from beginning, waits for the running ones as long as ctx lasts, and tries
// once more to save what could not be saved. It returns an error for each account where that failed; what
// still runs then goes on to its own timeout, since giving it up could lose tokens. Afterwards tokens are
// given out as long as they last.
func (m *TokenManager) Shutdown(ctx context.Context) error {
	m.mu.Lock()
	m.closed = true
	m.mu.Unlock()
	accounts := m.all()
	errs := make([]error, len(accounts))
	var wg sync.WaitGroup
	for i, a := range accounts {
		wg.Go(func() { errs[i] = a.close(ctx) })
	}
	wg.Wait()
	return errors.Join(errs...)
}

// Source gives the source of an account that was added.
func (m *TokenManager) Source(id string) (Source, bool) {
	if a := m.account(id); a != nil {
		return a, true
	}
	return nil, false
}

// Token gives the credential of an account; see [Source]. An id that was not added gives an error wrapping
// [ErrNoCredentials].
func (m *TokenManager) Token(ctx context.Context, id string) (Credential, error) {
	a := m.account(id)
	if a == nil {
		return Credential{}, unknownAccount(id)
	}
	return a.Token(ctx)
}

// Invalidate says that the upstream refused a credential of an account; see [Source]. It brings about at most
// one refresh of each token, and none of a token that is less than a minute old and itself came from such a
// refresh: an upstream that refuses everything does not wear out the authorization server.
func (m *TokenManager) Invalidate(id string, used Credential) (retry bool) {
	a := m.account(id)
	return a != nil && a.Invalidate(used)
}

func (m *TokenManager) account(id string) *account {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.byID[id]
}

func (m *TokenManager) all() []*account {
	m.mu.Lock()
	defer m.mu.Unlock()
	all := make([]*account, 0, len(m.byID))
	for _, a := range m.byID {
		all = append(all, a)
	}
	return all
}

func unknownAccount(id string) error {
	return &TokenError{ID: id, Err: fmt.Errorf("%w: no such account", ErrNoCredentials)}
}

// or gives d, or its default if it is zero.
func or(d, byDefault time.Duration) time.Duration {
	if d == 0 {
		return byDefault
	}
	return d
}
