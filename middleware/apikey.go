package middleware

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"errors"
	"fmt"
	"hash"
	"io"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/ccproxy-go/ccproxy/internal/secret"
)

// Secret is text that prints and marshals redacted.
type Secret = secret.Text

// NewSecret makes a Secret of s.
func NewSecret(s string) Secret { return secret.New(s) }

// Why [Keys.Authenticate] refuses a request.
var (
	// ErrNoKey is returned when a request carries no key at all.
	ErrNoKey = errors.New("no API key: send one as Authorization: Bearer or as x-api-key")
	// ErrBadKey is returned for every other failure. What wraps it says more only where that is about the
	// form of a header, never about how near a key was.
	ErrBadKey = errors.New("invalid API key")

	errScheme  = fmt.Errorf("%w: Authorization must be Bearer, one space and the key", ErrBadKey)
	errSeveral = fmt.Errorf("%w: a header with a key was sent more than once", ErrBadKey)
	errEmpty   = fmt.Errorf("%w: a header for a key was sent without one", ErrBadKey)
)

// Key is an API key that clients of the proxy may use.
type Key struct {
	// Name says whose key it is, in logs and hooks. It is not secret.
	Name string
	// Value is what clients send. It is empty in what [Keys.Authenticate] returns.
	Value Secret
	// Models are the models that the key may be used for. Nil means all.
	Models []string
}

// Keys are the keys that are accepted. They may be used by several goroutines. A nil or zero Keys accepts none.
//
// Keys holds no values: each is kept as an HMAC-SHA256 under a random key of the instance, and so is what a
// client sends before the two are compared, always with all of them. So the time that an answer takes tells
// neither how much of a key was right nor which one it was.
type Keys struct {
	salt    [32]byte
	entries []keyEntry
	macs    sync.Pool // of *keyMAC
	// compare is subtle.ConstantTimeCompare; a field so that a test can count its calls.
	compare func(a, b []byte) int
}

type keyEntry struct {
	key Key
	sum [sha256.Size]byte
}

// NewKeys makes Keys, or says of all keys that cannot be used why, without showing any part of them: keys without a
// name or value, of the same name or value as another, shorter than 8 characters or longer than 4096, with
// characters that a header cannot carry, or that documentation shows as a sample, such as "your-api-key". Without
// keys it makes Keys that accept none.
func NewKeys(keys ...Key) (*Keys, error) {
	k := &Keys{compare: subtle.ConstantTimeCompare}
	_, _ = rand.Read(k.salt[:]) // it never fails: the program ends if there is no randomness
	var errs []error
	for i, key := range keys {
		if err := k.add(key); err != nil {
			// By its place alone: where name and value were exchanged, the name is the secret.
			errs = append(errs, fmt.Errorf("API key %d: %w", i+1, err))
		}
	}
	if err := errors.Join(errs...); err != nil {
		return nil, err
	}
	return k, nil
}

func (k *Keys) add(key Key) error {
	value := key.Value.Reveal()
	if err := checkKeyName(key.Name); err != nil {
		return err
	}
	if err := checkKeyValue(value); err != nil {
		return err
	}
	if strings.Contains(key.Name, value) {
		return errors.New("the name holds the value, but names appear in logs")
	}
	if slices.ContainsFunc(k.entries, func(e keyEntry) bool { return e.key.Name == key.Name }) {
		return errors.New("another key has this name")
	}
	if k.find(value) >= 0 {
		return errors.New("another key has this value")
	}
	e := keyEntry{key: Key{Name: key.Name, Models: slices.Clone(key.Models)}}
	m := newKeyMAC(k.salt[:])
	copy(e.sum[:], m.of(value))
	k.entries = append(k.entries, e)
	return nil
}

