package ccproxy

import (
	"net/http"
	"strings"

	"github.com/ccproxy-go/ccproxy/hooks"
	"github.com/ccproxy-go/ccproxy/internal/wiretap"
)

// tapped shows an exchange, the answer's body included, to what observes the client's request.
func (t *managedTransport) tapped(tap wiretap.Tap, req *http.Request) (*http.Response, error) {
	_, provider := callIDs(req.Context())
	body, cut := bodySnapshot(req)
	rec := tap(&wiretap.Request{
		Method: req.Method, URL: hooks.SafeURL(req.URL), Header: masked(req), Body: body, Cut: cut,
		Secrets: credentials(req), Provider: provider,
	})
	resp, err := t.send(req)
	switch {
	case rec == nil:
	case err != nil:
		rec.End(safeTransportError(err))
	case resp.StatusCode == http.StatusSwitchingProtocols: // its body is a connection
		rec.Response(resp.StatusCode, withoutEcho(resp.Header, req))
		rec.End("")
	default:
		rec.Response(resp.StatusCode, withoutEcho(resp.Header, req))
		resp.Body = wiretap.Body(resp.Body, rec)
	}
	return resp, err
}

// credentials are what a request has in the fields that are not shown.
func credentials(req *http.Request) (found []string) {
	safe := hooks.SnapshotHeader(masked(req))
	for name, values := range req.Header {
		if safe.Value(name) != redacted {
			continue
		}
		for _, v := range values {
			found = append(found, v[strings.LastIndexByte(v, ' ')+1:])
		}
	}
	return found
}
