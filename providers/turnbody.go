package providers

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"strings"

	"github.com/ccproxy-go/ccproxy/internal/errorcode"
	"github.com/ccproxy-go/ccproxy/internal/rawjson"
)

// turnBody is the answer to an attempt with one account of several. It ends the turn, and where the answer is a stream
// it reports the turn when the first event is there: upstreams refuse with an event, too, after status 200.
type turnBody struct {
	io.ReadCloser

	end    func()
	report func(Outcome) // nil when it is done
	head   []byte        // of a stream, up to its first event
	again  bool          // another account may do better than this stream's beginning
	status int           // which stands for this one
}

// firstEventSize is how much of a stream is looked at. Errors are short.
const firstEventSize = 4 << 10

var errUnread = errors.New("the stream was not read")

// newTurnBody reports how the upstream answered, now or with the first event. again is that of a report that is done.
func newTurnBody(ctx context.Context, turn Turn, resp *http.Response, end func()) (body *turnBody, again bool) {
	body = &turnBody{ReadCloser: resp.Body, end: end}
	o := Outcome{Status: resp.StatusCode, Header: resp.Header}
	if !streams(resp) {
		return body, turn.Report(ctx, o)
	}
	body.report = func(event Outcome) {
		o.Err = event.Err
		if event.Status != 0 {
			o.Status = event.Status
		}
		body.status, body.again = o.Status, turn.Report(ctx, o)
	}
	return body, false
}

// streams tells whether how a turn went is said by an answer's first event.
func streams(resp *http.Response) bool {
	return resp.StatusCode == http.StatusOK && strings.HasPrefix(resp.Header.Get("Content-Type"), "text/event-stream")
}

// decodeStream takes the compression from a stream whose first event has to be read.
func decodeStream(resp *http.Response) error {
	if !streams(resp) {
		return nil
	}
	body, err := decoded(resp)
	if err != nil {
		return err
	}
	resp.Body = body
	resp.Header.Del("Content-Encoding")
	return nil
}

// Read implements io.Reader.
func (b *turnBody) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	if b.report == nil {
		return n, err
	}
	b.head = append(b.head, p[:min(n, firstEventSize-len(b.head))]...)
	event, whole := firstEvent(b.head)
	switch status := statusOfEvent(event); {
	case whole, status != 0 && err != nil, len(b.head) >= firstEventSize:
		b.tell(Outcome{Status: status})
	case err != nil: // what says nothing is no success
		b.tell(Outcome{Err: err})
	}
	return n, err
}

func (b *turnBody) tell(o Outcome) {
	b.report(o)
	b.report, b.head = nil, nil
}

// Close implements io.Closer.
func (b *turnBody) Close() error {
	defer b.end()
	if b.report != nil {
		event, _ := firstEvent(b.head) // whoever reads it may know its end by less
		if status := statusOfEvent(event); status != 0 {
			b.tell(Outcome{Status: status})
		} else {
			b.tell(Outcome{Err: errUnread})
		}
	}
	return b.ReadCloser.Close()
}

// firstEvent returns the first block of lines that has data; whole tells that there is one.
func firstEvent(head []byte) (event []byte, whole bool) {
	if bytes.IndexByte(head, '\r') >= 0 {
		head = bytes.ReplaceAll(bytes.ReplaceAll(head, []byte("\r\n"), []byte("\n")), []byte("\r"), []byte("\n"))
	}
	for {
		block, rest, found := bytes.Cut(head, []byte("\n\n"))
		if !found || bytes.HasPrefix(block, []byte("data:")) || bytes.Contains(block, []byte("\ndata:")) {
			return block, found
		}
		head = rest // comments
	}
}

// statusOfEvent is the status that an error event stands for, 0 where the event is none.
func statusOfEvent(event []byte) int {
	for line := range bytes.SplitSeq(event, []byte("\n")) {
		data, ok := bytes.CutPrefix(line, []byte("data:"))
		if !ok {
			continue
		}
		raw := errorOf(bytes.TrimSpace(data))
		if raw == nil {
			return 0
		}
		for _, key := range [...]string{"code", "type"} { // OpenAI's code says more than its type
			if name, ok := rawjson.Find(raw, key); ok {
				if status := errorcode.Status(name); status != 0 {
					return status
				}
				text, _ := rawjson.String(name)
				if status := errorcode.Named(text); status != 0 {
					return status
				}
			}
		}
		return http.StatusInternalServerError
	}
	return 0
}

// errorOf finds the error that an event tells of: as its member, in the response of the Responses API, or as a whole,
// nil where there is none.
func errorOf(data []byte) []byte {
	object := func(raw []byte, ok bool) bool { return ok && len(raw) > 0 && raw[0] == '{' }
	if raw, ok := rawjson.Find(data, "error"); object(raw, ok) {
		return raw
	}
	if response, ok := rawjson.Find(data, "response"); object(response, ok) {
		if raw, ok := rawjson.Find(response, "error"); object(raw, ok) {
			return raw
		}
	}
	if raw, ok := rawjson.Find(data, "type"); ok && string(raw) == `"error"` {
		return data
	}
	return nil
}
