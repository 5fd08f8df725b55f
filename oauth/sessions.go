package oauth

import (
	"container/list"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"sync"
	"time"
)

// ErrSession means that a login cannot be finished because its session is unknown, used, too old, or of
// another provider or redirect URI.
var ErrSession = errors.New("unknown or expired login session")

// DefaultSessionTTL is how long a user has to come back from the authorization server.
const DefaultSessionTTL = 10 * time.Minute

// DefaultSessionLimit is the number of logins that [MemorySessions] keeps.
const DefaultSessionLimit = 1000

// Session is a login that has begun and waits for the user to come back. It prints no secrets.
type Session struct {
	// State goes to the authorization server and comes back with the callback.
	State Secret
	// Verifier is the PKCE code verifier. It never leaves this side before the code is exchanged.
	Verifier Secret
	// Provider is the name of the provider that the user was sent to.
	Provider string
	// RedirectURI is where the user was told to come back to.
	RedirectURI string
	// Expires is when the session ends.
	Expires time.Time
}

// SessionStore keeps pending logins. Implement it to share them among several processes. Its methods must be
// safe for concurrent use. Keys tell nothing about the state, values are secret.
type SessionStore interface {
	// Put keeps s under key until s.Expires.
	Put(ctx context.Context, key string, s Session) error
	// Take removes the session under key and returns it. Of several concurrent calls only one gets it; the
	// others get an error wrapping [ErrSession], as for a key that never was.
	Take(ctx context.Context, key string) (Session, error)
}

// Sessions begins and finishes logins. A session works once, for [DefaultSessionTTL], and only for the
// provider and the redirect URI it was begun with. The zero value is ready and keeps them in memory; its
// methods are safe for concurrent use. A Sessions must not be copied after first use.
type Sessions struct {
	// Store keeps the sessions. Nil means a MemorySessions of its own.
	Store SessionStore
	// TTL is how long a session lives. Zero means DefaultSessionTTL.
	TTL time.Duration

	memory MemorySessions
}

// Begin makes a session with a new state and a new verifier that is independent of it.
func (s *Sessions) Begin(ctx context.Context, provider, redirectURI string) (Session, error) {
	ttl := s.TTL
	if ttl <= 0 {
		ttl = DefaultSessionTTL
	}
	state := unguessable()
	begun := Session{
		State: NewSecret(state), Verifier: NewSecret(unguessable()),
		Provider: provider, RedirectURI: redirectURI, Expires: time.Now().Add(ttl),
	}
	if err := s.store().Put(ctx, sessionKey(state), begun); err != nil {
		return Session{}, err
	}
	return begun, nil
}

// Finish takes the session of a state that came back. The session is spent also if it turns out to be too
// old or to belong to another provider or redirect URI; the error then wraps [ErrSession].
func (s *Sessions) Finish(ctx context.Context, provider, redirectURI, state string) (Session, error) {
	if len(state) == 0 || len(state) > maxState {
		return Session{}, fmt.Errorf("%w: no state, or one that is not ours", ErrSession)
	}
	begun, err := s.store().Take(ctx, sessionKey(state))
	if err != nil {
		return Session{}, err
	}
	switch {
	case !begun.State.Equal(NewSecret(state)):
		return Session{}, ErrSession
	case !time.Now().Before(begun.Expires):
		return Session{}, fmt.Errorf("%w: it has expired", ErrSession)
	case begun.Provider != provider || begun.RedirectURI != redirectURI:
		return Session{}, fmt.Errorf("%w: it was begun elsewhere", ErrSession)
	}
	return begun, nil
}

func (s *Sessions) store() SessionStore {
	if s.Store != nil {
		return s.Store
	}
	return &s.memory
}

// maxState is longer than any state of ours; more is not worth hashing.
const maxState = 512

// sessionKey keeps states, which are as good as a session, out of the keys of databases and their logs.
func sessionKey(state string) string {
	sum := sha256.Sum256([]byte(state))
	return hex.EncodeToString(sum[:])
}

// MemorySessions keeps sessions in memory. When it is full, the oldest makes room for the newest. The zero
// value is ready and safe for concurrent use. It must not be copied after first use.
type MemorySessions struct {
	// Limit is the largest number of sessions. Zero means DefaultSessionLimit.
	Limit int

	mu    sync.Mutex
	byKey map[string]*list.Element
	order list.List // of pendingSession, the oldest first
}

type pendingSession struct {
	key     string
	session Session
}

var _ SessionStore = (*MemorySessions)(nil)

// Put keeps s under key and drops what has expired, and the oldest if there are too many.
func (m *MemorySessions) Put(ctx context.Context, key string, s Session) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	limit := m.Limit
	if limit <= 0 {
		limit = DefaultSessionLimit
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.byKey == nil {
		m.byKey = make(map[string]*list.Element)
	}
	m.remove(key)
	now := time.Now()
	for e := m.order.Front(); e != nil; e = m.order.Front() {
		oldest, ok := e.Value.(pendingSession)
		if ok && len(m.byKey) < limit && now.Before(oldest.session.Expires) {
			break
		}
		m.remove(oldest.key)
	}
	m.byKey[key] = m.order.PushBack(pendingSession{key, s})
	return nil
}

// Take removes the session under key and returns it, or an error wrapping [ErrSession].
func (m *MemorySessions) Take(ctx context.Context, key string) (Session, error) {
	if err := ctx.Err(); err != nil {
		return Session{}, err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	taken, ok := m.remove(key)
	if !ok {
		return Session{}, ErrSession
	}
	return taken, nil
}

// Len gives the number of sessions that are kept, expired ones included that nothing has dropped yet.
func (m *MemorySessions) Len() int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return len(m.byKey)
}

// remove is called with the lock held.
func (m *MemorySessions) remove(key string) (Session, bool) {
	e, ok := m.byKey[key]
	if !ok {
		return Session{}, false
	}
	delete(m.byKey, key)
	p, ok := m.order.Remove(e).(pendingSession)
	return p.session, ok
}
