package openai

import (
	"bytes"

	"github.com/ccproxy-go/ccproxy/adapters/canonical"
)

// toldChoice is what a client has been told of one answer.
type toldChoice struct {
	begun  bool
	tools  int // calls so far; the next has this index, whatever that of its block
	blocks []toldBlock
}

// toldBlock is a block that is open.
type toldBlock struct {
	index     int
	kind      canonical.PartKind
	tool      int // the index of the call
	sent      bool
	silent    bool // reported as lost
	held      bool // the text of a free-form tool, wrapped in JSON, which is told when it is whole
	id, name  canonical.Token
	text      []byte // of thinking or of arguments that are held, without quotes
	signature []byte
	args      canonical.Token // what the start said
}

// block finds an open block, or nil.
func (c *toldChoice) block(index int) *toldBlock {
	for i := len(c.blocks) - 1; i >= 0; i-- {
		if c.blocks[i].index == index {
			return &c.blocks[i]
		}
	}
	return nil
}

func (c *toldChoice) drop(b *toldBlock) {
	last := len(c.blocks) - 1
	*b = c.blocks[last]
	c.blocks[last] = toldBlock{}
	c.blocks = c.blocks[:last]
}

func (e *chatStreamEncoder) blockStart(ev *canonical.Event, yield yieldChunk) error {
	c, err := e.choice(ev.Choice, yield)
	if err != nil || ev.Part == nil {
		return err
	}
	c.blocks = append(c.blocks, toldBlock{index: ev.Index, kind: ev.Part.Kind})
	b := &c.blocks[len(c.blocks)-1]
	if !e.own && ev.Part.Kind != canonical.PartOpaque {
		loseFields(&e.lost, ev.Part.Path, ev.Part.Extra)
	}
	switch p := ev.Part; p.Kind {
	case canonical.PartText, canonical.PartRefusal:
		return e.words(ev, wordsMember(p.Kind), p.Text, yield)
	case canonical.PartThinking:
		b.text = append(b.text, inner(p.Text)...)
		b.signature = append(b.signature, inner(p.Signature)...)
		return e.words(ev, wordsMember(p.Kind), p.Text, yield)
	case canonical.PartRedacted:
		b.signature = append(b.signature, inner(p.Signature)...)
		return nil
	case canonical.PartToolCall:
		return e.callStart(c, b, ev, yield)
	default:
		if e.own && p.Type == "reasoning_details" {
			return e.details(ev, p, yield)
		}
		b.silent = true
		e.lost.Add(p.Path, "not in this dialect: "+kindName(p))
		return nil
	}
}

func wordsMember(kind canonical.PartKind) string {
	switch kind {
	case canonical.PartThinking:
		return "reasoning_content"
	case canonical.PartRefusal:
		return "refusal"
	default:
		return "content"
	}
}

// words tells a fragment, unless it is empty.
func (e *chatStreamEncoder) words(
	ev *canonical.Event, member string, fragment canonical.Token, yield yieldChunk,
) error {
	if fragment.Empty() {
		return nil
	}
	e.openChunk(ev.Choice)
	e.member(member, fragment)
	var logprobs canonical.Raw
	if ev.Part != nil {
		logprobs = ev.Part.Logprobs
	}
	return e.closeChunk(logprobs, yield)
}

func (e *chatStreamEncoder) callStart(c *toldChoice, b *toldBlock, ev *canonical.Event, yield yieldChunk) error {
	call := ev.Part.Call
	if call == nil {
		call = &canonical.ToolCall{}
	}
	b.tool = c.tools
	c.tools++
	if call.Args.Object != nil || !call.Args.String.Empty() {
		b.args = bytes.Clone(argumentsToken(call))
	}
	if !e.own {
		for _, f := range call.Extra {
			e.lost.Add(join(ev.Part.Path, f.Name), "not in this dialect")
		}
	}
	if e.old || ev.Part.Type == typeFunctionCall {
		return e.oldCallStart(b, ev, call, yield)
	}
	if !call.Custom && isCustomTool(e.req, call.Name) {
		b.held = true
		b.id, b.name = bytes.Clone(call.ID), bytes.Clone(call.Name)
		return nil
	}
	if call.Custom {
		b.name = canonical.Token(`""`) // tells that it is one
	}
	e.openCall(ev.Choice, b)
	e.member("id", call.ID)
	writeCall(&e.writer, call, call.Custom, canonical.Token(`""`))
	return e.closeCall(yield)
}

// oldCallStart begins the one call that there could be before tools.
func (e *chatStreamEncoder) oldCallStart(
	b *toldBlock, ev *canonical.Event, call *canonical.ToolCall, yield yieldChunk,
) error {
	if b.tool > 0 {
		b.silent = true
		e.lost.Add("tool_calls", "the client's request knows one call only")
		return nil
	}
	b.tool = oldCallIndex
	e.openChunk(ev.Choice)
	e.key("function_call")
	e.open('{')
	e.member("name", call.Name)
	e.text("arguments", "")
	e.close('}')
	return e.closeChunk(nil, yield)
}

// openCall begins a chunk with a fragment of a call.
func (e *chatStreamEncoder) openCall(choice int, b *toldBlock) {
	e.openChunk(choice)
	e.key("tool_calls")
	e.open('[')
	e.open('{')
	e.number("index", int64(b.tool))
}

func (e *chatStreamEncoder) closeCall(yield yieldChunk) error {
	e.buf = append(e.buf, "}]"...)
	return e.closeChunk(nil, yield)
}

