package anthropic

import (
	"bytes"
	"fmt"
	"io"
	"slices"

	"github.com/ccproxy-go/ccproxy/adapters"
	"github.com/ccproxy-go/ccproxy/adapters/canonical"
	"github.com/ccproxy-go/ccproxy/internal/rawjson"
)

// streamDecoder follows one stream. Its fields outlive the events, whose memory does not.
type streamDecoder struct {
	doc      rawjson.Doc
	part     canonical.Part // of the event being yielded
	unknown  []canonical.Field
	blocks   []block
	counts   counts
	usage    canonical.Usage
	stop     canonical.Stop
	stopMore []canonical.Field
	started  bool
	done     bool
}

// block is what is known of one of the answer's blocks. Its index here is its place in the order of starts.
type block struct {
	wire      int64 // the stream's own index
	kind      canonical.PartKind
	open      bool
	arguments bool              // a fragment of the arguments was yielded
	input     canonical.Raw     // arguments that came with the start
	raw       canonical.Raw     // the start of an opaque block
	rawInput  canonical.Token   // the fragments of its input
	rawTexts  []canonical.Field // its other members that came in fragments
	signature canonical.Token   // so far
}

type yieldFunc = func(canonical.Event) error

// Decode takes one event. Events after the last are passed over.
func (d *streamDecoder) Decode(ev adapters.Event, yield func(canonical.Event) error) error {
	if d.done {
		return nil
	}
	if err := scan(&d.doc, ev.Data); err != nil {
		return err
	}
	name := ev.Type
	if name == "" {
		typ, _ := d.doc.Raw("type")
		name = eventName(typ)
	}
	switch name {
	case "ping":
		return yield(canonical.Event{Kind: canonical.EventPing})
	case "error":
		return d.fail(ev.Data, yield)
	case "message_start":
		return d.start(yield)
	}
	if !d.started && ofMessage(name) {
		return fmt.Errorf("%w: %s before message_start", adapters.ErrInvalidInput, name)
	}
	return d.step(name, ev.Data, yield)
}

// ofMessage tells events that belong to a message which has started; others may come at any time.
func ofMessage(name string) bool {
	switch name {
	case "content_block_start", "content_block_delta", "content_block_stop", "message_delta", "message_stop":
		return true
	default:
		return false
	}
}

// fail takes the error that ends a stream. One that says nothing is an error, too.
func (d *streamDecoder) fail(data []byte, yield yieldFunc) error {
	failure, err := decodeFailure(data)
	if err != nil {
		failure = &canonical.Error{Type: "api_error", Message: canonical.NewToken(failureText(nil))}
	}
	d.done = true
	failure.Status = 0
	return yield(canonical.Event{Kind: canonical.EventError, Error: failure})
}

// step takes an event between the start and the end.
func (d *streamDecoder) step(name string, data []byte, yield yieldFunc) error {
	switch name {
	case "content_block_start":
		return d.blockStart(yield)
	case "content_block_delta":
		return d.delta(yield)
	case "content_block_stop":
		i, err := d.open()
		if err != nil {
			return err
		}
		return d.blockStop(i, yield)
	case "message_delta":
		return d.messageDelta(yield)
	case "message_stop":
		return d.messageStop(yield)
	default:
		d.part = canonical.Part{Kind: canonical.PartOpaque, Type: name, Raw: data}
		return yield(canonical.Event{Kind: canonical.EventPing, Part: &d.part})
	}
}

// End refuses a stream that was cut off.
func (d *streamDecoder) End(func(canonical.Event) error) error {
	if d.done {
		return nil
	}
	return fmt.Errorf("the stream ended before message_stop: %w", io.ErrUnexpectedEOF)
}

// eventName is the name of an event that came without one. The usual names are constants, not made anew each time.
func eventName(typ []byte) string {
	switch string(typ) {
	case `"content_block_delta"`:
		return "content_block_delta"
	case `"content_block_start"`:
		return "content_block_start"
	case `"content_block_stop"`:
		return "content_block_stop"
	case `"ping"`:
		return "ping"
	default:
		name, _ := rawjson.String(typ)
		return name
	}
}

