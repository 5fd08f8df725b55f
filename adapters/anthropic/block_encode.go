package anthropic

import (
	"bytes"

	"github.com/ccproxy-go/ccproxy/adapters/canonical"
	"github.com/ccproxy-go/ccproxy/adapters/internal/envelope"
)

// outBlock is a block on its way to the client.
type outBlock struct {
	index   int            // as the events have it
	part    canonical.Part // from the start, and then the end
	written bool           // content_block_start was
	over    bool
	dropped bool // the dialect has no such block
	fed     bool // a fragment of text or arguments came
	signed  bool // a fragment of the signature came

	// What waits for the block's turn.
	text      canonical.Token
	signature canonical.Token
	deltas    [][]byte // others, whole
}

// find gives the block of an event, if it is open.
func (e *streamEncoder) find(ev *canonical.Event) *outBlock {
	for _, b := range e.blocks {
		if b.index == ev.Index && !b.over {
			return b
		}
	}
	return nil
}

// blockStart takes a new block, and writes its start if it is its turn. That of thinking waits for the first words: if
// none come, it is another kind of block.
func (e *streamEncoder) blockStart(ev *canonical.Event, yield eventFunc) error {
	if ev.Part == nil {
		return nil
	}
	b := &outBlock{index: ev.Index, part: owned(ev.Part)}
	e.blocks = append(e.blocks, b)
	switch b.part.Kind {
	case canonical.PartText, canonical.PartThinking, canonical.PartRefusal:
		b.text, b.part.Text = b.part.Text, nil // as if it came in a fragment
		b.fed = !b.text.Empty()
	case canonical.PartRedacted:
	case canonical.PartToolCall:
		b.dropped = b.part.Call == nil
	default:
		b.dropped = !e.own
	}
	if b.dropped {
		e.lose(e.blockPath(ev), "dropped: "+b.part.Type+" has no equivalent")
	}
	return e.advance(yield)
}

// blockPath is where an event's block stands in the answer.
func (e *streamEncoder) blockPath(ev *canonical.Event) string {
	if ev.Part != nil && ev.Part.Path != "" {
		return ev.Part.Path
	}
	return element("content", ev.Index)
}

// owned copies what outlives the event.
func owned(p *canonical.Part) canonical.Part {
	out := canonical.Part{
		Kind: p.Kind, Type: p.Type,
		Text: bytes.Clone(p.Text), Signature: bytes.Clone(p.Signature), Encrypted: bytes.Clone(p.Encrypted),
		ID: bytes.Clone(p.ID), Raw: bytes.Clone(p.Raw), Extra: ownedFields(p.Extra),
	}
	if len(p.Summary) > 0 && out.Text == nil {
		out.Text = canonical.Join("\n\n", p.Summary...)
	}
	if c := p.Call; c != nil {
		out.Call = &canonical.ToolCall{
			ID: bytes.Clone(c.ID), Name: bytes.Clone(c.Name), Custom: c.Custom, Extra: ownedFields(c.Extra),
			Args: canonical.Args{Object: bytes.Clone(c.Args.Object), String: bytes.Clone(c.Args.String)},
		}
	}
	return out
}

func ownedFields(list []canonical.Field) []canonical.Field {
	var out []canonical.Field
	for _, f := range list {
		out = append(out, canonical.Field{Name: f.Name, Raw: bytes.Clone(f.Raw)})
	}
	return out
}

// delta takes a fragment, and writes it if it is its block's turn.
func (e *streamEncoder) delta(ev *canonical.Event, yield eventFunc) error {
	b := e.find(ev)
	if b == nil || b.dropped {
		return nil
	}
	b.fed = b.fed || !ev.Delta.Empty()
	if p := ev.Part; p != nil && len(p.Logprobs) > len(`[]`) && !e.own {
		e.lose(e.sourcePath("choices[0].logprobs", member(e.blockPath(ev), "logprobs")), "no equivalent")
	}
	b.signed = b.signed || !ev.Signature.Empty()
	if b == e.blocks[0] && !b.custom() {
		return e.writeDelta(b, ev, yield)
	}
	b.text = joined(b.text, ev.Delta)
	b.signature = joined(b.signature, ev.Signature)
	if other := e.otherDelta(ev); other != nil {
		b.deltas = append(b.deltas, bytes.Clone(other))
	}
	return nil
}

// custom tells that the fragments are text, which goes into an object as a whole.
func (b *outBlock) custom() bool { return b.part.Call != nil && b.part.Call.Custom }

// writeDelta writes a fragment of the block whose turn it is.
func (e *streamEncoder) writeDelta(b *outBlock, ev *canonical.Event, yield eventFunc) error {
	if !b.written {
		if err := e.writeStart(b, yield); err != nil {
			return err
		}
	}
	if !ev.Delta.Empty() || len(ev.Extra) > 0 && e.own {
		if err := e.writeText(b, ev.Delta, ev.Extra, yield); err != nil {
			return err
		}
	}
	if !ev.Signature.Empty() {
		if err := e.writeSignature(ev.Signature, yield); err != nil {
			return err
		}
	}
	if other := e.otherDelta(ev); other != nil {
		return e.writeOther(other, yield)
	}
	return nil
}

