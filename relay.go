package ccproxy

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/ccproxy-go/ccproxy/adapters"
	"github.com/ccproxy-go/ccproxy/adapters/canonical"
	"github.com/ccproxy-go/ccproxy/hooks"
	"github.com/ccproxy-go/ccproxy/internal/lease"
	"github.com/ccproxy-go/ccproxy/internal/rawjson"
)

// relay brings one answer to the client: the last one, where several providers have to be asked.
type relay struct {
	*pipeline
	attempt

	ex     *exchange
	w      http.ResponseWriter
	call   *Call
	client adapters.Format // what the client speaks

	out       streamWriter
	committed bool          // the client has been sent a status
	promised  time.Duration // when the client is sent the headers of a stream, come what may; zero for never
	tap       bool          // somebody wants usage

	body    []byte          // the client's own
	header  http.Header     // likewise
	later   bool            // this is not the first attempt
	planned bool            // there is a fallback for the model
	rest    []target        // who else may be asked
	tries   int             // retries with the provider that is asked now
	bufs    []*lease.Buffer // of bodies that were converted for later attempts
}

// attempt is what a relay knows of one call of a provider and its answer.
type attempt struct {
	ans     *Answer
	from    adapters.Format         // what the answer is in
	cancel  context.CancelCauseFunc // ends the attempt alone; nil where it ends with the exchange
	leave   breakerPass
	heard   bool // a part of the answer has come: nobody else is asked any more
	refused bool // the stream began with an error of the upstream's own

	buf      *lease.Buffer // of an answer that is not a stream
	unsized  bool          // nobody said how long it is, so its end may be a break
	open     bool          // the first event of a stream has been relayed
	begun    time.Time
	firstAt  time.Duration
	chunks   int64
	bytes    int64
	complete bool             // the terminal event of the stream went by
	arrived  bool             // the client has it
	named    modelName        // the client's name of the model
	lost     canonical.Losses // what the client's format has no place for
	cut      error            // why the provider's side of a converted stream ended too early
	erred    bool             // the client has been sent an error event
	blamed   int              // the status that it stands for, zero for none
	place    responsePlace    // of a stream of Responses
	lazy     bool             // whoever converts the stream does so on the goroutine that relays it
	gone     bool             // the client, while the stream was converted
	copied   bool             // nobody keeps anything of the answer's buffer
	replayed bool             // the client's stream is one that the provider has not made
	pulse    *pulse           // of the answer's body
	whole    bool             // the answer is no stream
}

// take begins with the provider's answer.
func (t *relay) take(ans *Answer) {
	t.out.mu.Lock()
	defer t.out.mu.Unlock()
	t.ans, t.begun = ans, time.Now()
	if ans.Format != "" {
		t.from = ans.Format
	}
	t.out.fresh = true
	t.out.wait()
}

func (t *relay) run(ctx context.Context) error {
	t.tap = t.ex.enabled(hooks.EventRequestCompleted) || t.ex.enabled(hooks.EventRequestFailed) ||
		t.ex.enabled(hooks.EventProviderStreamEnd) || t.ex.metered()
	switch {
	case t.ans.Status >= 300 && t.ans.Status < 400:
		msg := fmt.Sprintf("the provider answered with a redirect (%d)", t.ans.Status)
		return &Error{Status: http.StatusBadGateway, Message: msg}
	case t.ans.Status < 200:
		msg := fmt.Sprintf("the provider answered with status %d", t.ans.Status)
		return &Error{Status: http.StatusBadGateway, Message: msg}
	case t.ans.Status >= 400:
		t.feelWhole()
		return t.relayError(ctx)
	case t.collects():
		return t.collect(ctx)
	case t.ans.streams() || t.call.Stream && t.startsEvents():
		return t.relayStream(ctx)
	default:
		t.feelWhole()
		return t.relayBody(ctx)
	}
}

// fail ends a relay that went wrong: with a status while there is none, with an error event in a stream, and
// otherwise by breaking the connection off, so that half an answer does not look like a whole one.
func (t *relay) fail(err error) {
	if !t.settle() {
		t.attemptFailed(setbackOf(err, time.Since(t.begun)), false, target{})
		t.ex.fail(t.w, err)
		return
	}
	t.breakOff(err, true)
}

// refuse ends a call that the provider has not answered, of which hooks know.
func (t *relay) refuse(err error) {
	if !t.settle() {
		t.ex.fail(t.w, err)
		return
	}
	t.breakOff(err, false)
}

