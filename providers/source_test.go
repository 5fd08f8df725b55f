package providers_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/ccproxy-go/ccproxy"
	"github.com/ccproxy-go/ccproxy/oauth"
	"github.com/ccproxy-go/ccproxy/providers"
)

// account is a source with one token, or an error.
type account struct {
	cred    oauth.Credential
	err     error
	refused string
}

func (a *account) Token(context.Context) (oauth.Credential, error) { return a.cred, a.err }

func (a *account) Invalidate(used oauth.Credential) bool {
	a.refused = used.Token.Reveal()
	return true
}

func TestFromSource(t *testing.T) {
	t.Parallel()
	a := &account{cred: oauth.Credential{Token: oauth.NewSecret("access-0123456789"), Type: "Bearer", AccountID: "acc-1"}}
	for header, want := range map[string]http.Header{
		"":                   {"Authorization": {"Bearer access-0123456789"}},
		"chatgpt-account-id": {"Authorization": {"Bearer access-0123456789"}, "Chatgpt-Account-Id": {"acc-1"}},
	} {
		h := http.Header{}
		creds := providers.FromSource(a, header)
		if err := creds.Authorize(t.Context(), h); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, h); diff != "" {
			t.Errorf("header mismatch (-want +got):\n%s", diff)
		}
		r, ok := creds.(providers.Refresher)
		if !ok {
			t.Fatal("it cannot be refreshed")
		}
		again, err := r.Refresh(t.Context(), h)
		if !again || err != nil || a.refused != "access-0123456789" {
			t.Errorf("Refresh = %v, %v after %q", again, err, a.refused)
		}
	}
}

// Why there is no token is told in the terms of HTTP.
func TestFromSourceErrors(t *testing.T) {
	t.Parallel()
	soon := &oauth.TokenError{ID: "a", Err: errors.New("outage"), NextAttempt: time.Now().Add(time.Minute)}
	for name, tt := range map[string]struct {
		err    error
		status int
		retry  bool
	}{
		"login":  {fmt.Errorf("x: %w", oauth.ErrNeedsLogin), http.StatusUnauthorized, false},
		"none":   {oauth.ErrNoCredentials, http.StatusUnauthorized, false},
		"outage": {soon, http.StatusServiceUnavailable, true},
		"other":  {errors.New("x"), http.StatusServiceUnavailable, false},
	} {
		err := providers.FromSource(&account{err: tt.err}, "").Authorize(t.Context(), http.Header{})
		e, ok := errors.AsType[*ccproxy.Error](err)
		if !ok || e.Status != tt.status || (e.RetryAfter > 0) != tt.retry || !errors.Is(err, tt.err) {
			t.Errorf("%s: %v", name, err)
		}
	}
	ctx, cancel := context.WithCancelCause(t.Context())
	gone := errors.New("gone")
	cancel(gone)
	err := providers.FromSource(&account{err: ctx.Err()}, "").Authorize(ctx, http.Header{})
	if !errors.Is(err, gone) {
		t.Errorf("a client that left: %v", err)
	}
}