// otherDelta is what a fragment has besides text and signature, as a whole delta.
func (e *streamEncoder) otherDelta(ev *canonical.Event) []byte {
	switch {
	case ev.Part != nil && ev.Part.Kind == canonical.PartOpaque && e.own:
		return ev.Part.Raw
	case ev.Citation != nil && e.own:
		var w writer
		w.open('{')
		w.word("type", "citations_delta")
		w.raw("citation", ev.Citation)
		w.shut('}')
		return w.b
	case ev.Citation != nil:
		e.lose(e.sourcePath("choices[0].delta.annotations", member(e.blockPath(ev), "annotations")), "no equivalent")
	}
	return nil
}

// blockStop takes the end of a block, with what only the end tells.
func (e *streamEncoder) blockStop(ev *canonical.Event, yield eventFunc) error {
	b := e.find(ev)
	if b == nil {
		return nil
	}
	b.over = true
	if ev.Part != nil && !b.dropped {
		b.learn(ev.Part)
	}
	return e.advance(yield)
}

// learn takes what the end tells.
func (b *outBlock) learn(end *canonical.Part) {
	p := owned(end)
	if p.Signature != nil {
		b.part.Signature = p.Signature
	}
	if p.Encrypted != nil {
		b.part.Encrypted = p.Encrypted
	}
	if p.ID != nil {
		b.part.ID = p.ID
	}
	if p.Text != nil {
		b.part.Text = p.Text
	}
	if p.Call != nil && b.part.Call != nil && (p.Call.Args.Object != nil || p.Call.Args.String != nil) {
		b.part.Call.Args = p.Call.Args
	}
}

// advance writes what the first block has to say, and if it is over, goes on with the next.
func (e *streamEncoder) advance(yield eventFunc) error {
	for len(e.blocks) > 0 {
		b := e.blocks[0]
		if !b.dropped {
			if err := e.catchUp(b, yield); err != nil {
				return err
			}
		}
		if !b.over {
			return nil
		}
		e.blocks = e.blocks[1:]
	}
	return nil
}

// catchUp writes what a block has to say by now.
func (e *streamEncoder) catchUp(b *outBlock, yield eventFunc) error {
	if b.over {
		e.conclude(b)
	}
	waits := !b.text.Empty() && (!b.custom() || b.over) || b.signature != nil || len(b.deltas) > 0
	if !b.written {
		if b.part.Kind == canonical.PartThinking && !waits && !e.own {
			return nil // until there is something to say, and for good if there never is
		}
		if err := e.writeStart(b, yield); err != nil {
			return err
		}
	}
	if waits {
		if err := e.writeWaiting(b, yield); err != nil {
			return err
		}
	}
	if !b.over {
		return nil
	}
	e.begin("content_block_stop")
	e.w.integer("index", int64(e.next-1))
	return e.emit("content_block_stop", yield)
}

// writeWaiting writes what has waited.
func (e *streamEncoder) writeWaiting(b *outBlock, yield eventFunc) error {
	if !b.text.Empty() && (!b.custom() || b.over) {
		text := b.text
		if b.custom() {
			text = canonical.NewToken(string(wrapInput(canonical.CustomInput, text)))
		}
		if err := e.writeText(b, text, nil, yield); err != nil {
			return err
		}
		b.text = nil
	}
	if b.signature != nil {
		if err := e.writeSignature(b.signature, yield); err != nil {
			return err
		}
		b.signature = nil
	}
	for _, d := range b.deltas {
		if err := e.writeOther(d, yield); err != nil {
			return err
		}
	}
	b.deltas = nil
	return nil
}

// conclude lets what was known at the start or the end alone wait as if it had come in between.
func (e *streamEncoder) conclude(b *outBlock) {
	p := &b.part
	switch p.Kind {
	case canonical.PartToolCall:
		if b.fed {
			return
		}
		args := p.Call.Args
		switch {
		case args.Object != nil && string(args.Object) != "{}":
			b.text = canonical.NewToken(string(args.Object))
		case !args.String.Empty():
			b.text = args.String
		}
	case canonical.PartThinking:
		if !b.fed && !p.Text.Empty() {
			b.text, b.fed = p.Text, true
		}
		e.concludeSignature(b)
	case canonical.PartText, canonical.PartRefusal:
		if !b.fed {
			b.text = p.Text
		}
	default:
	}
}

// concludeSignature gives thinking its signature: the vendor's, or an envelope of what another vendor wants back. If
// there is nothing to read, the envelope goes into a block that says so.
func (e *streamEncoder) concludeSignature(b *outBlock) {
	p := &b.part
	switch {
	case b.signed:
	case !p.Signature.Empty():
		b.signature = p.Signature
	case p.Encrypted == nil:
	case b.fed || b.written:
		b.signature = envelope.Seal(canonical.CarriedReasoning, p.ID, p.Encrypted)
	default:
		p.Kind, p.Signature = canonical.PartRedacted, envelope.Seal(canonical.CarriedReasoning, p.ID, p.Encrypted)
	}
}
