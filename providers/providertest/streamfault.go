package providertest

import (
	"bytes"
	"compress/gzip"
	"context"
	"fmt"
	"io"
	"net/http"
	"strings"

	"github.com/klauspost/compress/zstd"

	"github.com/ccproxy-go/ccproxy/adapters"
)

// StreamFaults returns every way in which a streamed answer of format f breaks in phase p. They are for clients that
// ask for a stream, and say "One two three." as far as they get. The list grows; names are stable, and the same for all
// formats and phases. A fault of the head that has no phases of its own also ends the stream in the later phases, so
// that no fault is harmless everywhere.
//
// "slow" takes a second for each byte, and "goaway" one in all: such tests want the time of testing/synctest, which
// these upstreams stand.
func StreamFaults(f adapters.Format, p Phase) []Fault {
	s := newScene(f, p)
	faults := []Fault{s.refused()}
	faults = append(faults, s.brokenConnections()...)
	faults = append(faults, s.errors()...)
	faults = append(faults, s.wrongHeads()...)
	faults = append(faults, s.encodings()...)
	faults = append(faults, s.paces()...)
	faults = append(faults, s.oddEvents()...)
	return append(faults, s.goAway())
}

// early tells that the head goes out before whatever comes.
func (s scene) early() bool { return s.phase != BeforeHeaders }

// answer streams what comes before the phase and then parts.
func (s scene) answer(parts ...Part) Reply {
	return s.answerWith(http.StatusOK, nil, append([]Part{Bytes(s.before())}, parts...)...)
}

// answerWith is an answer with a head of its own; before the phase for the head has come, the head waits for parts.
func (s scene) answerWith(status int, header http.Header, parts ...Part) Reply {
	return func(w http.ResponseWriter, r *http.Request) {
		setServiceHeader(w.Header(), r)
		w.Header().Set("Content-Type", "text/event-stream")
		addHeader(w.Header(), header)
		w.WriteHeader(status)
		var err error
		if s.early() {
			err = http.NewResponseController(w).Flush()
		}
		runBody(w, r, err, parts)
	}
}

// saidAll tells that a stream which ends here in order has told why it ends: nothing is missing of Chat Completions but
// the last word, which some servers leave out.
func (s scene) saidAll() bool {
	return s.format == adapters.OpenAIChatCompletions && s.phase == BeforeTerminal
}

// refused is an upstream that is gone: nobody listens there any more.
func (s scene) refused() Fault {
	if !s.early() {
		return Fault{Name: "refused", Reply: Drop(), refuses: true}
	}
	dies := func(w http.ResponseWriter, r *http.Request) {
		if up := exchangeOf(r).upstream; up != nil {
			up.Refuse(true)
		}
		s.answer(Reset())(w, r)
	}
	return Fault{Name: "refused", Reply: dies}
}

func (s scene) brokenConnections() []Fault {
	faults := []Fault{
		{Name: "reset", Reply: s.answer(Bytes(s.half()), Reset())},
		{Name: "cut in a chunk", Reply: s.onWire(Bytes("fff\r\n" + s.half()))},
		{Name: "cut in an event", Reply: s.answer(Bytes(s.half()), Cut())},
		{Name: "end too early", Reply: s.answer(), Whole: s.saidAll()},
		{Name: "bad chunk", Reply: s.onWire(Bytes("zz\r\n" + s.after() + "\r\n0\r\n\r\n"))},
	}
	if s.early() {
		return faults
	}
	for i, head := range []string{"HTTP/1.1 20", "HTTP/1.1 200 OK\r\nContent-Ty", streamHead, ""} {
		faults[i].Reply = Wire(Bytes(head))
	}
	faults[0].Reply = Wire(Bytes("HTTP/1.1 20"), Reset())
	faults[4].Reply = Wire(Bytes(streamHead + "Transfer-Encoding: xchunked\r\n\r\n" + s.after()))
	return faults
}

