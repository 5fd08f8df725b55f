package providertest

import (
	"context"
	"io"
	"net/http"
	"slices"
	"strings"
)

// Fault is a named way in which an upstream breaks.
type Fault struct {
	Name  string
	Reply Reply

	// Whole marks an answer that is unusual but all there: a client may take it or refuse it. Every
	// other answer is not, and a client that reports success has been fooled.
	Whole bool

	// Silent marks an answer that never ends by itself: the client must give up.
	Silent bool

	// HTTP2 marks a fault that only a connection of [Upstream.HTTP2Transport] has.
	HTTP2 bool

	refuses bool // no connection is accepted at all
}

// Inject lets every request for a message, from now on, meet the fault: those that a client makes again, too. Replies
// in the queue come first.
func (f Fault) Inject(u *Upstream) {
	u.Refuse(f.refuses)
	u.mu.Lock()
	defer u.mu.Unlock()
	u.fault = f.Reply
}

// Faults returns every fault, for tests that loop over them. The streamed ones ignore whether the
// request asked for a stream. The list grows; names are stable.
func Faults() []Fault {
	text := TextEvents("claude-fake", "One two three.")
	stop := text[len(text)-1]
	html := "<html><head><title>502 Bad Gateway</title></head><body><h1>Bad Gateway</h1></body></html>\n"
	htmlHeader := http.Header{"Content-Type": {"text/html"}}
	half := Bytes("event: content_block_delta\ndata: {\"type\":\"content_block_delta\",\"index\":0,\"del")
	return []Fault{
		{Name: "reset before the answer", Reply: Drop()},
		{Name: "reset before the body", Reply: ResetAfter(0, Message(DefaultText))},
		{Name: "reset in the body", Reply: ResetAfter(100, Message(DefaultText))},
		{Name: "cut in the body", Reply: CutAfter(100, Message(DefaultText))},
		{Name: "cut in an event", Reply: Stream(join(text[:4], half, Cut())...)},
		{Name: "cut between events", Reply: Stream(join(text[:4], Cut())...)},
		{Name: "reset between events", Reply: Stream(join(text[:4], Reset())...)},
		{Name: "end in an event", Reply: Stream(join(text[:4], half)...)},
		{Name: "end without message_stop", Reply: Stream(text[:len(text)-1]...)},
		{Name: "error event first", Reply: Stream(ErrorEvent("overloaded_error", "Overloaded"))},
		{Name: "error event", Reply: Stream(join(text[:4], ErrorEvent("overloaded_error", "Overloaded"))...)},
		{Name: "error without an event", Reply: Stream(join(text[:4], errorTail(""))...)},
		{Name: "error as it would be answered", Reply: Stream(join(text[:4], errorTail("data: "))...)},
		{Name: "rate limit", Reply: Error(http.StatusTooManyRequests, "rate_limit_error", "Slow down", nil)},
		{Name: "overloaded", Reply: Error(statusOverloaded, "overloaded_error", "Overloaded", nil)},
		{Name: "empty answer", Reply: Raw(http.StatusOK, http.Header{"Content-Type": {"application/json"}}, "")},
		{Name: "empty stream", Reply: Stream()},
		{Name: "nothing but comments", Reply: Stream(Bytes(": hello\n\n"), Bytes(": again\n\n"))},
		{Name: "short of its length", Reply: Raw(http.StatusOK, http.Header{"Content-Length": {"1000"}}, `{"type":`)},
		{Name: "event that is no JSON", Reply: Stream(insert(text, `{"type":`)...), Whole: true},
		{Name: "event that is no UTF-8", Reply: Stream(insert(text, badText)...), Whole: true},
		{Name: "second end", Reply: Stream(join(text, stop)...), Whole: true},
		{Name: "unknown event", Reply: Stream(join(text[:4], join([]Part{unknown()}, text[4:]...)...)...), Whole: true},
		{Name: "slow bytes", Reply: Bytewise(Stream(text...)), Whole: true},
		{Name: "html 502", Reply: Raw(http.StatusBadGateway, htmlHeader, html)},
		{Name: "html 200", Reply: Raw(http.StatusOK, htmlHeader, html)},
		{Name: "wrong content type", Reply: as("application/json", text), Whole: true},
		{Name: "huge line", Reply: HugeLine(8 << 20), Whole: true},
		{Name: "stall before the header", Reply: Stall(nil, nil), Silent: true},
		{Name: "stall in the stream", Reply: Stream(join(text[:4], Gate(nil))...), Silent: true},
	}
}

const (
	statusOverloaded = 529

	badText = "{\"type\":\"content_block_delta\",\"index\":0,\"delta\":{\"type\":\"text_delta\",\"text\":\"\xff\"}}"
)

// unknown is an event of a version of the API that clients do not know yet.
func unknown() Part { return Event("content_block_hint", `{"type":"content_block_hint","index":0}`) }

