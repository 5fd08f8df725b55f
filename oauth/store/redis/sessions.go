package redis

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	goredis "github.com/redis/go-redis/v9"

	"github.com/ccproxy-go/ccproxy/oauth"
	"github.com/ccproxy-go/ccproxy/oauth/store"
)

// DefaultSessionPrefix begins the keys of a [Sessions].
const DefaultSessionPrefix = "ccproxy:session:"

// Sessions keeps pending logins in Redis, so that one which began at one replica may end at another. Redis drops
// them when they expire; there are as many as begin in that time.
//
// What is stored holds the PKCE verifier, and is as readable as Redis is unless Keys are set. It is worth something
// only together with the authorization code, and only to a client of the same registration.
//
// It needs Redis 6.2 or newer. No call waits for Redis longer than Timeout, under the condition that [Store] names.
// The fields must not be changed after first use. The methods are safe for concurrent use.
type Sessions struct {
	// Client talks to Redis. Required.
	Client goredis.UniversalClient
	// Prefix begins all keys. Empty means DefaultSessionPrefix.
	Prefix string
	// Timeout bounds each command. Zero means DefaultTimeout.
	Timeout time.Duration
	// Keys seal what is stored, each session to its key. Nil means that it is stored in plain.
	Keys store.KeySource
}

var _ oauth.SessionStore = (*Sessions)(nil)

// sessionDoc is a session as it is stored.
type sessionDoc struct {
	State       string    `json:"state"`
	Verifier    string    `json:"verifier"`
	Provider    string    `json:"provider"`
	RedirectURI string    `json:"redirect_uri"`
	Expires     time.Time `json:"expires"`
}

// Put keeps a session under key until it expires. It takes the place of another one. If Redis does not answer, the
// error wraps [ErrUnavailable] and the session may have been stored or not.
func (s *Sessions) Put(ctx context.Context, key string, session oauth.Session) error {
	value, err := s.encode(ctx, key, session)
	if err == nil {
		err = within(ctx, s.Client, s.Timeout, func(ctx context.Context) error {
			// Redis takes no time that is over; a moment is as good.
			left := max(time.Until(session.Expires), time.Millisecond)
			return s.Client.Set(ctx, s.prefix()+key, value, left).Err()
		})
	}
	return s.place("save", err)
}

// Take removes the session under key and returns it: to one caller alone, whatever the replica. Others, and all
// after it has expired, get an error wrapping [oauth.ErrSession]. So does whoever finds something that is no
// session, or is sealed with another key. If Redis does not answer, the error wraps [ErrUnavailable] and the session
// may be gone.
func (s *Sessions) Take(ctx context.Context, key string) (oauth.Session, error) {
	var value string
	err := within(ctx, s.Client, s.Timeout, func(ctx context.Context) (err error) {
		value, err = s.Client.GetDel(ctx, s.prefix()+key).Result()
		if errors.Is(err, goredis.Nil) {
			return oauth.ErrSession
		}
		return err
	})
	var session oauth.Session
	if err == nil {
		session, err = s.decode(ctx, key, value)
	}
	if errors.Is(err, oauth.ErrCorrupt) {
		err = fmt.Errorf("%w: %w", oauth.ErrSession, err)
	}
	return session, s.place("load", err)
}

func (s *Sessions) prefix() string {
	if s.Prefix == "" {
		return DefaultSessionPrefix
	}
	return s.Prefix
}

func (s *Sessions) encode(ctx context.Context, key string, session oauth.Session) (string, error) {
	doc, err := json.Marshal(sessionDoc{
		State: session.State.Reveal(), Verifier: session.Verifier.Reveal(),
		Provider: session.Provider, RedirectURI: session.RedirectURI, Expires: session.Expires,
	})
	if err != nil || s.Keys == nil {
		return string(doc), err
	}
	var box store.Memory
	sealed := store.Sealed{Store: &box, Keys: s.Keys}
	if err := sealed.Save(ctx, key, &oauth.Credentials{AccessToken: oauth.NewSecret(string(doc))}); err != nil {
		return "", err
	}
	c, err := box.Load(ctx, key)
	if err != nil {
		return "", err
	}
	return c.AccessToken.Reveal(), nil
}

func (s *Sessions) decode(ctx context.Context, key, value string) (oauth.Session, error) {
	if s.Keys != nil {
		var box store.Memory
		if err := box.Save(ctx, key, &oauth.Credentials{AccessToken: oauth.NewSecret(value)}); err != nil {
			return oauth.Session{}, fmt.Errorf("%w: not sealed", oauth.ErrCorrupt)
		}
		sealed := store.Sealed{Store: &box, Keys: s.Keys}
		c, err := sealed.Load(ctx, key)
		if err != nil {
			return oauth.Session{}, err
		}
		value = c.AccessToken.Reveal()
	}
	var doc sessionDoc
	if err := json.Unmarshal([]byte(value), &doc); err != nil || doc.State == "" {
		return oauth.Session{}, fmt.Errorf("%w: not a session", oauth.ErrCorrupt) // the error could quote it
	}
	return oauth.Session{
		State: oauth.NewSecret(doc.State), Verifier: oauth.NewSecret(doc.Verifier),
		Provider: doc.Provider, RedirectURI: doc.RedirectURI, Expires: doc.Expires,
	}, nil
}

// place says where an error happened, unless it is the caller's own end, or a session that is not there.
func (s *Sessions) place(op string, err error) error {
	if err == nil || errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) ||
		err == oauth.ErrSession { //nolint:errorlint // one that says no more
		return err
	}
	return &store.Error{Op: op, Place: "redis under " + s.prefix(), Err: err}
}