func (s scene) errors() []Fault {
	const page = "<html><head><title>502 Bad Gateway</title></head><body><h1>Bad Gateway</h1></body></html>\n"
	status := [...]int{
		http.StatusServiceUnavailable, http.StatusTooManyRequests, http.StatusInternalServerError, statusOverloaded,
		http.StatusBadRequest,
	}[s.phase]
	failure := errorObject(s.format, "api_error", "The reason")
	plain := http.Header{"Content-Type": {"application/json"}}
	html := http.Header{"Content-Type": {"text/html"}}
	faults := []Fault{
		{Name: "error status", Reply: s.answerWith(status, plain, Bytes(s.before()), Cut())},
		{Name: "error page", Reply: s.answer(Bytes(page))},
		{Name: "error event", Reply: s.answer(Bytes(errorEvent(s.format, "server_error", "The reason")))},
		{Name: "bare error", Reply: s.answer(Bytes(failure))},
	}
	switch s.phase {
	case BeforeHeaders:
		faults[0].Reply = s.answerWith(status, plain, Bytes(failure))
		faults[1].Reply = s.answerWith(http.StatusBadGateway, html, Bytes(page))
	case HeadersOnly:
		faults[1].Reply = s.answerWith(http.StatusOK, html, Bytes(page))
	default: // in the stream
	}
	return faults
}

func (s scene) wrongHeads() []Fault {
	places := [...]int{
		http.StatusTemporaryRedirect, http.StatusFound, http.StatusPermanentRedirect, http.StatusSeeOther,
		http.StatusMovedPermanently,
	}
	away := http.Header{"Location": {"https://elsewhere.example/v1/messages"}}
	return []Fault{
		{Name: "redirect", Reply: s.answerWith(places[s.phase], away, Bytes(s.before()))},
		s.contentType(), s.length(), s.informational(), s.headerBomb(),
	}
}

// contentType is a stream that is called something else.
func (s scene) contentType() Fault {
	types := [...]string{"application/json", "text/html", "", "application/octet-stream", "text/plain"}
	kind := http.Header{"Content-Type": {types[s.phase]}}
	f := Fault{Name: "wrong content type", Whole: s.saidAll() || !s.early()}
	f.Reply = s.answerWith(http.StatusOK, kind, Bytes(s.before()))
	if !s.early() {
		f.Reply = s.answerWith(http.StatusOK, kind, Bytes(s.after()))
	}
	return f
}

// length is a stream that is longer than its head says, and in the first phase one that is shorter.
func (s scene) length() Fault {
	body := s.before()
	n := len(body)
	if !s.early() {
		body = s.after()
		n = len(body) + 100
	}
	head := fmt.Sprintf("%sContent-Length: %d\r\n\r\n", streamHead, n)
	return Fault{Name: "wrong length", Whole: s.saidAll() || !s.early(), Reply: Wire(Bytes(head + body))}
}

// informational is a flood of answers that announce an answer: without end, before the head, and where none belongs.
func (s scene) informational() Fault {
	const hint = "HTTP/1.1 103 Early Hints\r\nLink: </x>; rel=preload\r\n\r\n"
	f := Fault{Name: "1xx flood", Whole: s.phase == HeadersOnly}
	switch hints := strings.Repeat(hint, 100); s.phase {
	case BeforeHeaders:
		f.Reply = Wire(endless(hint))
	case HeadersOnly:
		f.Reply = Wire(Bytes(hints + chunkedHead + chunked(s.after())))
	default:
		f.Reply = s.onWire(Bytes(hints + chunked(s.after())))
	}
	return f
}

// headerBomb is a head without end, one that is too large, and the same as a trailer.
func (s scene) headerBomb() Fault {
	const line = "X-Bomb: boom\r\n"
	f := Fault{Name: "header bomb"}
	switch s.phase {
	case BeforeHeaders:
		f.Reply = Wire(Bytes(streamHead), endless(line))
	case HeadersOnly:
		bomb := strings.Repeat(line, 30_000)
		f.Reply = Wire(Bytes(streamHead + bomb + "Transfer-Encoding: chunked\r\n\r\n" + chunked(s.after())))
	default:
		f.Reply = s.onWire(Bytes("0\r\n"), endless(line))
	}
	return f
}

