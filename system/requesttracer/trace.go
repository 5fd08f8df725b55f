package requesttracer

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"path/filepath"
	"regexp"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/ccproxy-go/ccproxy/hooks"
	"github.com/ccproxy-go/ccproxy/internal/scrub"
	"github.com/ccproxy-go/ccproxy/internal/spool"
)

// trace is an exchange that has ended.
type trace struct {
	*exchange

	status            int
	answer            hooks.Header
	why               string
	headerAt, ended   time.Time
	request, response body
	first             uint64 // number of the first file
	secrets           scrub.Secrets
}

// errorField is the header field of raw HTTP that says why an answer is not whole.
const errorField = "X-Trace-Error"

// document is a message as JSON.
type document struct {
	Time       string          `json:"time"`
	RequestID  string          `json:"request_id"`
	Stage      string          `json:"stage"`
	Call       int             `json:"call,omitempty"`
	Provider   string          `json:"provider,omitempty"`
	Method     string          `json:"method,omitempty"`
	URL        string          `json:"url,omitempty"`
	Status     int             `json:"status,omitempty"`
	Header     json.RawMessage `json:"header"`
	HeaderMS   float64         `json:"header_ms,omitempty"` // until the header was there
	DurationMS float64         `json:"duration_ms,omitempty"`
	Error      string          `json:"error,omitempty"`
	Body       json.RawMessage `json:"body,omitempty"`
	BodySize   int64           `json:"body_size"`
	Truncated  bool            `json:"body_truncated,omitempty"`
	Omitted    string          `json:"body_omitted,omitempty"`
	Stream     *summary        `json:"stream,omitempty"`
}

// files are those of the exchange. It is called by the goroutine that writes them.
func (t *trace) files() (files []spool.File) {
	if t.wants("_request") {
		fields := t.p.fields(t.header)
		d := t.document("_request", fields, &t.request)
		d.Method, d.URL, d.Time = t.method, t.url, stamp(t.begun, time.RFC3339Nano)
		text := t.text(t.header, &t.request, d)
		head := t.method + " " + target(t.url) + " HTTP/1.1\r\n"
		files = t.append(files, d, t.begun, head, fields, &t.request, text)
		t.announce(text, d.Truncated || d.Omitted != "")
	}
	if t.wants("_response") {
		fields := t.p.fields(t.answer)
		d := t.document("_response", fields, &t.response)
		d.Status, d.Error, d.Time = t.status, t.why, stamp(t.ended, time.RFC3339Nano)
		d.DurationMS = milliseconds(t.ended.Sub(t.begun))
		if !t.headerAt.IsZero() {
			d.HeaderMS = milliseconds(t.headerAt.Sub(t.begun))
		}
		text := t.text(t.answer, &t.response, d)
		if strings.HasPrefix(t.answer.Value("Content-Type"), "text/event-stream") && d.Omitted == "" {
			d.Stream = t.p.summarize(t.response.whole(), t.secrets)
		}
		if d.Stream != nil && d.Error == "" && !d.Truncated {
			d.Error = d.Stream.unfinished()
		}
		head := fmt.Sprintf("HTTP/1.1 %d %s\r\n", t.status, http.StatusText(t.status))
		files = t.append(files, d, t.ended, head, fields, &t.response, text)
	}
	return files
}

func milliseconds(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }

func stamp(t time.Time, layout string) string { return t.UTC().Format(layout) }

func (t *trace) document(kind string, fields []field, b *body) *document {
	return &document{
		RequestID: t.id, Stage: t.side + kind, Call: t.call, Provider: t.provider,
		Header: headerOf(fields), BodySize: b.size, Truncated: b.truncated(),
	}
}

// text is a body that may be stored, nil if there is none or d says why not.
func (t *trace) text(h hooks.Header, b *body, d *document) []byte {
	if len(b.kept) == 0 {
		return nil
	}
	if encoded(h) {
		d.Omitted = "it is encoded"
		return nil
	}
	text := b.kept
	if scrub.IsForm(h.Value("Content-Type")) {
		text = []byte(hooks.SafeQuery(string(text)))
	}
	text = t.p.scrubber.Body(text, t.secrets)
	if b.truncated() {
		text = []byte(t.secrets.Rest(string(text)))
	}
	return text
}

// encoded tells whether any of a header's encodings is one.
func encoded(h hooks.Header) bool {
	for name, value := range h.All() {
		if !strings.EqualFold(name, "Content-Encoding") {
			continue
		}
		for coding := range strings.SplitSeq(value, ",") {
			if coding = strings.TrimSpace(coding); coding != "" && !strings.EqualFold(coding, "identity") {
				return true
			}
		}
	}
	return false
}