// Authenticate finds the key that a request's header carries, as "Authorization: Bearer …" or as x-api-key; if
// both are there both must be right, for the same key. Each may be sent once, and a value must be the key to the
// letter: nothing is trimmed, decoded or split. The Key comes without its Value; its Models must not be changed.
// The error is or wraps [ErrNoKey] or [ErrBadKey].
func (k *Keys) Authenticate(h http.Header) (Key, error) {
	first, err := bearerKey(h["Authorization"])
	if err != nil {
		return Key{}, err
	}
	second, err := onlyValue(h["X-Api-Key"])
	if err != nil {
		return Key{}, err
	}
	if first == "" {
		first, second = second, ""
	}
	if first == "" {
		return Key{}, ErrNoKey
	}
	at := k.find(first)
	if second != "" && k.find(second) != at || at < 0 {
		return Key{}, ErrBadKey
	}
	return k.entries[at].key, nil
}

// bearerKey gives the key of an Authorization header, "" if there is no such header.
func bearerKey(values []string) (string, error) {
	const scheme = "Bearer "
	value, err := onlyValue(values)
	if value == "" || err != nil {
		return "", err
	}
	if len(value) <= len(scheme) || !strings.EqualFold(value[:len(scheme)], scheme) {
		return "", errScheme
	}
	return value[len(scheme):], nil
}

// onlyValue gives the value of a header that may be sent once, "" if it was not sent.
func onlyValue(values []string) (string, error) {
	switch {
	case len(values) == 0:
		return "", nil
	case len(values) > 1:
		return "", errSeveral
	case values[0] == "":
		return "", errEmpty
	default:
		return values[0], nil
	}
}

// find gives the index of the key with this value, -1 if there is none. It looks at all keys in any case, and
// chooses without a branch.
func (k *Keys) find(value string) int {
	if k == nil || len(value) > maxKeyBytes {
		return -1
	}
	m, ok := k.macs.Get().(*keyMAC)
	if !ok {
		m = newKeyMAC(k.salt[:])
	}
	defer k.macs.Put(m)
	sum := m.of(value)
	found := -1
	for i := range k.entries {
		found = subtle.ConstantTimeSelect(k.compare(k.entries[i].sum[:], sum), i, found)
	}
	return found
}

// keyMAC computes MACs in buffers of its own, so that a request allocates nothing.
type keyMAC struct {
	hash  hash.Hash
	value []byte
	sum   []byte
}

func newKeyMAC(salt []byte) *keyMAC { return &keyMAC{hash: hmac.New(sha256.New, salt)} }

// of gives the MAC of a value; it is good until the next call.
func (m *keyMAC) of(value string) []byte {
	m.value = append(m.value[:0], value...)
	m.hash.Reset()
	m.hash.Write(m.value)
	clear(m.value)
	m.sum = m.hash.Sum(m.sum[:0])
	return m.sum
}

// Format writes the number of keys for every verb: what is inside would help to guess values.
func (k *Keys) Format(f fmt.State, _ rune) {
	n := 0
	if k != nil {
		n = len(k.entries)
	}
	_, _ = io.WriteString(f, strconv.Itoa(n)+" API keys")
}

// APIKeyOptions says what [APIKey] does besides checking keys.
type APIKeyOptions struct {
	// Exempt reports requests that need no key, such as those to a health endpoint. It must decide by what
	// the router decides by, and has to be safe for concurrent use. If nil, every request needs a key.
	Exempt func(r *http.Request) bool
	// OnOK gives the request to pass on once its key was accepted, with the caller in its context for instance.
	// If nil, the request is passed on as it is.
	OnOK func(r *http.Request, key Key) *http.Request
	// Reject answers requests without a right key; WWW-Authenticate is set by then, and the status is 401.
	Reject RejectFunc
}

// APIKey asks each request for one of the keys, wherever it goes: paths, methods and other headers make no
// difference. Headers that carry a key stay in the request; what forwards it must leave them out.
func APIKey(keys *Keys, o APIKeyOptions) Func {
	reject := orJSON(o.Reject)
	return func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if o.Exempt != nil && o.Exempt(r) {
				next.ServeHTTP(w, r)
				return
			}
			key, err := keys.Authenticate(r.Header)
			if err != nil {
				w.Header().Set("WWW-Authenticate", "Bearer")
				reject(w, r, &RejectError{Status: http.StatusUnauthorized, Type: "authentication_error", Err: err})
				return
			}
			if o.OnOK != nil {
				r = o.OnOK(r, key)
			}
			next.ServeHTTP(w, r)
		})
	}
}
