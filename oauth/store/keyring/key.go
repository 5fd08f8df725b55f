package keyring

import (
	"context"
	"errors"

	"github.com/zalando/go-keyring"

	"github.com/ccproxy-go/ccproxy/oauth"
	"github.com/ccproxy-go/ccproxy/oauth/store"
)

// Key is a [store.KeySource] that reads the keys of a [store.Sealed] from an entry of the keyring, as
// [store.ParseKeys] takes them. The keyring is asked each time, so a rotation needs no restart.
type Key struct {
	// Service is the name of the application. Required.
	Service string
	// User is the name of the entry. Empty means "credentials-key".
	User string
	// Create makes a random key if there is none. Let one process do so first: of two that make one at the
	// same moment, the first may seal with a key that the second replaces.
	Create bool
}

var _ store.KeySource = Key{}

// Keys gives the keys. Without an entry the error wraps [oauth.ErrNoCredentials]. It returns when ctx ends,
// even if the keyring is still waiting for its user.
func (k Key) Keys(ctx context.Context) ([]store.Key, error) {
	var keys []store.Key
	err := ctx.Err()
	if err == nil {
		keys, err = k.ask(ctx)
	}
	if err == nil || ctx.Err() != nil && errors.Is(err, ctx.Err()) {
		return keys, err
	}
	return nil, &store.Error{Op: "load", ID: k.user(), Place: "the keyring, service " + k.Service, Err: err}
}

func (k Key) ask(ctx context.Context) ([]store.Key, error) {
	if k.Service == "" {
		return nil, errNoService
	}
	found := make(chan string, 1)
	err := leave(ctx, func() error {
		text, err := k.text()
		found <- text
		return err
	})
	if err != nil {
		return nil, err
	}
	return store.ParseKeys(<-found)
}

func (k Key) text() (string, error) {
	text, err := keyring.Get(k.Service, k.user())
	if !errors.Is(err, keyring.ErrNotFound) {
		return text, err
	}
	if !k.Create {
		return "", oauth.ErrNoCredentials
	}
	if err := keyring.Set(k.Service, k.user(), store.NewKey().Text().Reveal()); err != nil {
		return "", err
	}
	return keyring.Get(k.Service, k.user())
}

func (k Key) user() string {
	if k.User == "" {
		return "credentials-key"
	}
	return k.User
}
