package command

import (
	"fmt"
	"maps"
	"slices"

	"github.com/ccproxy-go/ccproxy"
	"github.com/ccproxy-go/ccproxy/limit"
	limitredis "github.com/ccproxy-go/ccproxy/limit/redis"
	"github.com/ccproxy-go/ccproxy/oauth/store/redis"
	balancerredis "github.com/ccproxy-go/ccproxy/system/balancer/redis"
)

// redisVariable says where Redis is, for those who do not say it with --redis.
const redisVariable = "CCPROXY_REDIS_URL"

// replicas is what several processes share: logins, the leases of their refreshes, logins that have begun, what callers
// have left of their limits, and the state of accounts. It is one for all proxies that a command builds one after
// another.
type replicas struct {
	address string
	store   *redis.Store
	limits  limit.Limiter
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

// limiter counts what callers take, in Redis where options has found one. A reload keeps it.
func (r *replicas) limiter() limit.Limiter {
	switch {
	case r.limits != nil:
	case r.store != nil:
		r.limits = &limitredis.Limiter{Client: r.store.Client}
	default:
		r.limits = new(limit.Local)
	}
	return r.limits
}

// accounts tells the plugin that shares the state of accounts where Redis is, unless its table does.
func (r *replicas) accounts(s ccproxy.Settings, reg *ccproxy.Registry) ccproxy.Settings {
	isIt := func(m ccproxy.Manifest) bool { return m.Name == balancerredis.Name }
	if r.store == nil || !slices.ContainsFunc(reg.Manifests(), isIt) || s.Plugins[balancerredis.Name]["url"] != nil {
		return s
	}
	table := maps.Clone(s.Plugins[balancerredis.Name])
	if table == nil {
		table = make(map[string]any)
	}
	table["url"] = r.address
	if s.Plugins = maps.Clone(s.Plugins); s.Plugins == nil {
		s.Plugins = make(map[string]map[string]any)
	}
	s.Plugins[balancerredis.Name] = table
	return s
}

func (r *replicas) close() {
	if r.store != nil {
		_ = r.store.Close() // everything was saved when it was said to be
	}
}
