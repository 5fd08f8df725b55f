// Package redis keeps credentials and pending logins in Redis, for several machines that share logins and refresh
// each once. It is a module of its own.
//
//	s, err := redis.Open("rediss://user:password@cache.example.org:6379/0")
//	…
//	defer s.Close()
//	manager := oauth.TokenManager{Store: s}
//	sessions := redis.Sessions{Client: s.Client}
//
// What is stored is as readable as Redis is: wrap the store in a store.Sealed unless nobody else gets at it.
// It is as durable as Redis is: with rotating refresh tokens, losing the last seconds of writes means to log
// in again.
package redis

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"

	goredis "github.com/redis/go-redis/v9"

	"github.com/ccproxy-go/ccproxy/oauth"
	"github.com/ccproxy-go/ccproxy/oauth/store"
)

// The defaults of a Store.
const (
	DefaultPrefix  = "ccproxy:oauth:"
	DefaultLease   = 30 * time.Second
	DefaultTimeout = 3 * time.Second
)

// ErrUnavailable means that Redis did not answer, or answered with an error of its own. What it holds is not
// known then; it may be back in a moment.
var ErrUnavailable = errors.New("redis is unavailable")

// Store keeps each login in a hash, under keys that begin with Prefix. It is an [oauth.Lister] and an
// [oauth.Locker] for all processes that use the same Redis and the same Prefix. On a cluster the keys of one
// login are in one slot.
//
// No command waits for Redis longer than Timeout, as long as Client heeds the deadlines of contexts: set
// ContextTimeoutEnabled in its options, as [Open] does, or its ReadTimeout comes on top.
//
// The fields must not be changed after first use. The methods are safe for concurrent use.
type Store struct {
	// Client talks to Redis. Required.
	Client goredis.UniversalClient
	// Prefix begins all keys. Empty means DefaultPrefix.
	Prefix string
	// Lease is how long others wait for a renewal before they take a lock for that of a process which died. It is
	// renewed three times as often while it is held. Set it to the same everywhere. Zero means DefaultLease.
	Lease time.Duration
	// Timeout bounds each command. Zero means DefaultTimeout.
	Timeout time.Duration

	closer func() error
}

var (
	_ oauth.Store  = (*Store)(nil)
	_ oauth.Lister = (*Store)(nil)
	_ oauth.Locker = (*Store)(nil)
)

// Open makes a Store with a client of its own, to be closed with Close. It does not talk to Redis yet. The
// address is as for goredis.ParseURL: redis://, rediss:// or unix://. An error tells nothing of it, since it
// may hold a password.
func Open(address string) (*Store, error) {
	options, err := goredis.ParseURL(address)
	if err != nil {
		return nil, fmt.Errorf("%w: not the URL of a Redis server", oauth.ErrInvalid)
	}
	options.ContextTimeoutEnabled = true
	client := goredis.NewClient(options)
	return &Store{Client: client, closer: sync.OnceValue(client.Close)}, nil
}

// Close closes the client that Open made. It leaves one alone that the caller brought.
func (s *Store) Close() error {
	if s.closer == nil {
		return nil
	}
	return s.closer()
}

// The fields of a login's hash.
const (
	fieldDoc        = "login"
	fieldGeneration = "generation"
)

// absentScript tells why there is no login: 'deleted', or ” if nobody knows of one. If there is one after all, it
// gives that.
const absentScript = `
local login = redis.call('HGET', KEYS[1], 'login')
if login then
	return login
end
if redis.call('EXISTS', KEYS[2]) == 1 then
	return 'deleted'
end
return ''`

// Load reads the login. Besides the errors of [oauth.Store] it returns [ErrUnavailable]; all are a
// [*store.Error]. Without a login the error wraps [oauth.ErrNoTrace], too, unless one was deleted within a day: Redis
// may have lost it.
func (s *Store) Load(ctx context.Context, id string) (*oauth.Credentials, error) {
	var doc []byte
	err := s.do(ctx, func(ctx context.Context) (err error) {
		doc, err = s.Client.HGet(ctx, s.key(id, kindLogin), fieldDoc).Bytes()
		return err
	})
	if errors.Is(err, oauth.ErrNoCredentials) {
		doc, err = s.absent(ctx, id)
	}
	var c *oauth.Credentials
	if err == nil {
		c, err = store.Native{}.Decode(doc)
	}
	return c, s.place("load", id, err)
}

