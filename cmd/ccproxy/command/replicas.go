package command

import (
	"fmt"

	"github.com/ccproxy-go/ccproxy"
	"github.com/ccproxy-go/ccproxy/oauth/store/redis"
)

// redisVariable says where Redis is, for those who do not say it with --redis.
const redisVariable = "CCPROXY_REDIS_URL"

// replicas is what several processes share: logins, the leases of their refreshes, and logins that have begun. It is
// one for all proxies that a command builds one after another.
type replicas struct {
	address string
	store   *redis.Store
}

// options gives what a proxy needs to share; nil if there is no Redis. fallback is an address too.
func (r *replicas) options(fallback string) ([]ccproxy.Option, error) {
	if r.address == "" {
		r.address = fallback
	}
	if r.address == "" {
		return nil, nil
	}
	if r.store == nil {
		s, err := redis.Open(r.address)
		if err != nil {
			return nil, fmt.Errorf("--redis or %s: %w", redisVariable, err)
		}
		r.store = s
	}
	return []ccproxy.Option{
		ccproxy.WithCredentialStore(r.store),
		ccproxy.WithSessionStore(&redis.Sessions{Client: r.store.Client}),
	}, nil
}

func (r *replicas) close() {
	if r.store != nil {
		_ = r.store.Close() // everything was saved when it was said to be
	}
}
