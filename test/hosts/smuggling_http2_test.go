package hosts

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"
)

// shape is a request as frames, which says in two places, or in a place where it must not, what it is.
type shape struct {
	name     string
	fields   []string // added to those of a proper request, or in their place: "name: value"
	data     string   // "" is the whole body
	trailers []string
	none     bool // without a body: the head ends the stream
	more     func(*framed) error
	passes   bool // it is a proper request after all
}

const smuggledPath = "/smuggled HTTP/1.1\r\nHost: p\r\nX-Smuggled: 1\r\n\r\n"

func shapes() []shape {
	n := len(wholeBody)
	length := fmt.Sprintf("content-length: %d", n)
	return []shape{
		{name: "proper", passes: true},
		{name: "proper with a length", fields: []string{length}, passes: true},
		{name: "length too large", fields: []string{fmt.Sprintf("content-length: %d", n+len(smuggled))}},
		{name: "length too small", fields: []string{fmt.Sprintf("content-length: %d", n)}, data: wholeBody + smuggled},
		{name: "length of nothing", fields: []string{"content-length: 0"}},
		{name: "two lengths", fields: []string{length, "content-length: 0"}},
		{name: "list of lengths", fields: []string{length + ",0"}},
		{name: "length with a sign", fields: []string{"content-length: +" + fmt.Sprint(n)}},
		{name: "length without a body", fields: []string{length}, none: true},
		{name: "chunked", fields: []string{"transfer-encoding: chunked"}, data: "0\r\n\r\n" + smuggled},
		{name: "chunked with a length", fields: []string{length, "transfer-encoding: chunked"}},
		{name: "alias of chunked", fields: []string{"transfer_encoding: chunked", "content_length: 0"}, passes: true},
		{name: "connection", fields: []string{"connection: x-smuggled"}},
		{name: "keep-alive", fields: []string{"keep-alive: timeout=1"}},
		{name: "proxy-connection", fields: []string{"proxy-connection: keep-alive"}},
		{name: "upgrade", fields: []string{"upgrade: h2c"}},
		{name: "te", fields: []string{"te: chunked"}},
		{name: "line break in the path", fields: []string{":path: " + messagesPath + " HTTP/1.1\r\nX-Smuggled: 1\r\nX: "}},
		{name: "space in the path", fields: []string{":path: " + messagesPath + " HTTP/1.1 "}},
		{name: "line break in the method", fields: []string{":method: POST " + smuggledPath + "POST"}},
		{name: "space in the method", fields: []string{":method: POST " + messagesPath}},
		{name: "line break in the authority", fields: []string{":authority: p\r\nX-Smuggled: 1"}},
		{name: "line break in the scheme", fields: []string{":scheme: http://p/smuggled HTTP/1.1\r\nX-Smuggled: 1\r\nX: "}},
		{name: "line break in a value", fields: []string{"x: y\r\nX-Smuggled: 1"}},
		{name: "line feed in a value", fields: []string{"x: y\nx-smuggled: 1"}},
		{name: "NUL in a value", fields: []string{"x: y\x00X-Smuggled: 1"}},
		{name: "line break in a name", fields: []string{"x: y\r\nx-smuggled:: 1"}},
		{name: "colon in a name", fields: []string{"transfer-encoding:: chunked"}},
		{name: "space in a name", fields: []string{"transfer-encoding : chunked"}},
		{name: "capitals in a name", fields: []string{"Transfer-Encoding: chunked"}},
		{name: "two paths", fields: []string{":path: " + messagesPath, ":path: /smuggled"}},
		{name: "two methods", fields: []string{":method: POST", ":method: GET"}},
		{name: "late pseudo-header", fields: []string{"x: y", ":path: /smuggled"}},
		{name: "unknown pseudo-header", fields: []string{":smuggled: 1"}},
		{name: "another host", fields: []string{"host: elsewhere"}},
		{name: "trailers", trailers: []string{"x-smuggled: 1", "transfer-encoding: chunked"}},
		{name: "length in the trailers", trailers: []string{"content-length: 0"}},
		{name: "pseudo-header in the trailers", trailers: []string{":path: /smuggled"}},
		{name: "data after the end", more: func(f *framed) error {
			return f.WriteData(1, true, []byte(smuggled))
		}},
		{name: "head after the end", more: func(f *framed) error {
			return f.head(1, true, []string{"x-smuggled: 1"})
		}},
		{name: "another stream's continuation", more: func(f *framed) error {
			return f.WriteContinuation(3, true, f.encode([]string{"x-smuggled: 1"}))
		}},
	}
}

// framed is a client that writes the frames it is told to.
type framed struct {
	*http2.Framer
	conn    net.Conn
	buf     bytes.Buffer
	encoder *hpack.Encoder
}