func (d *streamDecoder) start(yield yieldFunc) error {
	if d.started {
		return fmt.Errorf("%w: a second message_start", adapters.ErrInvalidInput)
	}
	message, _ := d.doc.Raw("message")
	if !isObject(message) {
		return invalid("message", "an object")
	}
	ev := canonical.Event{Kind: canonical.EventStart, Source: dialect}
	var err error
	for k, v := range rawjson.Members(message) {
		switch string(k) {
		case `"type"`, `"role"`, `"content"`, `"stop_reason"`, `"stop_sequence"`:
		case `"id"`:
			ev.ID, err = optional(v, "message", "id")
		case `"model"`:
			ev.Model, err = optional(v, "message", "model")
		case `"usage"`:
			d.counts.add(v, true)
			d.usage = d.counts.usage()
			ev.Usage = &d.usage
		default:
			ev.Extra = appendKnown(ev.Extra, k, v)
		}
		if err != nil {
			return err
		}
	}
	d.started = true
	return yield(ev)
}

// wireIndex is the index that the stream gives the block of an event.
func (d *streamDecoder) wireIndex() (int64, error) {
	raw, _ := d.doc.Raw("index")
	n, ok := rawjson.Int(raw)
	if !ok {
		return 0, invalid("index", "an integer")
	}
	return n, nil
}

// open finds the open block that an event is about.
func (d *streamDecoder) open() (int, error) {
	wire, err := d.wireIndex()
	if err != nil {
		return 0, err
	}
	for i, b := range slices.Backward(d.blocks) {
		if b.open && b.wire == wire {
			return i, nil
		}
	}
	return 0, fmt.Errorf("%w: index: no block %d is open", adapters.ErrInvalidInput, wire)
}

func (d *streamDecoder) blockStart(yield yieldFunc) error {
	wire, err := d.wireIndex()
	if err != nil {
		return err
	}
	if _, err = d.open(); err == nil {
		return fmt.Errorf("%w: index: block %d is already open", adapters.ErrInvalidInput, wire)
	}
	raw, _ := d.doc.Raw("content_block")
	i := len(d.blocks)
	d.part = canonical.Part{}
	if err := decodePart(raw, element("content", i), &d.part); err != nil {
		return err
	}
	p := &d.part
	b := block{wire: wire, kind: p.Kind, open: true}
	text := p.Text
	p.Text = nil
	if p.Kind == canonical.PartOpaque {
		b.raw = bytes.Clone(p.Raw)
	}
	if p.Kind == canonical.PartToolCall {
		b.input = bytes.Clone(p.Call.Args.Object)
		p.Call.Args.Object = nil
	}
	signature := p.Signature
	if p.Kind == canonical.PartThinking {
		p.Signature = nil
	}
	d.blocks = append(d.blocks, b)
	if err := yield(canonical.Event{Kind: canonical.EventBlockStart, Index: i, Part: p}); err != nil {
		return err
	}
	if b.kind == canonical.PartThinking && !signature.Empty() {
		if err := d.signatureDelta(i, signature, yield); err != nil {
			return err
		}
	}
	return d.fragment(i, text, nil, yield)
}

// fragment yields a piece of a block's text or arguments, unless it is empty.
func (d *streamDecoder) fragment(i int, text canonical.Token, more []canonical.Field, yield yieldFunc) error {
	if text.Empty() && len(more) == 0 {
		return nil
	}
	b := &d.blocks[i]
	b.arguments = b.arguments || b.kind == canonical.PartToolCall
	d.part = canonical.Part{Kind: b.kind}
	return yield(canonical.Event{Kind: canonical.EventDelta, Index: i, Part: &d.part, Delta: text, Extra: more})
}

func (d *streamDecoder) signatureDelta(i int, signature canonical.Token, yield yieldFunc) error {
	b := &d.blocks[i]
	b.signature = joined(b.signature, signature)
	d.part = canonical.Part{Kind: b.kind}
	return yield(canonical.Event{Kind: canonical.EventDelta, Index: i, Part: &d.part, Signature: signature})
}

