package store

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"sync"

	"github.com/ccproxy-go/ccproxy/oauth"
)

// Memory keeps credentials in memory and forgets them when the process ends. It is the default of a library
// that writes no files unless told to, and what tests use. The zero value is ready. A Memory must not be
// copied after first use.
type Memory struct {
	mu    sync.RWMutex
	byID  map[string]*oauth.Credentials
	locks keyedLock
}

var (
	_ oauth.Store  = (*Memory)(nil)
	_ oauth.Lister = (*Memory)(nil)
	_ oauth.Locker = (*Memory)(nil)
)

// Load returns a copy of what is stored under id, or an error wrapping [oauth.ErrNoCredentials].
func (m *Memory) Load(ctx context.Context, id string) (*oauth.Credentials, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	m.mu.RLock()
	defer m.mu.RUnlock()
	c, ok := m.byID[id]
	if !ok {
		return nil, fmt.Errorf("%w: %q", oauth.ErrNoCredentials, id)
	}
	return c.Clone(), nil
}

// Save stores a copy of c under id, in place of what was there. It returns an error wrapping
// [oauth.ErrInvalid] for an empty id and for credentials without an access token.
func (m *Memory) Save(ctx context.Context, id string, c *oauth.Credentials) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if id == "" {
		return fmt.Errorf("%w: empty id", oauth.ErrInvalid)
	}
	if c == nil || c.AccessToken.IsZero() {
		return fmt.Errorf("%w: no access token for %q", oauth.ErrInvalid, id)
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.byID == nil {
		m.byID = make(map[string]*oauth.Credentials)
	}
	m.byID[id] = c.Clone()
	return nil
}

// Delete removes what is stored under id, if anything is.
func (m *Memory) Delete(ctx context.Context, id string) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	delete(m.byID, id)
	return nil
}

// List gives the ids of everything stored, sorted.
func (m *Memory) List(ctx context.Context) ([]string, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	m.mu.RLock()
	defer m.mu.RUnlock()
	return slices.Sorted(maps.Keys(m.byID)), nil
}

// Lock waits until nobody else holds the lock of id, for those who share this very Memory: two proxies do while one
// takes the place of the other.
func (m *Memory) Lock(ctx context.Context, id string) (unlock func(), err error) {
	return m.locks.lock(ctx, id)
}