func (e *chatStreamEncoder) delta(ev *canonical.Event, yield yieldChunk) error {
	c, err := e.choice(ev.Choice, yield)
	if err != nil {
		return err
	}
	b := c.block(ev.Index)
	if b == nil || b.silent {
		return nil
	}
	if unknownPiece(ev) {
		e.lost.Add(at("content", ev.Index), "a piece of an unknown kind: "+ev.Part.Type)
		return nil
	}
	losePiece(&e.lost, ev)
	switch b.kind {
	case canonical.PartToolCall:
		return e.arguments(ev.Choice, b, ev.Delta, yield)
	case canonical.PartThinking, canonical.PartRedacted:
		b.signature = append(b.signature, inner(ev.Signature)...)
		b.text = append(b.text, inner(ev.Delta)...)
	case canonical.PartText:
		if ev.Citation != nil {
			return e.citation(ev, yield)
		}
	default:
	}
	return e.words(ev, wordsMember(b.kind), ev.Delta, yield)
}

// unknownPiece tells a fragment of a kind that only its own dialect knows, of a block that all do.
func unknownPiece(ev *canonical.Event) bool {
	return ev.Part != nil && ev.Part.Kind == canonical.PartOpaque
}

// losePiece reports what a fragment holds besides its text.
func losePiece(lost *canonical.Losses, ev *canonical.Event) {
	if len(ev.Extra) > 0 {
		loseFields(lost, join(at("content", ev.Index), "delta"), ev.Extra)
	}
}

func (e *chatStreamEncoder) citation(ev *canonical.Event, yield yieldChunk) error {
	note := annotation(ev.Citation)
	if note == nil {
		path := ev.Part.Path
		if path == "" {
			path = at("content", ev.Index)
		}
		path = join(path, inSource(e.source, "citations", "annotations", "annotations"))
		e.lost.Add(path, "not in this dialect: "+lenientString(find(ev.Citation, "type")).String())
		return nil
	}
	e.openChunk(ev.Choice)
	e.key("annotations")
	e.open('[')
	e.value(note)
	e.close(']')
	return e.closeChunk(nil, yield)
}

func (e *chatStreamEncoder) arguments(choice int, b *toldBlock, fragment canonical.Token, yield yieldChunk) error {
	if fragment.Empty() {
		return nil
	}
	b.sent = true
	if b.held {
		b.text = append(b.text, inner(fragment)...)
		return nil
	}
	if b.tool == oldCallIndex {
		e.openChunk(choice)
		e.key("function_call")
		e.open('{')
		e.member("arguments", fragment)
		e.close('}')
		return e.closeChunk(nil, yield)
	}
	e.openCall(choice, b)
	kind, member := "function", "arguments"
	if b.name != nil {
		kind, member = "custom", "input"
	}
	e.key(kind)
	e.open('{')
	e.member(member, fragment)
	e.close('}')
	return e.closeCall(yield)
}

func (e *chatStreamEncoder) blockStop(ev *canonical.Event, yield yieldChunk) error {
	c, err := e.choice(ev.Choice, yield)
	if err != nil {
		return err
	}
	b := c.block(ev.Index)
	if b == nil {
		return nil
	}
	if !b.silent {
		err = e.blockEnd(b, ev, yield)
	}
	c.drop(b)
	return err
}

// blockEnd tells what only the end of a block tells.
func (e *chatStreamEncoder) blockEnd(b *toldBlock, ev *canonical.Event, yield yieldChunk) error {
	switch b.kind {
	case canonical.PartToolCall:
		return e.callEnd(b, ev, yield)
	case canonical.PartThinking, canonical.PartRedacted:
		p := thinkingEnd(b, ev.Part)
		if !e.own {
			p = disguise(&p)
		}
		if p.Kind == canonical.PartRedacted || needsDetails(&p) {
			return e.details(ev, &p, yield)
		}
	default:
	}
	return nil
}

// thinkingEnd puts together what is known of a block of thinking.
func thinkingEnd(b *toldBlock, end *canonical.Part) canonical.Part {
	var p canonical.Part
	if end != nil {
		p = *end
	}
	p.Kind = b.kind
	if p.Signature == nil && len(b.signature) > 0 {
		p.Signature = quote(b.signature)
	}
	if p.Text == nil && p.Summary == nil && len(b.text) > 0 {
		p.Text = quote(b.text)
	}
	return p
}

func (e *chatStreamEncoder) details(ev *canonical.Event, p *canonical.Part, yield yieldChunk) error {
	e.openChunk(ev.Choice)
	e.key("reasoning_details")
	e.open('[')
	writeDetails(&e.writer, p, ev.Index)
	e.close(']')
	return e.closeChunk(nil, yield)
}

// callEnd tells the arguments that came in no fragment. A function's are never empty.
func (e *chatStreamEncoder) callEnd(b *toldBlock, ev *canonical.Event, yield yieldChunk) error {
	if b.sent && !b.held {
		return nil
	}
	args := b.args
	if p := ev.Part; p != nil && p.Call != nil && (p.Call.Args.Object != nil || !p.Call.Args.String.Empty()) {
		args = argumentsToken(p.Call)
	}
	if b.held {
		return e.heldCall(b, ev.Choice, args, yield)
	}
	if args == nil && b.name == nil {
		args = canonical.Token(emptyArguments)
	}
	return e.arguments(ev.Choice, b, args, yield)
}

// heldCall tells a free-form tool's call in one piece.
func (e *chatStreamEncoder) heldCall(b *toldBlock, choice int, args canonical.Token, yield yieldChunk) error {
	if b.sent {
		args = quote(b.text)
	}
	call := canonical.ToolCall{ID: b.id, Name: b.name, Args: canonical.Args{String: args}}
	e.openCall(choice, b)
	e.member("id", b.id)
	writeCall(&e.writer, &call, true, customInput(&call))
	return e.closeCall(yield)
}
