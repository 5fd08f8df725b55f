package oauth

import "errors"

// The kinds of failure, to be tested for with errors.Is.
var (
	// ErrNoCredentials means that nothing is stored under the id: nobody has logged in yet.
	ErrNoCredentials = errors.New("no credentials stored")
	// ErrNoTrace comes together with [ErrNoCredentials] from stores that remember for a while what was deleted: nobody
	// deleted anything under the id, so there never was a login, or the store has lost it. Whoever holds tokens that
	// were not saved yet saves them all the same. Without it credentials that are gone are taken for a logout.
	ErrNoTrace = errors.New("no trace of credentials")
	// ErrNeedsLogin means that the credentials cannot be refreshed any more and the user must log in again.
	ErrNeedsLogin = errors.New("login required")
	// ErrCorrupt means that what is stored cannot be understood.
	ErrCorrupt = errors.New("stored credentials are corrupt")
	// ErrInvalid means that a value can never be stored or registered.
	ErrInvalid = errors.New("invalid credentials or provider")
	// ErrUnknownProvider means that no provider of that name is registered.
	ErrUnknownProvider = errors.New("unknown OAuth provider")
	// ErrDuplicate means that a provider of that name is registered already.
	ErrDuplicate = errors.New("OAuth provider registered twice")
)