// encodings are answers that are compressed although nobody asked for it, the head says it wrongly, or they end before
// the compression does.
func (s scene) encodings() []Fault {
	gzipped := func(w io.Writer) flusher { return gzip.NewWriter(w) }
	zstandard := func(w io.Writer) flusher {
		z, _ := zstd.NewWriter(w, zstd.WithEncoderConcurrency(1)) // its only option is valid
		return z
	}
	return []Fault{
		s.encoded("gzip", gzipped), s.encoded("zstd", zstandard),
		// No decoder for it is in net/http's reach, and the bytes are none.
		{Name: "br", Reply: s.answerWith(http.StatusOK, encoding("br"), Bytes(s.before()+"\x1b\x80\x00\xf8"))},
	}
}

type flusher interface {
	io.WriteCloser
	Flush() error
}

func encoding(name string) http.Header { return http.Header{"Content-Encoding": {name}} }

func (s scene) encoded(name string, newWriter func(io.Writer) flusher) Fault {
	var out bytes.Buffer
	w := newWriter(&out)
	_, _ = io.WriteString(w, s.before()) // into memory
	switch s.phase {
	case BeforeHeaders:
		_, _ = io.WriteString(w, s.after())
		_ = w.Close()
		return Fault{Name: name, Reply: s.answerWith(http.StatusOK, encoding(name), Bytes(out.String())), Whole: true}
	case HeadersOnly:
		_ = w.Close()
		return Fault{Name: name, Reply: s.answerWith(http.StatusOK, encoding(name), Bytes(s.after()))}
	default:
		_ = w.Flush()
		body := out.String()
		_ = w.Close() // the encoder's goroutines end with it
		return Fault{Name: name, Reply: s.answerWith(http.StatusOK, encoding(name), Bytes(body))}
	}
}

func (s scene) paces() []Fault {
	faults := []Fault{
		{Name: "stall", Reply: s.answer(Gate(nil)), Silent: true},
		{Name: "slow", Reply: s.answer(drip(s.after())), Whole: true},
		{Name: "endless line", Reply: s.answer(Bytes("data: "), endless("a"))},
	}
	if !s.early() {
		faults[0].Reply = Stall(nil, nil)
		faults[1].Reply = Wire(drip(chunkedHead + chunked(s.after())))
		faults[2].Reply = Wire(Bytes("HTTP/1.1 200 O"), endless("K"))
	}
	return faults
}

// drip sends a byte a second.
func drip(s string) Part {
	return func(ctx context.Context, w io.Writer) error {
		for i := range len(s) {
			if err := pause(ctx, w); err != nil {
				return err
			}
			if _, err := io.WriteString(w, s[i:i+1]); err != nil {
				return err
			}
			if rw, ok := w.(http.ResponseWriter); ok {
				if err := http.NewResponseController(rw).Flush(); err != nil {
					return err
				}
			}
		}
		return nil
	}
}

// oddEvents are events that do not belong where they are, in a stream that is whole otherwise.
func (s scene) oddEvents() []Fault {
	put := func(name, event string) Fault {
		return Fault{Name: name, Reply: s.answer(Bytes(event), Bytes(s.after())), Whole: true}
	}
	faults := []Fault{
		put("no UTF-8", deltaOf(s.format, "\xff\xc3")),
		put("no JSON", oddEvent(s.format, "content_block_delta", `{"type":`)),
		put("second end", s.terminal()),
		put("unknown event", oddEvent(s.format, "unheard_of", `{"type":"unheard_of","of":{"any":"kind"}}`)),
	}
	if !s.early() {
		header := http.Header{"Request-Id": {"req_\xff\xc3"}}
		faults[0].Reply = s.answerWith(http.StatusOK, header, Bytes(s.after()))
	}
	return faults
}

// goAway is an HTTP/2 connection that ends with an error while it is in use.
func (s scene) goAway() Fault {
	head := func(w http.ResponseWriter, r *http.Request) {
		setServiceHeader(w.Header(), r)
		w.Header().Set("Content-Type", "text/event-stream")
		goAwayAfter(s.early(), Bytes(s.before()))(w, r)
	}
	return Fault{Name: "goaway", Reply: head, HTTP2: true}
}
