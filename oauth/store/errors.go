package store

import (
	"encoding/json"
	"errors"
	"fmt"
	"unicode/utf8"

	"github.com/ccproxy-go/ccproxy/internal/secret"
	"github.com/ccproxy-go/ccproxy/oauth"
)

// ErrKey means that what is stored was sealed with a key that is not among those of the [Sealed] store. It
// always comes together with [oauth.ErrCorrupt].
var ErrKey = errors.New("sealed with another key")

// ErrStale means that a store which compares generations holds newer credentials than those to be saved. It
// comes together with [oauth.ErrInvalid]: saving them again will not help.
var ErrStale = errors.New("newer credentials are stored")

// ErrExposed means that a file with secrets belongs to this process's user and others may read it. It is not used, as
// OpenSSH does not use such a private key, until its mode is 0600. What is saved there is.
var ErrExposed = errors.New("others may read the file")

// Error is what kept a store from doing something, and where. It holds nothing of any credentials.
type Error struct {
	// Op is "load", "save", "delete", "list", "lock" or "rotate".
	Op string
	// ID is the id of the credentials; empty where there is none.
	ID string
	// Place is where they are, such as the path of a file.
	Place string
	// Err is the reason. It wraps one of the sentinels of package oauth where they fit.
	Err error
}

// Error tells all of it.
func (e *Error) Error() string {
	text := e.Op
	if e.ID != "" {
		text += fmt.Sprintf(" %q", e.ID)
	}
	if e.Place != "" {
		text += " in " + e.Place
	}
	return text + ": " + e.Err.Error()
}

// Unwrap gives Err.
func (e *Error) Unwrap() error { return e.Err }

// place says where an error happened, unless it is none.
func place(op, id, where string, err error) error {
	if err == nil {
		return nil
	}
	return &Error{Op: op, ID: id, Place: where, Err: err}
}

func corrupt(format string, args ...any) error {
	return fmt.Errorf("%w: %s", oauth.ErrCorrupt, fmt.Sprintf(format, args...))
}

func invalid(format string, args ...any) error {
	return fmt.Errorf("%w: %s", oauth.ErrInvalid, fmt.Sprintf(format, args...))
}

// Check refuses, with an error wrapping [oauth.ErrInvalid], what no store may take, and what JSON would change:
// an empty id, no access token, text that is not UTF-8, and placeholders of tokens. It is for implementers of
// stores that keep JSON.
func Check(id string, c *oauth.Credentials) error {
	if id == "" {
		return invalid("empty id")
	}
	if c == nil || c.AccessToken.IsZero() {
		return invalid("no access token")
	}
	for _, token := range []oauth.Secret{c.AccessToken, c.RefreshToken, c.IDToken} {
		switch text := token.Reveal(); {
		case !utf8.ValidString(text):
			return invalid("a token is not UTF-8")
		case text == secret.Redacted:
			return invalid("a token is the placeholder of one")
		}
	}
	for _, text := range append([]string{c.TokenType, c.AccountID}, c.Scopes...) {
		if !utf8.ValidString(text) {
			return invalid("a field is not UTF-8")
		}
	}
	for key, value := range c.Extra {
		if !utf8.ValidString(key) || len(value) > 0 && !json.Valid(value) {
			return invalid("a member of Extra is not JSON")
		}
	}
	return nil
}
