package hooks

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"reflect"
	"slices"
)

// PreparedRequest is a request about to be sent upstream, as a [Mutator] may change it.
//
// Method, URL, Model, Header and the body are taken over from a mutator that succeeds; the other fields
// inform, and what a mutator writes into them is ignored. Header has no credentials in it: they are set
// afterwards. A PreparedRequest is not safe for concurrent use. Once Prepare has returned, or was given up, what it was
// given has no body any more.
type PreparedRequest struct {
	RequestID   string
	Provider    string
	Method      string
	URL         string
	Endpoint    string
	Model       string // as sent upstream
	ClientModel string // as the client asked for it
	Format      string // the dialect of the body
	Operation   string // what is asked for, such as "generate"
	Attempt     int    // numbers what is sent upstream for one request of a client, from 1
	Stream      bool
	Header      http.Header

	original []byte // as NewPreparedRequest got it
	raw      []byte // as the last mutator left it; never handed out, never written to
	rawSet   bool   // raw was replaced through this value
	parsed   any    // of raw, once Body was called
	parseErr error
	isParsed bool
	body     any // through SetBody
	bodySet  bool
	scanned  *scan // of raw, once Member was called; copies share it
	scans    *scans
	loan     *loan // of the bodies and the base, if they are somebody else's
	base     http.Header
	shared   http.Header // a copy of Header for all who only read it; nil until there is one
}

// NewPreparedRequest returns a request with the body; the caller fills the fields. body is kept, not
// copied, and must not change any more.
func NewPreparedRequest(body []byte) *PreparedRequest {
	return &PreparedRequest{original: body, raw: body}
}

// OriginalBody returns a copy of the body as it was before any mutator.
func (r *PreparedRequest) OriginalBody() []byte {
	if !r.loan.begin() {
		return nil
	}
	defer r.loan.end()
	return bytes.Clone(r.original)
}

// RawBody returns a copy of the body as earlier mutators, or SetRawBody, left it.
func (r *PreparedRequest) RawBody() []byte {
	if !r.loan.begin() {
		return nil
	}
	defer r.loan.end()
	return bytes.Clone(r.raw)
}

// SetRawBody replaces the body by a copy of b, which need not be JSON. It beats SetBody.
func (r *PreparedRequest) SetRawBody(b []byte) {
	r.raw, r.rawSet = bytes.Clone(b), true
	r.parsed, r.parseErr, r.isParsed, r.scanned = nil, nil, false, nil
}

// Body returns the body as JSON: maps, slices, strings, json.Number. It is parsed on the first call, later
// calls return the same value, or that of SetBody. Changes made to the value count only once it is given to
// SetBody. A body that is not one JSON value is an error.
func (r *PreparedRequest) Body() (any, error) {
	if r.bodySet && !r.rawSet {
		return r.body, nil
	}
	if !r.isParsed {
		r.parsed, r.parseErr = parseJSON(r.RawBody())
		r.isParsed = true
	}
	return r.parsed, r.parseErr
}

// SetBody replaces the body by v, which is marshalled once the mutator has returned.
func (r *PreparedRequest) SetBody(v any) { r.body, r.bodySet = v, true }

// Result returns the body to send and whether it differs from the original: what SetRawBody left, else what
// SetBody left, else the original itself. The bytes must not be changed. A SetBody value that is not JSON
// is an error.
func (r *PreparedRequest) Result() (body []byte, changed bool, err error) {
	if body, err = r.result(); err != nil || !r.loan.begin() {
		return nil, false, err
	}
	defer r.loan.end()
	changed = !bytes.Equal(body, r.original)
	if r.loan != nil { // the borrower may keep it
		body = bytes.Clone(body)
	}
	return body, changed, nil
}

// result is the body to send, uncopied.
func (r *PreparedRequest) result() ([]byte, error) {
	if r.bodySet && !r.rawSet {
		return marshalJSON(r.body)
	}
	return r.raw, nil
}

// settle makes what was set through SetRawBody and SetBody the body that copies start from.
func (r *PreparedRequest) settle() error {
	body, err := r.result()
	if err != nil {
		return err
	}
	r.replaceBody(body)
	r.shared = nil
	return nil
}

// borrow makes r a copy of a request for one mutator. The bodies are lent, because nothing hands them out. The header
// is the mutator's own, or the copy that is shared by those who only read it.
func (r *PreparedRequest) borrow(from *PreparedRequest, readOnly bool, l *loan, s *scans) {
	if readOnly && from.shared == nil {
		from.shared = cloneHeader(from.Header)
	}
	*r = *from
	r.base = from.Header
	if readOnly {
		r.Header = from.shared
	} else {
		r.Header, r.shared = cloneHeader(from.Header), nil
	}
	r.replaceBody(from.raw)
	r.scanned, r.loan, r.scans = from.scanned, l, s
}

// changes are what a mutator has made of its copy.
type changes struct {
	method, url, model string
	header             http.Header // if it is another one
	sameHeader         bool
	raw                []byte
	scanned            *scan
}

// seal notes what a mutator changed in its copy, in a form the mutator holds no reference to.
func (r *PreparedRequest) seal(c *changes) error {
	body, err := r.result()
	if err != nil {
		return err
	}
	c.method, c.url, c.model, c.raw = r.Method, r.URL, r.Model, body
	if c.sameHeader = r.keepsHeader(); !c.sameHeader {
		c.header = cloneHeader(r.Header)
	}
	if r.rawSet || !r.bodySet {
		c.scanned = r.scanned
	}
	return nil
}

// keepsHeader reports whether the mutator has left the header as it was.
func (r *PreparedRequest) keepsHeader() bool {
	if r.shared != nil && reflect.ValueOf(r.Header).Pointer() == reflect.ValueOf(r.shared).Pointer() {
		return true // that nothing was written into it, is promised
	}
	if r.base == nil || !r.loan.begin() {
		return false
	}
	defer r.loan.end()
	return maps.EqualFunc(r.Header, r.base, slices.Equal)
}

// adopt takes over what a mutator has changed.
func (r *PreparedRequest) adopt(c *changes) {
	r.Method, r.URL, r.Model = c.method, c.url, c.model
	if !c.sameHeader {
		r.Header, r.shared = c.header, nil
	}
	r.replaceBody(c.raw)
	r.scanned = c.scanned
}

func (r *PreparedRequest) replaceBody(raw []byte) {
	r.raw, r.rawSet = raw, false
	r.body, r.bodySet = nil, false
	r.parsed, r.parseErr, r.isParsed, r.scanned = nil, nil, false, nil
}

// cloneHeader never returns nil: the header is there to be written to.
func cloneHeader(h http.Header) http.Header {
	if h == nil {
		return http.Header{}
	}
	return h.Clone()
}

func parseJSON(b []byte) (any, error) {
	dec := json.NewDecoder(bytes.NewReader(b))
	dec.UseNumber() // seeds and large counts must survive
	var v any
	if err := dec.Decode(&v); err != nil {
		return nil, fmt.Errorf("hooks: body is not JSON: %w", err)
	}
	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		return nil, errors.New("hooks: body is not JSON: more than one value")
	}
	return v, nil
}

func marshalJSON(v any) ([]byte, error) {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false) // prompts are full of <tags>; escaping would change their bytes for nothing
	if err := enc.Encode(v); err != nil {
		return nil, fmt.Errorf("hooks: body cannot be written as JSON: %w", err)
	}
	return bytes.TrimSuffix(b.Bytes(), []byte("\n")), nil
}