// append adds the files of one message.
func (t *trace) append(
	files []spool.File, d *document, at time.Time, head string, fields []field, b *body, text []byte,
) []spool.File {
	number := t.first
	if strings.HasSuffix(d.Stage, "_response") {
		number++
	}
	base := fmt.Sprintf("%s_%s_%06d_%s", stamp(at, "20060102T150405.000000000Z"), spool.SafeName(t.id), number, d.Stage)
	if t.p.cfg.RawHTTP {
		files = append(files, spool.File{Name: base + ".http", Data: raw(head, fields, b, text, d)})
	}
	if t.p.cfg.JSONLogs {
		d.Body = jsonBody(text, d.Truncated)
		marshal := json.Marshal
		if indentable(d.Body) {
			marshal = func(v any) ([]byte, error) { return json.MarshalIndent(v, "", "  ") }
		}
		if out, err := marshal(d); err == nil {
			files = append(files, spool.File{Name: base + ".json", Data: append(out, '\n')})
		}
	}
	return files
}

// ownFile tells the names of files that the plugin writes.
func ownFile(name string) bool {
	ext := filepath.Ext(name)
	return (ext == ".json" || ext == ".http") && ownName().MatchString(strings.TrimSuffix(name, ext))
}

func ownName() *regexp.Regexp {
	return regexp.MustCompile(`^\d{8}T\d{6}\.\d{9}Z_[\w.-]*_\d{6,}_(?:client|provider)_(?:request|response)$`)
}

// jsonBody is a body as a member of a document: itself if it is JSON, else a string.
func jsonBody(text []byte, truncated bool) json.RawMessage {
	if len(text) == 0 {
		return nil
	}
	if !truncated && json.Valid(text) {
		return text
	}
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(strings.ToValidUTF8(string(text), string(utf8.RuneError))); err != nil {
		return nil
	}
	return bytes.TrimSpace(b.Bytes())
}

// indentable tells whether a body that is indented stays about as large as it is. One that is nested deeply could
// become thousands of times as large.
func indentable(raw []byte) bool {
	const most, free = 4, 64 << 10
	depth, blanks, inText := 0, 0, false
	for i := 0; i < len(raw) && blanks < most*len(raw)+free; i++ {
		switch c := raw[i]; {
		case inText && c == '\\':
			i++
		case c == '"':
			inText = !inText
		case inText:
		case c == '{', c == '[':
			depth++
			blanks += 2 * depth
		case c == '}', c == ']':
			depth--
			blanks += 2 * depth
		case c == ',':
			blanks += 2 * depth
		}
	}
	return blanks < most*len(raw)+free
}

// field is a field of a header as it is written.
type field struct{ name, value string }

// fields are those of a header that are written. The secrets themselves are out of them already.
func (p *plugin) fields(h hooks.Header) (all []field) {
	for name, value := range h.All() {
		if !p.dropped[strings.ToLower(name)] {
			all = append(all, field{name, p.scrubber.Text(value, nil)})
		}
	}
	return all
}

// headerOf is a header as a member of a document.
func headerOf(fields []field) json.RawMessage {
	header := make(map[string][]string)
	for _, f := range fields {
		header[f.name] = append(header[f.name], f.value)
	}
	out, err := json.Marshal(header)
	if err != nil {
		return json.RawMessage("{}")
	}
	return out
}

// raw is a message as HTTP has it.
func raw(head string, fields []field, b *body, text []byte, d *document) []byte {
	var out bytes.Buffer
	out.WriteString(head)
	for _, f := range fields {
		if !strings.EqualFold(f.name, errorField) {
			fmt.Fprintf(&out, "%s: %s\r\n", oneLine(f.name), oneLine(f.value))
		}
	}
	if d.Error != "" {
		fmt.Fprintf(&out, "%s: %s\r\n", errorField, oneLine(d.Error))
	}
	out.WriteString("\r\n")
	out.Write(text)
	switch {
	case d.Omitted != "":
		fmt.Fprintf(&out, "[a body of %d bytes is left out: %s]\n", b.size, d.Omitted)
	case b.truncated():
		fmt.Fprintf(&out, "\n[truncated: %d of at least %d bytes]\n", len(b.kept), b.size)
	}
	return out.Bytes()
}

// oneLine keeps a field within its line.
func oneLine(s string) string {
	return strings.NewReplacer("\r", " ", "\n", " ", "\x00", " ").Replace(s)
}

// target is what a request line has of a URL.
func target(address string) string {
	_, rest, _ := strings.Cut(address, "://")
	if i := strings.IndexAny(rest, "/?"); i >= 0 {
		return oneLine(rest[i:])
	}
	return "/"
}

// announce tells hooks of a client's request.
func (t *trace) announce(text []byte, cut bool) {
	if t.side != "client" || !t.p.hooks.Enabled(hooks.EventHTTPRequest) {
		return
	}
	t.p.hooks.Emit(hooks.Context{RequestID: t.id, Payload: &hooks.HTTPRequest{
		ID: t.id, Method: t.method, URL: t.url, Header: t.header, Body: string(text), BodyTruncated: cut,
	}})
}
