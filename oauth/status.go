package oauth

import (
	"cmp"
	"errors"
	"slices"
	"time"
)

// State is how an account is, in one word.
type State string

// The states of accounts, the worst of those that apply.
const (
	// StateUnknown: nobody has asked for a token yet.
	StateUnknown State = "unknown"
	// StateOK: there is a token, and what is to be saved is saved.
	StateOK State = "ok"
	// StateFailing: the last refresh failed; it is tried again. A token that has not ended is still served.
	StateFailing State = "failing"
	// StateUnsaved: the newest tokens are in memory only, because the store refuses them.
	StateUnsaved State = "unsaved"
	// StateCorrupt: what is stored cannot be understood.
	StateCorrupt State = "corrupt"
	// StateNeedsLogin: the credentials cannot be refreshed any more.
	StateNeedsLogin State = "needs_login"
	// StateNoCredentials: nothing is stored.
	StateNoCredentials State = "no_credentials"
)

// Status tells how an account is, for health checks and displays. It holds no secrets.
type Status struct {
	ID        string `json:"id"`
	Provider  string `json:"provider"`
	State     State  `json:"state"`
	AccountID string `json:"account_id,omitempty"`
	// Expiry is the end of the token; zero if it has none, or there is no token.
	Expiry     time.Time `json:"expiry,omitzero"`
	Generation uint64    `json:"generation,omitempty"`
	// Refreshing tells that a refresh, or a look into the store, runs.
	Refreshing bool `json:"refreshing,omitempty"`
	// Failures counts failed refreshes since the last success.
	Failures int `json:"failures,omitempty"`
	// LastRefresh is the last one of this process that succeeded.
	LastRefresh time.Time `json:"last_refresh,omitzero"`
	// NextAttempt is when a refresh that failed may be tried again.
	NextAttempt time.Time `json:"next_attempt,omitzero"`
	// Error is the text of what failed last; empty after a success.
	Error string `json:"error,omitempty"`
}

// Status tells how an account is. It looks at nothing but memory. ok is false for an id that was not added.
func (m *TokenManager) Status(id string) (s Status, ok bool) {
	a := m.account(id)
	if a == nil {
		return Status{}, false
	}
	return a.status(), true
}

// Statuses tells how all accounts are, sorted by id.
func (m *TokenManager) Statuses() []Status {
	var all []Status
	for _, a := range m.all() {
		all = append(all, a.status())
	}
	slices.SortFunc(all, func(a, b Status) int { return cmp.Compare(a.ID, b.ID) })
	return all
}

func (a *account) status() Status {
	a.mu.Lock()
	defer a.mu.Unlock()
	s := Status{
		ID: a.id, Provider: a.name, State: a.state(), Refreshing: a.flight != nil,
		Failures: a.failures, LastRefresh: a.lastRefresh,
	}
	if a.cur != nil {
		s.AccountID, s.Expiry, s.Generation = a.cur.cred.AccountID, a.cur.cred.Expiry, a.cur.cred.Generation
	}
	if a.err != nil {
		s.Error = a.err.Error()
	}
	if a.failures > 0 {
		s.NextAttempt = a.notBefore
	}
	return s
}

// state is called with the lock held.
func (a *account) state() State {
	switch {
	case a.needsLogin():
		return StateNeedsLogin
	case a.unsaved:
		return StateUnsaved
	case errors.Is(a.err, ErrCorrupt):
		return StateCorrupt
	case errors.Is(a.err, ErrNoCredentials):
		return StateNoCredentials
	case a.err != nil:
		return StateFailing
	case a.cur == nil:
		return StateUnknown
	}
	return StateOK
}
