package providers

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"time"

	"github.com/ccproxy-go/ccproxy"
	"github.com/ccproxy-go/ccproxy/oauth"
)

// FromSource sends the token of an OAuth account in the Authorization header, and the account's id in accountHeader,
// where that is not "" and the account has one. A token that the upstream refuses is refreshed: it is a [Refresher].
// Where a login is needed clients get a 401, and while no token is to be had a 503.
func FromSource(source oauth.Source, accountHeader string) Credentials {
	return &sourced{source: source, accountHeader: accountHeader}
}

type sourced struct {
	source        oauth.Source
	accountHeader string
}

// Authorize implements [Credentials].
func (s *sourced) Authorize(ctx context.Context, h http.Header) error {
	cred, err := s.source.Token(ctx)
	if err != nil {
		return tokenError(ctx, err)
	}
	h.Set("Authorization", cred.Authorization().Reveal())
	if s.accountHeader != "" && cred.AccountID != "" {
		h.Set(s.accountHeader, cred.AccountID)
	}
	return nil
}

// Refresh implements [Refresher]. The next call of Authorize waits for the new token.
func (s *sourced) Refresh(_ context.Context, refused http.Header) (bool, error) {
	_, token, _ := strings.Cut(refused.Get("Authorization"), " ")
	return s.source.Invalidate(oauth.Credential{Token: oauth.NewSecret(token)}), nil
}

// Account implements [AccountReporter], for sources that know: those of [ccproxy.CoreServices] do.
func (s *sourced) Account(ctx context.Context) (status oauth.Status, known bool) {
	account, ok := s.source.(interface {
		Status(ctx context.Context) oauth.Status
	})
	if !ok {
		return oauth.Status{}, false
	}
	return account.Status(ctx), true
}

func tokenError(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	e := &ccproxy.Error{
		Status: http.StatusUnauthorized, Code: "login_required", Err: err,
		Message: "the proxy has to be logged in to this provider again",
	}
	if login, ok := errors.AsType[*ccproxy.LoginError](err); ok {
		e.Message = "the proxy is not logged in to " + login.Account + ": " + login.Hint()
		return e
	}
	if errors.Is(err, oauth.ErrNeedsLogin) || errors.Is(err, oauth.ErrNoCredentials) {
		return e
	}
	e = &ccproxy.Error{
		Status: http.StatusServiceUnavailable, Code: "no_token", Err: err,
		Message: "the proxy has no token for this provider at the moment",
	}
	if t, ok := errors.AsType[*oauth.TokenError](err); ok && !t.NextAttempt.IsZero() {
		e.RetryAfter = max(time.Until(t.NextAttempt), 0)
	}
	return e
}

var (
	_ Refresher       = (*sourced)(nil)
	_ AccountReporter = (*sourced)(nil)
)
