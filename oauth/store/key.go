package store

import (
	"context"
	"crypto/hkdf"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"

	"github.com/ccproxy-go/ccproxy/oauth"
)

// KeySize is the number of bytes of a [Key].
const KeySize = 32

// Key is a key that credentials are sealed with. It prints as its public id. The zero value is no key. Make
// one with [NewKey], [KeyOf] or [ParseKeys].
type Key struct{ text oauth.Secret }

// NewKey makes a random key.
func NewKey() Key {
	var raw [KeySize]byte
	_, _ = rand.Read(raw[:]) // it never fails
	return Key{text: oauth.NewSecret(string(raw[:]))}
}

// KeyOf makes a key of [KeySize] random bytes. Any other number gives an error wrapping [oauth.ErrInvalid]: a
// password is no key.
func KeyOf(raw []byte) (Key, error) {
	if len(raw) != KeySize {
		return Key{}, invalid("a key of %d bytes, want %d", len(raw), KeySize)
	}
	return Key{text: oauth.NewSecret(string(raw))}, nil
}

// ParseKeys reads keys that are written in base64 or hex, separated by commas or white space, as in an
// environment variable or a file. The first one seals, all of them open. The error wraps [oauth.ErrInvalid]
// and tells which one is wrong, and nothing of it.
func ParseKeys(text string) ([]Key, error) {
	words := strings.FieldsFunc(text, func(r rune) bool { return strings.ContainsRune(", \t\r\n", r) })
	if len(words) == 0 {
		return nil, invalid("no key")
	}
	keys := make([]Key, len(words))
	for i, word := range words {
		raw, ok := decodeKey(word)
		if !ok {
			return nil, invalid("key %d is not %d bytes in base64 or hex", i+1, KeySize)
		}
		keys[i] = Key{text: oauth.NewSecret(string(raw))}
	}
	return keys, nil
}

func decodeKey(word string) (raw []byte, ok bool) {
	if len(word) == hex.EncodedLen(KeySize) {
		if raw, err := hex.DecodeString(word); err == nil {
			return raw, true
		}
	}
	word = strings.NewReplacer("-", "+", "_", "/").Replace(strings.TrimRight(word, "="))
	raw, err := base64.RawStdEncoding.DecodeString(word)
	return raw, err == nil && len(raw) == KeySize
}

// Text gives the key in base64, as [ParseKeys] reads it.
func (k Key) Text() oauth.Secret {
	return oauth.NewSecret(base64.StdEncoding.EncodeToString([]byte(k.text.Reveal())))
}

// IsZero reports whether k is no key.
func (k Key) IsZero() bool { return k.text.IsZero() }

// ID names the key without telling anything of it. It stands beside what is sealed.
func (k Key) ID() string {
	if k.IsZero() {
		return ""
	}
	id, err := k.derive("id", 4)
	if err != nil {
		return ""
	}
	return hex.EncodeToString(id)
}

// String gives the id.
func (k Key) String() string { return "key " + k.ID() }

// Format writes String for every verb.
func (k Key) Format(f fmt.State, _ rune) { _, _ = f.Write([]byte(k.String())) }

// derive gives bytes for one purpose from which those for another cannot be told.
func (k Key) derive(purpose string, size int) ([]byte, error) {
	return hkdf.Key(sha256.New, []byte(k.text.Reveal()), nil, "ccproxy credentials "+purpose, size)
}

// KeySource tells a [Sealed] store its keys. Keys, [KeyFile] and the keyring's source are some.
type KeySource interface {
	// Keys gives the keys: the first one seals, all of them open. It is called for every operation, so that
	// a rotation needs no restart. It must be safe for concurrent use, and its errors must tell nothing of
	// the keys.
	Keys(ctx context.Context) ([]Key, error)
}

// Keys is a [KeySource] of keys that are known, such as those that [ParseKeys] found in the value of an
// environment variable.
type Keys []Key

// Keys gives them.
func (k Keys) Keys(context.Context) ([]Key, error) { return k, nil }

// usableKeys asks the source and refuses what cannot be used.
func usableKeys(ctx context.Context, source KeySource) ([]Key, error) {
	if source == nil {
		return nil, errors.New("sealed store without keys")
	}
	keys, err := source.Keys(ctx)
	if err != nil {
		return nil, fmt.Errorf("keys: %w", err)
	}
	for _, k := range keys {
		if k.IsZero() {
			return nil, errors.New("one of the keys is empty")
		}
	}
	if len(keys) == 0 {
		return nil, errors.New("sealed store without keys")
	}
	return keys, nil
}
