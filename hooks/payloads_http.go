package hooks

import "time"

// HTTPRequest is the payload of [EventHTTPRequest].
type HTTPRequest struct {
	ID            string
	Method        string
	URL           string // see SafeURL
	Header        Header
	Body          string // without the credentials that the request or its client has sent, should it repeat them
	Upstream      bool   // sent by the proxy to an upstream, not by a client to the proxy
	BodyTruncated bool
}

// HTTPResponse is the payload of [EventHTTPResponse].
type HTTPResponse struct {
	ID       string
	Method   string
	URL      string // see SafeURL
	Status   int
	Header   Header
	Duration time.Duration
}

// HTTPError is the payload of [EventHTTPError]: an exchange that ended without a response.
type HTTPError struct {
	ID       string
	Method   string
	URL      string // see SafeURL
	Err      string // redacted text
	Duration time.Duration
}

// Event returns [EventHTTPRequest].
func (*HTTPRequest) Event() Event     { return EventHTTPRequest }
func (p *HTTPRequest) clone() Payload { return copyOf(p) }
func (p *HTTPRequest) weight() int {
	if p == nil {
		return 0
	}
	return len(p.Body)
}

// Event returns [EventHTTPResponse].
func (*HTTPResponse) Event() Event     { return EventHTTPResponse }
func (p *HTTPResponse) clone() Payload { return copyOf(p) }

// Event returns [EventHTTPError].
func (*HTTPError) Event() Event     { return EventHTTPError }
func (p *HTTPError) clone() Payload { return copyOf(p) }
