package store

import (
	"context"
	"crypto/aes"
	"crypto/cipher"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"strings"

	"github.com/ccproxy-go/ccproxy/oauth"
)

// Sealed encrypts credentials before another store keeps them, with AES-256-GCM and random nonces.
//
// The other store gets credentials with two fields: AccessToken, which is everything sealed and names the key,
// and Generation in the clear, for stores that compare it. Both are bound to the id: sealed credentials that
// are copied to another id, or whose generation was changed, do not open. Putting back an old file under its
// own id is not noticed. Since a vendor's command could not read them, do not seal the file of one.
//
// Sealed lists what the other store lists, and returns errors.ErrUnsupported if it cannot. It locks as the
// other store does, or else within the process.
//
// The fields must not be changed after first use, and a Sealed must not be copied after it. Its methods are
// safe for concurrent use.
type Sealed struct {
	// Store keeps what is sealed. Required.
	Store oauth.Store
	// Keys are the keys. Required. New ones are put first and old ones kept until Rotate has run.
	Keys KeySource
	// AllowPlain makes credentials readable that were stored without a seal; Rotate seals them. Without it
	// they are corrupt.
	AllowPlain bool

	locks keyedLock
}

var (
	_ oauth.Store  = (*Sealed)(nil)
	_ oauth.Lister = (*Sealed)(nil)
	_ oauth.Locker = (*Sealed)(nil)
)

// Load opens what is stored. If it was sealed with a key that is not at hand, the error wraps [ErrKey] and
// [oauth.ErrCorrupt]; if it was changed, or is that of another id, [oauth.ErrCorrupt].
func (s *Sealed) Load(ctx context.Context, id string) (*oauth.Credentials, error) {
	c, _, err := s.load(ctx, id)
	return c, err
}

// load also tells whether the credentials are sealed with the first key.
func (s *Sealed) load(ctx context.Context, id string) (c *oauth.Credentials, current bool, err error) {
	if err := ctx.Err(); err != nil {
		return nil, false, err
	}
	if s.Store == nil {
		return nil, false, place("load", id, "", invalid("a sealed store without a store"))
	}
	stored, err := s.Store.Load(ctx, id)
	if err != nil {
		return nil, false, err
	}
	if s.AllowPlain && !isSealed(stored.AccessToken) {
		return stored, false, nil
	}
	keys, err := usableKeys(ctx, s.Keys)
	if err != nil {
		return nil, false, place("load", id, "", err)
	}
	c, used, err := open(keys, id, stored)
	return c, used == 0, place("load", id, "", err)
}

// Save seals c with the first key and stores it.
func (s *Sealed) Save(ctx context.Context, id string, c *oauth.Credentials) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	err := Check(id, c)
	if err == nil && s.Store == nil {
		err = invalid("a sealed store without a store")
	}
	if err != nil {
		return place("save", id, "", err)
	}
	keys, err := usableKeys(ctx, s.Keys)
	if err != nil {
		return place("save", id, "", err)
	}
	sealed, err := seal(keys[0], id, c)
	if err != nil {
		return place("save", id, "", err)
	}
	return s.Store.Save(ctx, id, sealed)
}

// Delete deletes what is stored, also if no key opens it.
func (s *Sealed) Delete(ctx context.Context, id string) error {
	if s.Store == nil {
		return place("delete", id, "", invalid("a sealed store without a store"))
	}
	return s.Store.Delete(ctx, id)
}

// List gives the ids that the other store holds.
func (s *Sealed) List(ctx context.Context) ([]string, error) {
	lister, ok := s.Store.(oauth.Lister)
	if !ok {
		return nil, place("list", "", "", fmt.Errorf("%T: %w", s.Store, errors.ErrUnsupported))
	}
	return lister.List(ctx)
}

// Lock takes the other store's lock. If it has none, the lock holds within the process, for those who use
// this very Sealed.
func (s *Sealed) Lock(ctx context.Context, id string) (unlock func(), err error) {
	if locker, ok := s.Store.(oauth.Locker); ok {
		return locker.Lock(ctx, id)
	}
	return s.locks.lock(ctx, id)
}

// Rotate seals everything with the first key that is not so yet, each under its lock. It goes on after a
// failure and returns all of them joined; once there is none, the other keys can go. Whoever saves without
// the lock at the same moment may be undone.
func (s *Sealed) Rotate(ctx context.Context) error {
	ids, err := s.List(ctx)
	if err != nil {
		return err
	}
	var failures []error
	for _, id := range ids {
		if err := s.rotate(ctx, id); err != nil {
			failures = append(failures, place("rotate", id, "", err))
		}
	}
	return errors.Join(failures...)
}

func (s *Sealed) rotate(ctx context.Context, id string) error {
	unlock, err := s.Lock(ctx, id)
	if err != nil {
		return err
	}
	defer unlock()
	c, current, err := s.load(ctx, id)
	if current || errors.Is(err, oauth.ErrNoCredentials) {
		return nil
	}
	if err != nil {
		return err
	}
	return s.Save(ctx, id, c)
}

// sealMark begins what is sealed: the version, then the id of the key, then base64 of nonce and ciphertext.
const sealMark = "ccproxy-sealed:1:"

func isSealed(token oauth.Secret) bool { return strings.HasPrefix(token.Reveal(), sealMark) }

func seal(key Key, id string, c *oauth.Credentials) (*oauth.Credentials, error) {
	doc, err := Native{}.Encode(nil, c)
	if err != nil {
		return nil, err
	}
	aead, err := key.aead()
	if err != nil {
		return nil, err
	}
	box := aead.Seal(nil, nil, doc, boundTo(id, c.Generation)) //nolint:gosec // it makes a random nonce itself
	text := sealMark + key.ID() + ":" + base64.StdEncoding.EncodeToString(box)
	return &oauth.Credentials{AccessToken: oauth.NewSecret(text), Generation: c.Generation}, nil
}

// open also tells which of the keys fitted.
func open(keys []Key, id string, sealed *oauth.Credentials) (c *oauth.Credentials, used int, err error) {
	text, ok := strings.CutPrefix(sealed.AccessToken.Reveal(), sealMark)
	if !ok {
		return nil, -1, corrupt("not sealed")
	}
	keyID, text, ok := strings.Cut(text, ":")
	box, err := base64.StdEncoding.DecodeString(text)
	if !ok || err != nil {
		return nil, -1, corrupt("the seal is damaged")
	}
	err = fmt.Errorf("%w: %w", oauth.ErrCorrupt, ErrKey)
	for i, key := range keys {
		if key.ID() != keyID {
			continue
		}
		var doc []byte
		doc, err = key.unseal(box, boundTo(id, sealed.Generation))
		if err == nil {
			c, err := Native{}.Decode(doc)
			return c, i, err
		}
	}
	return nil, -1, err
}

func (k Key) unseal(box, bound []byte) ([]byte, error) {
	aead, err := k.aead()
	if err != nil {
		return nil, err
	}
	doc, err := aead.Open(nil, nil, box, bound)
	if err != nil {
		return nil, corrupt("the seal is broken, or that of another id")
	}
	return doc, nil
}

func (k Key) aead() (cipher.AEAD, error) {
	raw, err := k.derive("seal", 32)
	if err != nil {
		return nil, err
	}
	block, err := aes.NewCipher(raw)
	if err != nil {
		return nil, err
	}
	return cipher.NewGCMWithRandomNonce(block)
}

// boundTo is what a seal covers beside its content.
func boundTo(id string, generation uint64) []byte {
	bound := binary.BigEndian.AppendUint64([]byte(sealMark), generation)
	return append(bound, id...)
}