// joined appends a fragment to a string.
func joined(t, fragment canonical.Token) canonical.Token {
	if fragment.Empty() {
		return t
	}
	if len(t) == 0 {
		return append(t, fragment...)
	}
	return append(t[:len(t)-1], fragment[1:]...)
}

func (d *streamDecoder) blockStop(i int, yield yieldFunc) error {
	b := &d.blocks[i]
	b.open = false
	if b.kind == canonical.PartToolCall && !b.arguments {
		if err := d.fragment(i, canonical.NewToken(string(b.input)), nil, yield); err != nil {
			return err
		}
	}
	d.part = canonical.Part{Kind: b.kind, Signature: b.signature, Raw: b.whole()}
	return yield(canonical.Event{Kind: canonical.EventBlockStop, Index: i, Part: &d.part})
}

// whole is an opaque block with what came in fragments, for who wants it in one piece; nil where there was nothing. An
// input that is not whole is left out.
func (b *block) whole() canonical.Raw {
	raw := b.raw
	set := func(name string, value []byte) {
		var doc rawjson.Doc
		if scan(&doc, raw) == nil {
			raw = doc.Set(name, value)
		}
	}
	if !b.rawInput.Empty() {
		if object, ok := argumentsObject(b.rawInput); ok {
			set("input", object)
		}
	}
	for _, f := range b.rawTexts {
		set(f.Name, f.Raw)
	}
	if len(b.rawTexts) == 0 && b.rawInput.Empty() {
		return nil
	}
	return raw
}

// addText keeps a fragment of one of an opaque block's own texts, such as the content of a compaction.
func (b *block) addText(name string, fragment canonical.Token) {
	for i := range b.rawTexts {
		if f := &b.rawTexts[i]; f.Name == name {
			f.Raw = canonical.Raw(joined(canonical.Token(f.Raw), fragment))
			return
		}
	}
	var begun canonical.Token
	if v := find(b.raw, name); len(v) > 0 && v[0] == '"' {
		begun = bytes.Clone(v)
	}
	if begun = joined(begun, fragment); begun != nil {
		b.rawTexts = append(b.rawTexts, canonical.Field{Name: name, Raw: canonical.Raw(begun)})
	}
}

// besideDelta are members of the message that a message_delta has beside its delta.
func besideDelta() [2]string { return [...]string{"context_management", "input_transformations"} }

// messageDelta takes how the answer ends. That it ended is known only at message_stop.
func (d *streamDecoder) messageDelta(yield yieldFunc) error {
	delta, _ := d.doc.Raw("delta")
	for k, v := range rawjson.Members(delta) {
		switch string(k) {
		case `"stop_reason"`, `"stop_sequence"`:
		default:
			d.keep(k, v)
		}
	}
	d.stop = decodeStop(find(delta, "stop_reason"), find(delta, "stop_sequence"))
	for _, name := range besideDelta() {
		if v, ok := d.doc.Raw(name); ok {
			d.keep([]byte(`"`+name+`"`), v)
		}
	}
	usage, ok := d.doc.Raw("usage")
	if !ok || !isObject(usage) {
		return nil
	}
	d.counts.add(usage, true)
	d.usage = d.counts.usage()
	return yield(canonical.Event{Kind: canonical.EventUsage, Usage: &d.usage})
}

// keep keeps a member of the message until the end.
func (d *streamDecoder) keep(key, v []byte) {
	d.stopMore = appendKnown(d.stopMore, key, bytes.Clone(v))
}

func (d *streamDecoder) messageStop(yield yieldFunc) error {
	for i := range d.blocks {
		if d.blocks[i].open {
			if err := d.blockStop(i, yield); err != nil {
				return err
			}
		}
	}
	d.done = true
	ev := canonical.Event{Kind: canonical.EventStop, Stop: d.stop, Extra: d.stopMore}
	if d.counts.hasInput || d.counts.hasOutput {
		ev.Usage = &d.usage
	}
	return yield(ev)
}
