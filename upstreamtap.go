package ccproxy

import (
	"net/http"

	"github.com/ccproxy-go/ccproxy/hooks"
	"github.com/ccproxy-go/ccproxy/internal/scrub"
	"github.com/ccproxy-go/ccproxy/internal/wiretap"
)

// tapped shows an exchange, the answer's body included, to what observes the client's request.
func (t *managedTransport) tapped(tap wiretap.Tap, req *http.Request) (*http.Response, error) {
	provider := exchangeFrom(req.Context()).about(nil).Provider
	body, cut := bodySnapshot(req)
	sent := credentials(req)
	rec := tap(&wiretap.Request{
		Method: req.Method, URL: hooks.SafeURL(req.URL), Header: masked(req), Body: body, Cut: cut,
		Secrets: sent, Provider: provider,
	})
	resp, err := t.send(req)
	switch {
	case rec == nil:
	case err != nil:
		rec.End(safeTransportError(err))
	case resp.StatusCode == http.StatusSwitchingProtocols: // its body is a connection
		rec.Response(resp.StatusCode, withoutEcho(resp.Header, sent))
		rec.End("")
	default:
		rec.Response(resp.StatusCode, withoutEcho(resp.Header, sent))
		resp.Body = wiretap.Body(resp.Body, rec)
	}
	return resp, err
}

// credentials are what a request has in the fields and query keys that are not shown.
func credentials(req *http.Request) []string {
	shown := hooks.SnapshotHeader(masked(req))
	return scrub.Credentials(req.Header, shown.Value, req.URL.RawQuery, hooks.SafeQuery)
}
