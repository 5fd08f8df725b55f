package codex

import (
	"bytes"
	"cmp"
	"errors"
	"io"
	"slices"

	"github.com/ccproxy-go/ccproxy/internal/rawjson"
	"github.com/ccproxy-go/ccproxy/internal/sse"
)

// maxOutput bounds what is kept of one answer. The output of a longer one is not filled in.
const maxOutput = 32 << 20

// filled relays a stream as it comes, but for the response in its terminal event: where ChatGPT left its output out,
// it gets the items that the stream has told.
type filled struct {
	source io.ReadCloser
	events *sse.Reader
	rest   []byte // of the current event
	err    error
	output outputItems
}

func newFilled(source io.ReadCloser) *filled {
	return &filled{source: source, events: sse.NewReader(source, 0)}
}

// Read implements io.Reader. It returns no more than one event.
func (f *filled) Read(p []byte) (int, error) {
	for len(f.rest) == 0 {
		if f.err != nil {
			return 0, f.err
		}
		f.next()
	}
	n := copy(p, f.rest)
	f.rest = f.rest[n:]
	return n, nil
}

// Close implements io.Closer.
func (f *filled) Close() error { return f.source.Close() }

func (f *filled) next() {
	ev, err := f.events.Next()
	if err != nil {
		f.rest, f.err = f.events.Rest(), err
		if errors.Is(err, io.ErrUnexpectedEOF) {
			f.err = io.EOF // whoever reads the rest finds out
		}
		return
	}
	f.rest = ev.Raw
	if !ev.HasData {
		return
	}
	switch eventKind(ev) {
	case "response.output_item.done":
		f.output.add(ev.Data)
	case "response.completed", "response.incomplete":
		if data := f.output.fill(ev.Data); data != nil {
			f.rest = sse.AppendEvent(nil, string(ev.Type), data)
		}
	}
}

// eventKind is an event's type, which stands in the data, too.
func eventKind(ev sse.Event) string {
	if len(ev.Type) > 0 {
		return string(ev.Type)
	}
	raw, _ := rawjson.Find(ev.Data, "type")
	kind, _ := rawjson.String(raw)
	return kind
}

// outputItems are the items that a stream has told.
type outputItems struct {
	items []outputItem
	size  int
}

type outputItem struct {
	index int64
	raw   []byte
}

// add keeps the item of an event.
func (o *outputItems) add(data []byte) {
	raw, ok := rawjson.Find(data, "item")
	if o.size += len(raw); !ok || o.size > maxOutput {
		return
	}
	index := int64(len(o.items))
	if at, ok := rawjson.Find(data, "output_index"); ok {
		if n, ok := rawjson.Int(at); ok {
			index = n
		}
	}
	o.items = append(o.items, outputItem{index, bytes.Clone(raw)})
}

// fill returns a terminal event with the items as its response's output, or nil where it has one.
func (o *outputItems) fill(data []byte) []byte {
	if len(o.items) == 0 || o.size > maxOutput {
		return nil
	}
	resp, ok := rawjson.Find(data, "response")
	if !ok || len(resp) == 0 || resp[0] != '{' {
		return nil
	}
	if output, ok := rawjson.Find(resp, "output"); ok && !isNull(output) {
		for range rawjson.Elements(output) {
			return nil
		}
	}
	return replace(data, "response", replace(resp, "output", array(o.list())))
}

// list are the items in the order in which they stand in the answer.
func (o *outputItems) list() [][]byte {
	slices.SortStableFunc(o.items, func(a, b outputItem) int { return cmp.Compare(a.index, b.index) })
	raws := make([][]byte, 0, len(o.items))
	for _, item := range o.items {
		raws = append(raws, item.raw)
	}
	return raws
}