// absent looks again, and says why there is no login.
func (s *Store) absent(ctx context.Context, id string) (doc []byte, err error) {
	err = s.do(ctx, func(ctx context.Context) error {
		found, err := s.run(ctx, absentScript, s.loginKeys(id)).Text()
		doc = []byte(found)
		return err
	})
	switch {
	case err != nil:
		return nil, err
	case string(doc) == "deleted":
		return nil, oauth.ErrNoCredentials
	case len(doc) == 0:
		return nil, fmt.Errorf("%w: %w", oauth.ErrNoCredentials, oauth.ErrNoTrace)
	}
	return doc, nil
}

// saveScript stores a login unless a newer one is there. Generations have leading zeros, since numbers are no
// more than a float64 in a script. A login is always the newest.
const saveScript = `
local stored = redis.call('HGET', KEYS[1], 'generation')
if stored and stored > ARGV[2] and ARGV[3] == '0' then
	return 0
end
redis.call('HSET', KEYS[1], 'login', ARGV[1], 'generation', ARGV[2])
redis.call('DEL', KEYS[2])
return 1`

// deleteScript removes a login and notes for a while that somebody wanted it so.
const deleteScript = `
redis.call('DEL', KEYS[1])
redis.call('SET', KEYS[2], '1', 'PX', ARGV[1])
return ''`

// deletedFor is how long a deletion is noted: longer than anybody keeps tokens that could not be saved and does not
// look.
const deletedFor = 24 * time.Hour

// Save stores the login, unless one of a higher generation is stored: then it returns an error wrapping
// [store.ErrStale], and whoever had held the lock for too long has not undone the work of who got it next. A
// generation of 0 or 1, which no refresh has, is a new login and always stored. If Redis does not answer, the
// login may have been stored or not; saving it again is safe.
func (s *Store) Save(ctx context.Context, id string, c *oauth.Credentials) error {
	if err := store.Check(id, c); err != nil {
		return s.place("save", id, err)
	}
	doc, err := store.Native{}.Encode(nil, c)
	if err != nil {
		return s.place("save", id, err)
	}
	login := 0
	if c.Generation <= 1 {
		login = 1
	}
	stored := false
	err = s.do(ctx, func(ctx context.Context) error {
		n, err := s.run(ctx, saveScript, s.loginKeys(id), doc, fmt.Sprintf("%020d", c.Generation), login).Int()
		stored = n == 1
		return err
	})
	if err == nil && !stored {
		err = fmt.Errorf("%w: %w than generation %d", oauth.ErrInvalid, store.ErrStale, c.Generation)
	}
	return s.place("save", id, err)
}

// Delete removes the login, whatever its generation.
func (s *Store) Delete(ctx context.Context, id string) error {
	return s.place("delete", id, s.do(ctx, func(ctx context.Context) error {
		return s.run(ctx, deleteScript, s.loginKeys(id), deletedFor.Milliseconds()).Err()
	}))
}

// List looks at all keys of the database, a thousand at a time.
func (s *Store) List(ctx context.Context) ([]string, error) {
	var mu sync.Mutex
	var ids []string
	scan := func(ctx context.Context, node goredis.Cmdable) error {
		found, err := s.scan(ctx, node)
		mu.Lock()
		defer mu.Unlock()
		ids = append(ids, found...)
		return err
	}
	var err error
	switch c := s.Client.(type) {
	case nil:
		err = errNoClient
	case *goredis.ClusterClient:
		err = c.ForEachMaster(ctx, func(ctx context.Context, node *goredis.Client) error { return scan(ctx, node) })
	case *goredis.Ring:
		err = c.ForEachShard(ctx, func(ctx context.Context, node *goredis.Client) error { return scan(ctx, node) })
	default:
		err = scan(ctx, c)
	}
	if err != nil {
		return nil, s.place("list", "", told(ctx, err))
	}
	slices.Sort(ids)
	return slices.Compact(ids), nil // a scan may tell a key twice
}

