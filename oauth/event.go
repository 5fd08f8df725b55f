package oauth

import "time"

// EventKind tells what happened to an account.
type EventKind string

// The kinds of events. Each is told by the process where it happens.
const (
	// EventRefreshing: the provider is about to be asked for new tokens.
	EventRefreshing EventKind = "refreshing"
	// EventRefreshed: there are new tokens.
	EventRefreshed EventKind = "refreshed"
	// EventRefreshFailed: a refresh failed and is tried again, at NextAttempt or later.
	EventRefreshFailed EventKind = "refresh_failed"
	// EventNeedsLogin: the credentials cannot be refreshed any more. Told once for each.
	EventNeedsLogin EventKind = "needs_login"
	// EventAdopted: the store held other credentials than this process, by a login or a refresh elsewhere.
	EventAdopted EventKind = "adopted"
	// EventSaveFailed: new tokens could not be saved. They are used, and saved again later.
	EventSaveFailed EventKind = "save_failed"
	// EventSaved: tokens that could not be saved before are.
	EventSaved EventKind = "saved"
	// EventLogin: somebody logged in.
	EventLogin EventKind = "login"
	// EventLogout: the credentials were deleted, here or elsewhere. Err tells what kept the server from
	// revoking them.
	EventLogout EventKind = "logout"
)

// Event is something that happened to an account. It holds no secrets.
type Event struct {
	Kind EventKind
	// Account is the id at the manager.
	Account string
	// Provider is the provider's name.
	Provider string
	// AccountID is the account at the authorization server, where known.
	AccountID string
	// Time is when it happened.
	Time time.Time
	// Duration is that of the refresh, where there was one.
	Duration time.Duration
	// Expiry is the end of the token that the event is about; zero if it has none.
	Expiry time.Time
	// Generation is that of the credentials that the event is about.
	Generation uint64
	// Failures counts failed refreshes since the last success.
	Failures int
	// NextAttempt is set with EventRefreshFailed.
	NextAttempt time.Time
	// Err is nil where nothing failed.
	Err error
}

// emit calls OnEvent, whose panic is nobody's business here. No lock is held.
func (a *account) emit(e Event) {
	if a.m.OnEvent == nil {
		return
	}
	e.Account, e.Provider, e.Time = a.id, a.name, time.Now()
	_ = protect(func() error { a.m.OnEvent(e); return nil })
}

// about gives an event of a kind about credentials, which may be nil.
func about(kind EventKind, c *Credentials) Event {
	e := Event{Kind: kind}
	if c != nil {
		e.AccountID, e.Expiry, e.Generation = c.AccountID, c.Expiry, c.Generation
	}
	return e
}
