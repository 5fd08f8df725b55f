package providers

import (
	"context"
	"net/http"
)

// Refresher is implemented by [Credentials] that can get others when the upstream refuses theirs.
type Refresher interface {
	// Refresh is called when the upstream answered 401. refused holds what Authorize had set, so that credentials that
	// somebody else has replaced meanwhile are not replaced again. It returns true if the request is worth another
	// attempt, which is the only one; otherwise, and with an error, the client gets the upstream's answer. It is called
	// concurrently, and may wait as long as ctx lasts.
	Refresh(ctx context.Context, refused http.Header) (again bool, err error)
}

// refreshed tells whether there are other credentials than those that the upstream refused.
func (p *Provider) refreshed(ctx context.Context, r Refresher, refused http.Header) bool {
	again, err := r.Refresh(ctx, refused)
	if err != nil {
		p.pc.Logger.WarnContext(ctx, "credentials could not be refreshed", "error", err)
		return false
	}
	return again && ctx.Err() == nil // when the client has left nobody waits for another answer
}

// only returns the headers of some names.
func only(h http.Header, names []string) http.Header {
	some := make(http.Header, len(names))
	for _, name := range names {
		some[name] = h[name]
	}
	return some
}
