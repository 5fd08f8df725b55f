// Package keyring keeps credentials, or the key that seals them, in the keyring of the operating system: the
// Keychain of macOS, the Credential Manager of Windows, or the Secret Service of a Linux desktop. It is a
// module of its own.
//
//	creds := &keyring.Store{Service: "my-app"}
//	if err := creds.Ready(ctx); err != nil {
//		// no desktop session, say: use files
//	}
//
// Keyrings are slow, small, and may ask the user. On a server, or with many logins, keep only a key there:
//
//	sealed := &store.Sealed{
//		Store: &store.Dir{Path: dir},
//		Keys:  keyring.Key{Service: "my-app", Create: true},
//	}
package keyring

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"strings"
	"sync"

	"github.com/zalando/go-keyring"

	"github.com/ccproxy-go/ccproxy/oauth"
	"github.com/ccproxy-go/ccproxy/oauth/store"
)

// Store keeps each login in an entry of the keyring, and in further entries what does not fit into one: some
// systems take no more than 2.5 kB. Entries are changed in an order that leaves the old login or the new
// one; a process that is killed between may leave an entry behind that nothing refers to.
//
// The keyring itself cannot be listed or locked. Several processes that refresh the same login need a lock
// from elsewhere, such as that of a directory on the same machine:
//
//	type locked struct {
//		*keyring.Store
//		oauth.Locker
//	}
//	s := locked{&keyring.Store{Service: "my-app"}, &store.Dir{Path: dir}}
//
// A keyring may wait for its user. Then a call returns when its context ends, while what it asked of the
// keyring goes on, as the only one of this Store: whether a Save happened is not known then.
//
// Service must not be changed after first use, and a Store must not be copied after it. Its methods are safe
// for concurrent use.
type Store struct {
	// Service is the name that the entries have in common, and that users see. Required.
	Service string

	ring  ring // nil means the system's
	start sync.Once
	busy  chan struct{} // a semaphore of one
}

var _ oauth.Store = (*Store)(nil)

// Load reads the login from the keyring. Besides the errors of [oauth.Store] it returns those of the keyring;
// all are a [*store.Error].
func (s *Store) Load(ctx context.Context, id string) (c *oauth.Credentials, err error) {
	var doc []byte
	err = s.do(ctx, func() (err error) {
		doc, err = s.read(entryName(id))
		return err
	})
	if err == nil {
		c, err = store.Native{}.Decode(doc)
	}
	if err != nil {
		return nil, s.place(ctx, "load", id, err)
	}
	return c, nil
}

// Save writes the login to the keyring. It refuses one of more than 64 kB with an error wrapping
// [oauth.ErrInvalid].
func (s *Store) Save(ctx context.Context, id string, c *oauth.Credentials) error {
	if err := store.Check(id, c); err != nil {
		return s.place(ctx, "save", id, err)
	}
	doc, err := store.Native{}.Encode(nil, c)
	if err != nil {
		return s.place(ctx, "save", id, err)
	}
	return s.place(ctx, "save", id, s.do(ctx, func() error { return s.write(entryName(id), doc) }))
}

// Delete removes the login from the keyring.
func (s *Store) Delete(ctx context.Context, id string) error {
	if id == "" {
		return ctx.Err()
	}
	return s.place(ctx, "delete", id, s.do(ctx, func() error { return s.remove(entryName(id)) }))
}

// Ready reports whether there is a keyring that answers. On a machine without a desktop session there is
// none, and the error is the system's.
func (s *Store) Ready(ctx context.Context) error {
	return s.place(ctx, "load", "", s.do(ctx, func() error {
		_, err := s.system().Get(s.Service, "ready?")
		if errors.Is(err, keyring.ErrNotFound) {
			return nil
		}
		return err
	}))
}

// ring is a keyring: tests have their own.
type ring interface {
	Get(service, user string) (string, error)
	Set(service, user, password string) error
	Delete(service, user string) error
}

// system is the keyring of the operating system, or the double that keyring.MockInit has put in its place.
type system struct{}

func (system) Get(service, user string) (string, error) { return keyring.Get(service, user) }

func (system) Set(service, user, password string) error { return keyring.Set(service, user, password) }

func (system) Delete(service, user string) error { return keyring.Delete(service, user) }

func (s *Store) system() ring {
	if s.ring == nil {
		return system{}
	}
	return s.ring
}

// do runs one operation at a time, and leaves it when ctx ends.
func (s *Store) do(ctx context.Context, op func() error) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if s.Service == "" {
		return errNoService
	}
	s.start.Do(func() { s.busy = make(chan struct{}, 1) })
	select {
	case s.busy <- struct{}{}:
	case <-ctx.Done():
		return ctx.Err()
	}
	return leave(ctx, func() error {
		defer func() { <-s.busy }()
		return op()
	})
}

// leave runs op until it ends or ctx does.
func leave(ctx context.Context, op func() error) error {
	done := make(chan error, 1)
	go func() { done <- op() }()
	select {
	case err := <-done:
		return err
	case <-ctx.Done():
		return ctx.Err()
	}
}

var errNoService = errors.New("keyring without a service name")

// place says where an error happened, unless it is the caller's own end.
func (s *Store) place(ctx context.Context, op, id string, err error) error {
	if err == nil || ctx.Err() != nil && errors.Is(err, ctx.Err()) {
		return err
	}
	return &store.Error{Op: op, ID: id, Place: "the keyring, service " + s.Service, Err: err}
}

// entryName gives the name of an id's entry. No two ids have the same one, also where case is ignored. Long
// ids are hashed: nothing asks for the ids of entries.
func entryName(id string) string {
	const limit = 200
	var b strings.Builder
	for i := range len(id) {
		if c := id[i]; c >= 'a' && c <= 'z' || c >= '0' && c <= '9' || strings.IndexByte("-_.@+", c) >= 0 {
			b.WriteByte(c)
			continue
		}
		b.WriteByte('%')
		b.WriteString(hex.EncodeToString([]byte{id[i]}))
	}
	if b.Len() <= limit {
		return b.String()
	}
	sum := sha256.Sum256([]byte(id))
	return "%sha256-" + hex.EncodeToString(sum[:])
}
