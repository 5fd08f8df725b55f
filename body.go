package ccproxy

import (
	"bytes"
	"compress/gzip"
	"errors"
	"io"
	"mime"
	"net/http"
	"os"
	"strings"
	"time"

	"github.com/klauspost/compress/zstd"

	"github.com/ccproxy-go/ccproxy/internal/lease"
)

// firstRead is how much is allocated for a body on its word alone, before any of it is there.
const firstRead = 32 << 10

// readBody returns the whole request body, decompressed, in a buffer on loan. It does not trust a Content-Length.
func (p *Proxy) readBody(w http.ResponseWriter, r *http.Request) (*lease.Buffer, error) {
	limit := p.limits.BodyBytes
	if err := checkContentType(r.Header); err != nil {
		return nil, err
	}
	if r.Body == nil { // a host that makes requests by itself
		r.Body = http.NoBody
	}
	if r.ContentLength > limit {
		return nil, tooLarge(limit)
	}
	encoding, err := contentEncoding(r.Header)
	if err != nil {
		return nil, err
	}
	patient := &patientReader{
		Reader: r.Body, control: http.NewResponseController(w),
		limit: p.limits.ReadTimeout, end: time.Now().Add(p.limits.BodyTimeout),
	}
	defer patient.rest()
	src := http.MaxBytesReader(w, patient, limit)
	size := r.ContentLength
	var in io.Reader = src
	switch encoding {
	case "gzip":
		in, err = gzip.NewReader(src)
		size = -1
	case "zstd":
		// Small windows and a single goroutine: what a body needs at most is bounded by the limit anyway.
		var dec *zstd.Decoder
		dec, err = zstd.NewReader(src, zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxWindow(8<<20))
		if err == nil {
			defer dec.Close()
		}
		in = dec
		size = -1
	}
	if err != nil {
		return nil, bodyError(encoding, limit, err)
	}
	buf := p.bodies.Get(int(min(max(size, 0)+1, firstRead))) // one more, so that the end is found without growing
	if err := readInto(buf, in, limit); err != nil {
		return nil, bodyError(encoding, limit, err)
	}
	return buf, nil
}

// readInto reads to the end, at most limit bytes.
func readInto(buf *lease.Buffer, in io.Reader, limit int64) error {
	for {
		n, err := in.Read(buf.B[len(buf.B):cap(buf.B)])
		buf.B = buf.B[:len(buf.B)+n]
		if int64(len(buf.B)) > limit {
			return &http.MaxBytesError{Limit: limit}
		}
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		if len(buf.B) == cap(buf.B) {
			buf.Grow()
		}
	}
}

// patientReader gives a client some time for each piece of its body, and more for all of it.
type patientReader struct {
	io.Reader

	control  *http.ResponseController
	limit    time.Duration // for a piece
	end      time.Time     // of all
	deadline time.Time
	fixed    bool // the host's reader has no deadlines
	late     bool // the client took too long
}

// Read implements io.Reader.
func (r *patientReader) Read(p []byte) (int, error) {
	now := time.Now()
	if !now.Before(r.end) {
		r.late = true
		return 0, os.ErrDeadlineExceeded
	}
	if !r.fixed && r.deadline.Before(r.end) && r.deadline.Sub(now) < r.limit-min(time.Second, r.limit/4) {
		r.deadline = now.Add(min(r.limit, r.end.Sub(now)))
		r.fixed = r.control.SetReadDeadline(r.deadline) != nil
	}
	n, err := r.Reader.Read(p)
	r.late = r.late || errors.Is(err, os.ErrDeadlineExceeded)
	return n, err
}

// Close implements io.Closer: the server closes the body.
func (r *patientReader) Close() error { return nil }

// rest takes the deadline back: a server that waits for the client's end would take it for one. One that has passed
// stays, or the server would wait for the rest of the body before it answers.
func (r *patientReader) rest() {
	if !r.fixed && !r.late {
		_ = r.control.SetReadDeadline(time.Time{}) // it could be set, so it can be taken back
	}
}

func tooLarge(limit int64) *Error {
	e := badRequest("body", "request body is larger than %d bytes", limit)
	e.Status = http.StatusRequestEntityTooLarge
	return e
}

func bodyError(encoding string, limit int64, err error) error {
	if _, ok := errors.AsType[*http.MaxBytesError](err); ok {
		return tooLarge(limit)
	}
	if errors.Is(err, zstd.ErrDecoderSizeExceeded) || errors.Is(err, zstd.ErrWindowSizeExceeded) {
		return tooLarge(limit)
	}
	e := badRequest("body", "request body could not be read to its end")
	switch {
	case errors.Is(err, os.ErrDeadlineExceeded):
		e.Status, e.Message = http.StatusRequestTimeout, "request body did not arrive in time"
	case encoding != "":
		e = badRequest("Content-Encoding", "request body is not valid %s", encoding)
	}
	e.Err = err
	return e
}

// checkContentType refuses what is certainly not JSON. Form types are what a foreign web page can send without
// asking, so they are refused even though some tools send them by default.
func checkContentType(h http.Header) error {
	value := h.Get("Content-Type")
	several := len(h["Content-Type"]) > 1 // whoever comes next may believe another one of them
	if !several && (value == "" || value == "application/json") {
		return nil
	}
	media, params, err := mime.ParseMediaType(value)
	charset := strings.ToLower(params["charset"])
	if err == nil && !several && (media == "application/json" || strings.HasSuffix(media, "+json")) &&
		(charset == "" || charset == "utf-8" || charset == "utf8") {
		return nil
	}
	e := badRequest("Content-Type", "Content-Type must be application/json in UTF-8")
	e.Status = http.StatusUnsupportedMediaType
	return e
}

func contentEncoding(h http.Header) (string, error) {
	values := h["Content-Encoding"]
	if len(values) == 0 {
		return "", nil
	}
	switch encoding := strings.ToLower(strings.TrimSpace(strings.Join(values, ","))); encoding {
	case "", "identity":
		return "", nil
	case "gzip", "x-gzip":
		return "gzip", nil
	case "zstd":
		return "zstd", nil
	}
	e := badRequest("Content-Encoding", "Content-Encoding must be gzip, zstd or identity")
	e.Status = http.StatusUnsupportedMediaType
	e.Header = http.Header{"Accept-Encoding": {"gzip, zstd"}} // RFC 9110, section 12.5.3
	return "", e
}

// looksLikeJSON tells JSON objects from the HTML of gateways.
func looksLikeJSON(body []byte) bool {
	body = bytes.TrimLeft(body, " \t\r\n")
	return len(body) > 0 && body[0] == '{'
}