// errorTail is an error that a server writes into a stream without the fields of an event, or only that of data.
func errorTail(field string) Part {
	return Bytes(field + `{"type":"error","error":{"type":"api_error","message":"The end"}}` + "\n\n")
}

// insert puts a delta between those of a text.
func insert(text []Part, delta string) []Part {
	return join(text[:4], join([]Part{Event("content_block_delta", delta)}, text[4:]...)...)
}

// Bytewise lets reply send each byte of its body by itself.
func Bytewise(reply Reply) Reply {
	return func(w http.ResponseWriter, r *http.Request) { reply(bytewise{w}, r) }
}

type bytewise struct{ http.ResponseWriter }

func (b bytewise) Unwrap() http.ResponseWriter { return b.ResponseWriter }

func (b bytewise) Write(p []byte) (int, error) {
	flusher := http.NewResponseController(b.ResponseWriter)
	for i := range p {
		if _, err := b.ResponseWriter.Write(p[i : i+1]); err != nil {
			return i, err
		}
		if err := flusher.Flush(); err != nil {
			return i + 1, err
		}
	}
	return len(p), nil
}

// Drop breaks the connection without a byte of an answer.
func Drop() Reply {
	return func(w http.ResponseWriter, r *http.Request) {
		exchangeOf(r).ended = true
		resetConn(w)
	}
}

// ResetAfter lets reply write k bytes of body and then breaks the connection, as [Reset] does. A
// shorter body is broken at its end.
func ResetAfter(k int, reply Reply) Reply { return limit(k, reply, resetConn) }

// CutAfter lets reply write k bytes of body and then closes the connection, as [Cut] does.
func CutAfter(k int, reply Reply) Reply { return limit(k, reply, func(http.ResponseWriter) {}) }

func limit(k int, reply Reply, hangUp func(http.ResponseWriter)) Reply {
	return func(w http.ResponseWriter, r *http.Request) {
		limited := &limitedWriter{ResponseWriter: w, left: k, hangUp: hangUp, ex: exchangeOf(r)}
		reply(limited, r)
		if r.Context().Err() == nil {
			limited.stop()
		}
	}
}

// limitedWriter hangs up once left bytes of body have been written.
type limitedWriter struct {
	http.ResponseWriter
	left   int
	hangUp func(http.ResponseWriter)
	ex     *exchange
}

func (l *limitedWriter) Unwrap() http.ResponseWriter { return l.ResponseWriter }

func (l *limitedWriter) Write(p []byte) (int, error) {
	if len(p) <= l.left {
		n, err := l.ResponseWriter.Write(p)
		l.left -= n
		return n, err
	}
	if _, err := l.ResponseWriter.Write(p[:l.left]); err != nil {
		return 0, err
	}
	l.stop()
	return 0, io.ErrClosedPipe // not reached: stop unwinds the handler
}

// stop sends what is buffered, hangs up and unwinds the handler.
func (l *limitedWriter) stop() {
	l.ex.ended = true
	_ = http.NewResponseController(l.ResponseWriter).Flush() // a client that has left needs no fault
	l.hangUp(l.ResponseWriter)
	panic(http.ErrAbortHandler)
}

// resetConn closes the connection so that the client sees a reset. Where the connection cannot be
// taken over, as with HTTP/2, it aborts the answer.
func resetConn(w http.ResponseWriter) {
	conn, _, err := http.NewResponseController(w).Hijack()
	if err != nil {
		panic(http.ErrAbortHandler)
	}
	if c, ok := conn.(interface{ SetLinger(sec int) error }); ok {
		_ = c.SetLinger(0) // the close that follows is what counts
	}
	_ = conn.Close()
}

// HugeLine answers with a whole stream in which one delta carries n bytes of text on a single line.
func HugeLine(n int) Reply {
	parts := TextEvents("claude-fake", "x")
	parts[3] = hugeDelta(n)
	return Stream(parts...)
}

func hugeDelta(n int) Part {
	return func(_ context.Context, w io.Writer) error {
		const head = "event: content_block_delta\n" +
			`data: {"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"`
		text := io.LimitReader(letters{}, int64(n))
		_, err := io.Copy(w, io.MultiReader(strings.NewReader(head), text, strings.NewReader("\"}}\n\n")))
		return err
	}
}

// letters reads as an endless run of one letter, so that a line of any length costs no memory.
type letters struct{}

func (letters) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = 'a'
	}
	return len(p), nil
}

// as is a Stream that claims to be of another content type.
func as(contentType string, parts []Part) Reply {
	return func(w http.ResponseWriter, r *http.Request) {
		setServiceHeader(w.Header(), r)
		w.Header().Set("Content-Type", contentType)
		runParts(w, r, parts)
	}
}

func join(head []Part, tail ...Part) []Part { return append(slices.Clip(head), tail...) }