func (s *Store) scan(ctx context.Context, node goredis.Cmdable) ([]string, error) {
	pattern := globEscaper().Replace(s.prefix()) + "{*}" + kindLogin
	var ids []string
	for cursor, first := uint64(0), true; first || cursor != 0; first = false {
		var keys []string
		err := s.do(ctx, func(ctx context.Context) (err error) {
			keys, cursor, err = node.Scan(ctx, cursor, pattern, 1000).Result()
			return err
		})
		if err != nil {
			return nil, err
		}
		for _, key := range keys {
			if id, ok := s.idOf(key); ok {
				ids = append(ids, id)
			}
		}
	}
	return ids, nil
}

func globEscaper() *strings.Replacer {
	return strings.NewReplacer(`\`, `\\`, `*`, `\*`, `?`, `\?`, `[`, `\[`, `]`, `\]`)
}

// What there is of an id. The braces around the id make a cluster put all of it in one slot.
const (
	kindLogin   = ":login"
	kindLock    = ":lock"
	kindDeleted = ":deleted"
)

func (s *Store) prefix() string {
	if s.Prefix == "" {
		return DefaultPrefix
	}
	return s.Prefix
}

func (s *Store) key(id, kind string) string {
	return s.prefix() + "{" + url.PathEscape(id) + "}" + kind
}

// loginKeys are the keys of the scripts about logins.
func (s *Store) loginKeys(id string) []string {
	return []string{s.key(id, kindLogin), s.key(id, kindDeleted)}
}

func (s *Store) idOf(key string) (id string, ok bool) {
	key = strings.TrimSuffix(strings.TrimPrefix(key, s.prefix()+"{"), "}"+kindLogin)
	id, err := url.PathUnescape(key)
	return id, err == nil && id != ""
}

// run runs a script on keys of one id.
func (s *Store) run(ctx context.Context, script string, keys []string, args ...any) *goredis.Cmd {
	return goredis.NewScript(script).Run(ctx, s.Client, keys, args...)
}

func (s *Store) do(ctx context.Context, command func(context.Context) error) error {
	return within(ctx, s.Client, s.Timeout, command)
}

var errNoClient = errors.New("no client")

// within runs a command of the client within the timeout, or its default.
func within(
	ctx context.Context, client goredis.UniversalClient, timeout time.Duration, command func(context.Context) error,
) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if client == nil {
		return errNoClient
	}
	if timeout <= 0 {
		timeout = DefaultTimeout
	}
	limited, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	return told(ctx, command(limited))
}

// told gives a command's error as callers know it. A timeout of the command's own must not look like one of
// theirs.
func told(ctx context.Context, err error) error {
	var answer goredis.Error
	switch {
	case err == nil || errors.Is(err, ErrUnavailable) || errors.Is(err, oauth.ErrNoCredentials) ||
		errors.Is(err, oauth.ErrCorrupt) || errors.Is(err, oauth.ErrSession) || errors.Is(err, errNoClient):
		return err
	case errors.Is(err, goredis.Nil):
		return oauth.ErrNoCredentials
	case ctx.Err() != nil:
		return ctx.Err()
	case errors.As(err, &answer) && strings.HasPrefix(answer.Error(), "WRONGTYPE"):
		return fmt.Errorf("%w: a key of another kind", oauth.ErrCorrupt)
	case errors.Is(err, context.DeadlineExceeded) || errors.Is(err, context.Canceled):
		return fmt.Errorf("%w: no answer in time", ErrUnavailable)
	}
	return fmt.Errorf("%w: %w", ErrUnavailable, err)
}

// place says where an error happened, unless it is the caller's own end.
func (s *Store) place(op, id string, err error) error {
	if err == nil || errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return err
	}
	return &store.Error{Op: op, ID: id, Place: "redis under " + s.prefix(), Err: err}
}