// breakOff ends an answer that has begun. Hooks are told of the provider's error if it is news.
func (t *relay) breakOff(err error, news bool) {
	t.ex.failure = err
	if errors.Is(err, errClientGone) {
		return
	}
	e := asError(err)
	t.ex.errType = typeOf(t.client, e.info(""))
	if !t.ex.streamed {
		panic(http.ErrAbortHandler) // net/http's way to end an answer that is not whole
	}
	if t.complete {
		return // the client has its terminal event
	}
	if news {
		t.attemptFailed(setbackOf(err, time.Since(t.begun)), false, target{})
	}
	t.out.sendError(t.client, t.place.at(e.info(t.call.ID)))
}

// relayBody holds the answer back until it is whole, so that one that breaks off is an error and not half an
// answer. Only an answer larger than the limit is passed on while it arrives.
func (t *relay) relayBody(ctx context.Context) error {
	t.heard = true // it has been executed
	body, whole, err := t.readAnswer()
	defer t.release()
	if e, ok := errors.AsType[*Error](err); ok {
		return e
	}
	if err != nil {
		return &Error{Status: http.StatusBadGateway, Message: "the provider's answer broke off", Err: err}
	}
	if whole && t.unsized && !jsonObject(body) {
		return &Error{Status: http.StatusBadGateway, Message: "the provider's answer broke off"}
	}
	if !looksLikeJSON(body) || whole && !bytes.HasSuffix(bytes.TrimRight(body, " \t\r\n"), []byte("}")) {
		return &Error{Status: http.StatusBadGateway, Message: "the provider's answer is not a JSON object"}
	}
	if !whole {
		return t.passOn(body)
	}
	if t.tap {
		t.ex.usage = usageOf(t.from, body, nil)
	}
	if t.replays() {
		return t.replay(ctx, body)
	}
	if t.settle() {
		return &Error{Status: http.StatusBadGateway, Message: "the provider did not answer with a stream"}
	}
	if t.from != t.client {
		if body, err = t.convertResponse(ctx, body); err != nil {
			return err
		}
		t.logLosses(ctx, t.call, "answer", t.lost.List)
	}
	body, _ = t.named.restore(body)
	t.setBodyHeader()
	t.send(body)
	return nil
}

// release gives the answer's buffer back, unless an adapter has seen it.
func (t *relay) release() {
	if t.from == t.client || t.copied {
		t.buf.Claim()
	}
	t.buf.Release()
}

// startsEvents tells a stream whose content type is that of a body.
func (t *relay) startsEvents() bool {
	t.feel()
	t.attend()
	in := bufio.NewReader(t.ans.Body)
	t.ans.Body = struct {
		io.Reader
		io.Closer
	}{in, t.ans.Body}
	first, err := in.Peek(1)
	return err == nil && !bytes.ContainsAny(first, "{ \t\r\n")
}

// setBodyHeader sets the headers of an answer that is an object in JSON, whatever the provider calls it: as HTML it
// would be a page from the host's own address.
func (t *relay) setBodyHeader() {
	h := t.w.Header()
	copyAnswerHeader(h, t.ans.Header)
	nameRequest(h, t.client, t.call.ID)
	noteLosses(h, t.call.lost, t.lost.List)
	if t.from != t.client || !strings.HasPrefix(h.Get("Content-Type"), "application/json") {
		h.Set("Content-Type", "application/json")
	}
}

// send writes a whole answer.
func (t *relay) send(body []byte) {
	t.w.Header().Set("Content-Length", strconv.Itoa(len(body)))
	t.settle()
	t.committed = true
	t.openWriter()
	t.out.extend()
	t.w.WriteHeader(t.ans.Status)
	if _, err := t.out.Write(body); err != nil {
		t.ex.failure = errClientGone
	}
}

// readAnswer reads a body up to the limit; whole is false when there is more.
func (t *relay) readAnswer() (body []byte, whole bool, err error) {
	limit := t.proxy.limits.AnswerBytes
	size := int64(-1)
	if n, err := strconv.ParseInt(t.ans.Header.Get("Content-Length"), 10, 64); err == nil {
		size = n
	}
	t.unsized = size < 0
	t.buf = t.proxy.bodies.Get(int(min(max(size, 0), firstRead)) + 1)
	// A reader that stops one byte late tells an answer of exactly the limit from a larger one.
	err = readInto(t.buf, io.LimitReader(t.ans.Body, limit+1), limit+1)
	body = t.buf.B
	if int64(len(body)) > limit {
		return body, false, err
	}
	if err == nil && size >= 0 && int64(len(body)) < size {
		err = io.ErrUnexpectedEOF
	}
	return body, true, err
}

