package providers

import (
	"context"
	"maps"
	"net/http"
	"net/url"
)

// Refresher is implemented by [Credentials] that can get others when the upstream refuses theirs.
type Refresher interface {
	// Refresh is called when the upstream answered 401. refused holds what Authorize had set, so that credentials that
	// somebody else has replaced meanwhile are not replaced again. It returns true if the request is worth another
	// attempt, which is the only one; otherwise, and with an error, the client gets the upstream's answer. It is called
	// concurrently, and may wait as long as ctx lasts.
	Refresh(ctx context.Context, refused http.Header) (again bool, err error)
}

// attempt sends an authorized request, and once more with other credentials where the upstream refuses these and
// others are to be had. secrets are the credentials. It takes over the header.
func (p *Provider) attempt(
	ctx context.Context, method string, u *url.URL, h http.Header, body []byte,
) (resp *http.Response, secrets []string, err error) {
	refresher, _ := p.upstream.Credentials.(Refresher)
	for {
		plain := h
		if refresher != nil {
			h = maps.Clone(h)
		}
		req, secrets, err := p.newRequest(ctx, method, u, h, body)
		if err != nil {
			return nil, nil, err
		}
		// Client.Do would follow redirects, and repeat the URL with its query in errors.
		resp, err := p.client.Transport.RoundTrip(req)
		if err != nil {
			return nil, nil, transportError(ctx, err)
		}
		if refresher == nil || resp.StatusCode != http.StatusUnauthorized {
			return resp, secrets, nil
		}
		names, _ := addedSecrets(plain, h)
		if !p.refreshed(ctx, refresher, only(h, names)) {
			return resp, secrets, nil
		}
		_ = resp.Body.Close() // nobody gets this answer
		h, refresher = plain, nil
	}
}

// refreshed tells whether there are other credentials than those that the upstream refused.
func (p *Provider) refreshed(ctx context.Context, r Refresher, refused http.Header) bool {
	again, err := r.Refresh(ctx, refused)
	if err != nil {
		p.pc.Logger.WarnContext(ctx, "credentials could not be refreshed", "error", err)
		return false
	}
	return again
}

// only returns the headers of some names.
func only(h http.Header, names []string) http.Header {
	some := make(http.Header, len(names))
	for _, name := range names {
		some[name] = h[name]
	}
	return some
}
