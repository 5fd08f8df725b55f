package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strings"

	"github.com/ccproxy-go/ccproxy"
	"github.com/ccproxy-go/ccproxy/oauth"
)

// example logs in at a server whose tokens do not expire.
type example struct{ client *http.Client }

func newExample(pc *ccproxy.PluginContext) (oauth.Provider, error) {
	return &example{pc.HTTPClient}, nil
}

func factory() ccproxy.Factory {
	return ccproxy.NewFactory(ccproxy.Manifest{
		Name: "oauth_example", Kind: ccproxy.KindAuth, CLISafe: true,
		OAuthProviders: []ccproxy.OAuthProviderSpec{{Name: "example", New: newExample}},
	}, nil)
}

func (e *example) Info() oauth.Info { return oauth.Info{Name: "example", Plugin: "oauth_example"} }

func (e *example) AuthorizationURL(_ context.Context, req oauth.AuthorizationRequest) (string, error) {
	query := url.Values{"client_id": {"ccproxy"}, "state": {req.State}, "redirect_uri": {req.RedirectURI}}
	return "https://auth.example.com/authorize?response_type=code&" + query.Encode(), nil
}

func (e *example) HandleCallback(ctx context.Context, cb oauth.Callback) (*oauth.Credentials, error) {
	form := url.Values{"grant_type": {"authorization_code"}, "client_id": {"ccproxy"}, "code": {cb.Code}}
	body := strings.NewReader(form.Encode())
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, "https://auth.example.com/token", body)
	if err != nil {
		return nil, err
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	resp, err := e.client.Do(req)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("token endpoint answered %s", resp.Status)
	}
	creds := &oauth.Credentials{}
	return creds, json.NewDecoder(resp.Body).Decode(creds)
}

func (e *example) Refresh(context.Context, *oauth.Credentials) (*oauth.Credentials, error) {
	return nil, oauth.ErrNeedsLogin
}