// passOn relays an answer of which body is the beginning.
func (t *relay) passOn(body []byte) error {
	if t.from != t.client || t.promised > 0 {
		return tooLargeAnswer()
	}
	t.setBodyHeader()
	t.settle()
	t.committed = true
	t.openWriter()
	t.out.extend()
	t.w.WriteHeader(t.ans.Status)
	out := resting{&t.out}
	if _, err := out.Write(body); err != nil {
		return errClientGone
	}
	idle := t.proxy.limits.StreamIdle
	silent := time.AfterFunc(idle, func() {
		t.ex.flight.cancel(&Error{Status: http.StatusGatewayTimeout, Message: silentBody})
	})
	defer silent.Stop()
	from, end := io.Reader(timed{t.ans.Body, silent, idle}), lastBytes{}
	if t.tap {
		from = io.TeeReader(from, &end)
	}
	_, err := io.Copy(out, from)
	if t.tap {
		t.ex.usage = usageAtEnd(t.from, end.kept)
	}
	t.out.extend() // for what the server has not sent yet
	return err
}

// timed is a reader that a timer waits for while it reads.
type timed struct {
	io.Reader

	timer *time.Timer
	limit time.Duration
}

// Read implements io.Reader.
func (r timed) Read(b []byte) (int, error) {
	r.timer.Reset(r.limit)
	defer r.timer.Stop()
	return r.Reader.Read(b)
}

// resting is a writer whose client has no deadline while nothing is written.
type resting struct{ *streamWriter }

// Write implements io.Writer.
func (r resting) Write(b []byte) (int, error) {
	n, err := r.streamWriter.Write(b)
	r.rest()
	return n, err
}

// relayError brings an error of the provider to the client: its own bytes if they are an error in the client's
// format, else one that says what came.
func (t *relay) relayError(ctx context.Context) error {
	var body []byte
	if t.ans.Body != nil {
		var err error
		if body, err = io.ReadAll(io.LimitReader(t.ans.Body, maxErrorBody)); err != nil {
			if ctx.Err() != nil {
				return err
			}
			t.ex.failure = err // the status is there; what the body said is not
			body = nil
		}
	}
	body = t.errorBody(ctx, body)
	if t.settle() {
		return t.lateError(body)
	}
	h := t.w.Header()
	copyAnswerHeader(h, t.ans.Header)
	nameRequest(h, t.client, t.call.ID)
	noteLosses(h, t.call.lost, nil)
	h.Set("Content-Type", "application/json")
	t.ex.errType = errorType(body)
	if t.ex.enabled(hooks.EventProviderError) {
		t.ex.emit(&hooks.ProviderError{
			Status: t.ans.Status, Type: t.ex.errType, Err: http.StatusText(t.ans.Status), Latency: time.Since(t.begun),
			Attempt: t.ex.attempts,
		})
	}
	if t.from != t.client {
		t.ans.Status = clientStatus(t.client, t.ans.Status)
	}
	t.send(body)
	return nil
}

// lateError is an error of the provider for a client that has been sent the headers of a stream.
func (t *relay) lateError(body []byte) *Error {
	e := &Error{Status: clientStatus(t.client, t.ans.Status)}
	e.Message, _ = jsonString(body, "error", "message")
	e.Type, _ = jsonString(body, "error", "type")
	e.Code, _ = jsonString(body, "error", "code")
	return e
}

const maxErrorBody = 1 << 20

func (t *relay) errorBody(ctx context.Context, body []byte) []byte {
	if looksLikeJSON(body) && jsonObjectWith(body, "error") {
		if t.from != t.client {
			if converted, err := t.convertError(ctx, body); err == nil {
				return converted
			}
		} else if raw, _ := rawjson.Find(body, "error"); looksLikeJSON(raw) {
			return body
		}
	}
	msg := fmt.Sprintf("the provider answered %d %s", t.ans.Status, http.StatusText(t.ans.Status))
	if text := upstreamText(body); text != "" {
		msg = text
	} else if len(bytes.TrimSpace(body)) > 0 {
		msg += " with a body that is not an error object"
	}
	return adapters.EncodeError(t.client, adapters.ErrorInfo{Status: t.ans.Status, Message: msg, RequestID: t.call.ID})
}

// maxErrorText bounds what is taken out of an error that has a shape of its own.
const maxErrorText = 2000

// upstreamText is the message of an error, where servers that follow no dialect put it; "" if there is none.
func upstreamText(body []byte) string {
	if !jsonObject(body) {
		return ""
	}
	places := [...][]string{{"error", "message"}, {"error"}, {"message"}, {"detail"}, {"detail", "message"}}
	for _, path := range places {
		if text, ok := jsonString(body, path...); ok && text != "" {
			return strings.ToValidUTF8(text[:min(len(text), maxErrorText)], "")
		}
	}
	return ""
}
