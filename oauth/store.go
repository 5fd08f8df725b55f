package oauth

import "context"

// Store keeps credentials under ids, such as the name of a provider or of an account. Its methods must be
// safe for concurrent use; a Load sees the last Save that returned. Values are copied on the way in and out:
// changing one afterwards changes nothing that is stored. Package oauth/store/storetest checks all of this.
//
// A Store may also implement [Lister] and [Locker].
type Store interface {
	// Load returns an error wrapping [ErrNoCredentials] if nothing is stored under id, and one wrapping
	// [ErrCorrupt] if what is stored cannot be understood.
	Load(ctx context.Context, id string) (*Credentials, error)
	// Save replaces what is stored under id as a whole: after an error the old credentials are still there.
	// It refuses nil, credentials without an access token, and an empty id, with an error wrapping
	// [ErrInvalid]: they would take the place of credentials that work.
	Save(ctx context.Context, id string, c *Credentials) error
	// Delete removes what is stored under id, readable or not. If there is nothing, that is no error.
	Delete(ctx context.Context, id string) error
}

// Lister is an optional upgrade of a [Store] that can tell what it holds.
type Lister interface {
	// List gives the ids of everything stored, sorted.
	List(ctx context.Context) ([]string, error)
}

// Locker is an optional upgrade of a [Store] that several processes share.
type Locker interface {
	// Lock waits until no one else holds the lock of id, in this process or another, or until ctx ends. The
	// holder calls unlock once. Locks guard refreshes; Load and Save work without them.
	Lock(ctx context.Context, id string) (unlock func(), err error)
}