func (r *rig) framed(t *testing.T) *framed {
	t.Helper()
	var dialer net.Dialer
	conn, err := dialer.DialContext(t.Context(), "tcp", r.server.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	f := &framed{Framer: http2.NewFramer(conn, conn), conn: conn}
	f.AllowIllegalWrites = true
	f.encoder = hpack.NewEncoder(&f.buf)
	f.ReadMetaHeaders = hpack.NewDecoder(4096, nil)
	return f
}

func (f *framed) encode(fields []string) []byte {
	f.buf.Reset()
	for _, field := range fields {
		at := strings.Index(field[1:], ": ") + 1
		_ = f.encoder.WriteField(hpack.HeaderField{Name: field[:at], Value: field[at+2:]}) // into memory
	}
	return bytes.Clone(f.buf.Bytes())
}

func (f *framed) head(stream uint32, end bool, fields []string) error {
	return f.WriteHeaders(http2.HeadersFrameParam{
		StreamID: stream, BlockFragment: f.encode(fields), EndStream: end, EndHeaders: true,
	})
}

// send writes a request. Fields that begin with a colon come in the place of a proper request's, unless others are
// before them.
func (f *framed) send(s shape) error {
	fields := []string{":method: POST", ":scheme: http", ":authority: p", ":path: " + messagesPath}
	fields = slices.DeleteFunc(fields, func(proper string) bool {
		name, _, _ := strings.Cut(proper[1:], ":")
		return slices.ContainsFunc(s.fields[:leading(s.fields)], func(own string) bool {
			return strings.HasPrefix(own[1:], name+":")
		})
	})
	fields = append(fields, s.fields[:leading(s.fields)]...)
	fields = append(fields, "content-type: application/json")
	fields = append(fields, s.fields[leading(s.fields):]...)
	if _, err := io.WriteString(f.conn, http2.ClientPreface); err != nil {
		return err
	}
	err := errors.Join(f.WriteSettings(), f.head(1, s.none, fields))
	data := s.data
	if data == "" {
		data = wholeBody
	}
	if !s.none {
		err = errors.Join(err, f.WriteData(1, s.trailers == nil, []byte(data)))
	}
	if s.trailers != nil {
		err = errors.Join(err, f.head(1, true, s.trailers))
	}
	if s.more != nil {
		err = errors.Join(err, s.more(f))
	}
	return err
}

// leading counts the pseudo-headers at the beginning.
func leading(fields []string) int {
	n := slices.IndexFunc(fields, func(field string) bool { return !strings.HasPrefix(field, ":") })
	if n < 0 {
		return len(fields)
	}
	return n
}

// settle reads until the request is over: answered, reset, or its connection closed. It returns the status, or 0.
func (f *framed) settle(t *testing.T) (status string) {
	t.Helper()
	if err := f.conn.SetReadDeadline(time.Now().Add(20 * time.Second)); err != nil {
		t.Fatal(err)
	}
	for {
		frame, err := f.ReadFrame()
		if timeout, ok := errors.AsType[net.Error](err); ok && timeout.Timeout() {
			t.Errorf("the server waits")
		}
		if err != nil {
			return status
		}
		switch frame := frame.(type) {
		case *http2.MetaHeadersFrame:
			status = frame.PseudoValue("status")
			if frame.StreamEnded() {
				return status
			}
		case *http2.DataFrame:
			if frame.StreamEnded() {
				return status
			}
		case *http2.RSTStreamFrame, *http2.GoAwayFrame:
			return status
		}
	}
}

// The same over HTTP/2: whatever its frames claim, the upstream sees one request of the client's own body or none, and
// no more of its head than the proxy lets through.
func TestSmugglingOverHTTP2(t *testing.T) {
	t.Parallel()
	all := shapes()
	if len(all) < 20 {
		t.Errorf("only %d requests", len(all))
	}
	for _, s := range all {
		t.Run(s.name, func(t *testing.T) {
			t.Parallel()
			// A rig of its own tells when all that came of the frames is over.
			r := newRig(t, host{wrap: bare, open: true, server: servers()[3].server})
			f := r.framed(t)
			_ = f.send(s) // the server may have closed the connection by then
			status := f.settle(t)
			_ = f.conn.Close() // ends what is under way
			r.server.Close()
			if err := r.upstream.Close(); err != nil {
				t.Error(err)
			}
			r.wantHarmless(t, s, status)
		})
	}
}

// wantHarmless checks what came of frames that claim more than there is.
func (r *rig) wantHarmless(t *testing.T, s shape, status string) {
	t.Helper()
	seen := r.upstream.Requests()
	if len(seen) > 1 || s.passes && (len(seen) != 1 || status != "200") {
		t.Errorf("status %q, the upstream saw %d requests", status, len(seen))
	}
	if !s.passes && status == "200" && len(seen) == 0 {
		t.Error("an answer without a request")
	}
	for _, up := range seen {
		body := string(up.Body)
		if !s.passes && strings.HasPrefix(wholeBody, body) {
			body = wholeBody // what was refused after its end may have been cut off on its way
		}
		r.wantOwn(t, s.name, up.Path, up.Header, body)
	}
}

// wantOwn checks what the upstream saw of a request.
func (r *rig) wantOwn(t *testing.T, request, path string, h http.Header, body string) {
	t.Helper()
	own := map[string]bool{
		"Content-Type": true, "User-Agent": true, "Accept-Encoding": true, "Anthropic-Version": true, "X-Api-Key": true,
		"Content-Length": true, "X": true,
	}
	for name := range h {
		if !own[name] {
			t.Errorf("%q: the upstream saw the header %s: %q", request, name, h[name])
		}
	}
	if path != "/v1/messages" || body != wholeBody || h.Get("Content-Length") != fmt.Sprint(len(wholeBody)) {
		t.Errorf("%q: the upstream saw %s %v %q", request, path, h, body)
	}
}
