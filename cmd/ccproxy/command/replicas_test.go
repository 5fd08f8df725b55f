package command

import (
	"bytes"
	"strings"
	"testing"

	"github.com/alicebob/miniredis/v2"

	"github.com/ccproxy-go/ccproxy/oauth/store/redis"
)

// A login that one replica makes is there for all that use the same Redis, wherever they run.
func TestLoginsInRedis(t *testing.T) {
	t.Parallel()
	server := miniredis.RunT(t)
	address := "redis://" + server.Addr()
	u := newUser(t)
	u.options.OpenBrowser = u.agree(t)
	var out bytes.Buffer
	u.options.Stdin, u.options.Stdout, u.options.Stderr = strings.NewReader(""), &out, &out
	if exit := Run(t.Context(), u.options, []string{"auth", "login", "test-login", "--redis", address}); exit != ExitOK {
		t.Fatalf("exit %d: %s", exit, &out)
	}
	if ids, err := u.stored().List(t.Context()); err != nil || len(ids) != 0 {
		t.Errorf("files hold %v, %v", ids, err)
	}
	shared, err := redis.Open(address)
	if err != nil {
		t.Fatal(err)
	}
	defer shared.Close()
	if ids, err := shared.List(t.Context()); err != nil || len(ids) != 1 || ids[0] != "test-login" {
		t.Errorf("Redis holds %v, %v", ids, err)
	}
	other := newUser(t)
	other.options.Environ = []string{redisVariable + "=" + address} // no home
	out.Reset()
	other.options.Stdout, other.options.Stderr = &out, &out
	if exit := Run(t.Context(), other.options, []string{"auth", "status", "test-login"}); exit != ExitOK {
		t.Errorf("exit %d: %s", exit, &out)
	}
	if strings.Contains(out.String(), "not logged in") {
		t.Errorf("the other replica does not know the login: %s", &out)
	}
}

// The address may hold a password, so an error does not repeat it.
func TestAddressOfRedisIsSecret(t *testing.T) {
	t.Parallel()
	u := newUser(t)
	var out bytes.Buffer
	u.options.Stdout, u.options.Stderr = &out, &out
	exit := Run(t.Context(), u.options, []string{"auth", "status", "test-login", "--redis", "redis://:hunter2@host:x"})
	if exit == ExitOK || strings.Contains(out.String(), "hunter2") || !strings.Contains(out.String(), "--redis") {
		t.Errorf("exit %d: %s", exit, &out)
	}
}
