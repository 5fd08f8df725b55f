package flow

import (
	"context"
	"fmt"
	"net/url"

	"github.com/ccproxy-go/ccproxy/oauth"
)

// maxPastes is how often a user may err.
const maxPastes = 3

// manual has the user copy the code. because is why another flow did not work.
func (a *attempt) manual(ctx context.Context, because error) (*oauth.Credentials, error) {
	redirectURI := a.methods.ManualURI
	if redirectURI == "" {
		redirectURI = withoutPortZero(a.methods.LoopbackURI)
	}
	s, address, err := a.begin(ctx, redirectURI)
	if err != nil {
		return nil, err
	}
	visit := Visit{Method: Manual, URL: address, Fallback: because, Expires: s.Expires}
	if err := a.UI.Show(ctx, visit); err != nil {
		return nil, err
	}
	var problem error
	for range maxPastes {
		pasted, err := a.UI.Paste(ctx, problem)
		if err != nil {
			return nil, err
		}
		r, err := fromPaste(pasted, redirectURI)
		if err == nil {
			err = a.checkState(&r, s)
		}
		if err == nil {
			return a.finish(ctx, redirectURI, r)
		}
		problem = err
	}
	return nil, problem
}

// checkState compares the state that was pasted with the code. A code alone is as good where PKCE ties it to
// this login; else anybody's code would do.
func (a *attempt) checkState(r *redirected, s oauth.Session) error {
	switch {
	case r.state == "" && a.provider.Info().SupportsPKCE:
		r.state = s.State.Reveal()
	case r.state == "":
		return fmt.Errorf("%w: the state is missing: paste the whole address", ErrPaste)
	case !s.State.Equal(oauth.NewSecret(r.state)):
		return fmt.Errorf("%w: %w", ErrPaste, oauth.ErrSession)
	}
	return nil
}

// withoutPortZero makes a redirect URI of one that stands for any port.
func withoutPortZero(uri string) string {
	u, err := url.Parse(uri)
	if err != nil || u.Port() != "0" {
		return uri
	}
	u.Host = u.Host[:len(u.Host)-len(":0")]
	return u.String()
}
