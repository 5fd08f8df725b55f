package redis_test

import (
	"errors"
	"net"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/ccproxy-go/ccproxy/oauth"
	"github.com/ccproxy-go/ccproxy/oauth/store"
	"github.com/ccproxy-go/ccproxy/oauth/store/redis"
	"github.com/ccproxy-go/ccproxy/oauth/store/storetest"
)

// openSessions gives sessions by a client of their own.
func openSessions(t *testing.T, address string, keys store.KeySource) *redis.Sessions {
	t.Helper()
	return &redis.Sessions{Client: mustOpen(t, address).Client, Prefix: t.Name() + ":", Keys: keys, Timeout: patience}
}

func TestSessions(t *testing.T) {
	t.Parallel()
	servers(t, func(t *testing.T, address string) {
		t.Helper()
		for name, keys := range map[string]store.KeySource{"plain": nil, "sealed": store.Keys{store.NewKey()}} {
			t.Run(name, func(t *testing.T) {
				storetest.TestSessions(t, func(t *testing.T) (oauth.SessionStore, func() oauth.SessionStore) {
					t.Helper()
					again := func() oauth.SessionStore { return openSessions(t, address, keys) }
					return again(), again
				})
			})
		}
	})
}

func pending() oauth.Session {
	return oauth.Session{
		State: oauth.NewSecret("canary-state"), Verifier: oauth.NewSecret("canary-verifier"),
		Provider: "a", RedirectURI: "https://here.test", Expires: time.Now().Add(time.Hour).Round(0),
	}
}

// TestSessionIsWhole fails when a session gets a field that is not stored.
func TestSessionIsWhole(t *testing.T) {
	t.Parallel()
	address, _ := mini(t)
	s, want := openSessions(t, address, nil), pending()
	for i, fields := 0, reflect.ValueOf(want); i < fields.NumField(); i++ {
		if fields.Field(i).IsZero() {
			t.Errorf("%s is not tested", fields.Type().Field(i).Name)
		}
	}
	if err := s.Put(t.Context(), "key", want); err != nil {
		t.Fatal(err)
	}
	got, err := s.Take(t.Context(), "key")
	if err != nil || !got.Expires.Equal(want.Expires) {
		t.Fatalf("Take = %+v, %v", got, err)
	}
	want.Expires = got.Expires
	if !reflect.DeepEqual(got, want) {
		t.Errorf("Take = %+v, want %+v", got, want)
	}
}

// TestSessionsInRedis looks at what is stored: it ends by itself, and is readable only without keys.
func TestSessionsInRedis(t *testing.T) {
	t.Parallel()
	address, _ := mini(t)
	for name, keys := range map[string]store.KeySource{"plain": nil, "sealed": store.Keys{store.NewKey()}} {
		s := openSessions(t, address, keys)
		s.Prefix = ""
		if err := s.Put(t.Context(), "key", pending()); err != nil {
			t.Fatal(err)
		}
		value := s.Client.Get(t.Context(), "ccproxy:session:key").Val()
		if strings.Contains(value, "canary") != (keys == nil) || value == "" {
			t.Errorf("%s: stored readable: %t", name, strings.Contains(value, "canary"))
		}
		if ttl := s.Client.PTTL(t.Context(), "ccproxy:session:key").Val(); ttl <= 59*time.Minute || ttl > time.Hour {
			t.Errorf("%s: kept for %v", name, ttl)
		}
		// Under another key, with other keys, or changed, it is no session.
		spoilt := map[string]*redis.Sessions{value: openSessions(t, address, store.Keys{store.NewKey()}), "{}": s, value + "x": s}
		for value, reader := range spoilt {
			reader.Prefix = "spoilt:"
			if err := s.Client.Set(t.Context(), "spoilt:other", value, 0).Err(); err != nil {
				t.Fatal(err)
			}
			got, err := reader.Take(t.Context(), "other")
			if !errors.Is(err, oauth.ErrSession) || !got.Verifier.IsZero() || strings.Contains(err.Error(), "canary") {
				t.Errorf("%s: Take of what is spoilt = %+v, %v", name, got, err)
			}
		}
	}
}

func TestSessionsWithoutRedis(t *testing.T) {
	t.Parallel()
	var lc net.ListenConfig
	listener, err := lc.Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close() // it takes connections and never answers
	gone, server := mini(t)
	away := map[string]*redis.Sessions{
		"silent": openSessions(t, "redis://"+listener.Addr().String(), nil), "gone": openSessions(t, gone, nil),
	}
	server.Close()
	for name, s := range away {
		s.Timeout = 200 * time.Millisecond
		began := time.Now()
		putErr := s.Put(t.Context(), "key", pending())
		_, takeErr := s.Take(t.Context(), "key")
		for _, err := range []error{putErr, takeErr} {
			if !errors.Is(err, redis.ErrUnavailable) || errors.Is(err, oauth.ErrSession) || strings.Contains(err.Error(), "canary") {
				t.Errorf("%s: %v, want ErrUnavailable", name, err)
			}
		}
		if took := time.Since(began); took > 4*time.Second {
			t.Errorf("%s: took %v", name, took)
		}
	}
	if err := new(redis.Sessions).Put(t.Context(), "key", pending()); err == nil {
		t.Error("Put without a client succeeded")
	}
}
