package openai

import (
	"bytes"

	"github.com/ccproxy-go/ccproxy/adapters/canonical"
	"github.com/ccproxy-go/ccproxy/internal/rawjson"
)

// oldCallIndex is the index given to a call of the time before tools, of which there is one.
const oldCallIndex = -1

// streamedCall is where one call of a stream stands.
type streamedCall struct {
	index    int64 // as the server counts
	block    int   // none until the name is known
	id, name canonical.Token
	held     []byte // fragments, without quotes, that came before the name
	args     argumentDepth
	custom   bool
	old      bool
	closed   bool
	sent     bool
}

// callFragment is what a chunk says about a call.
type callFragment struct {
	index    int64
	counted  bool
	id, name canonical.Token
	args     canonical.Token
	custom   bool
	old      bool
}

func (t *choiceTeller) allCalls(list, old []byte) error {
	for raw := range rawjson.Elements(list) {
		f := callFragment{}
		for key, v := range rawjson.Members(raw) {
			switch string(nameOf(key)) {
			case "index":
				f.index, f.counted = rawjson.Int(v)
			case "id":
				f.id = lenientString(v)
			case "type":
				f.custom = f.custom || is(v, "custom")
			case "function":
				f.called(v)
			case "custom":
				f.custom = true
				f.called(v)
			}
		}
		if err := t.callFragment(&f); err != nil {
			return err
		}
	}
	if !isObject(old) {
		return nil
	}
	f := callFragment{index: oldCallIndex, counted: true, old: true}
	f.called(old)
	return t.callFragment(&f)
}

func (f *callFragment) called(raw []byte) {
	for key, v := range rawjson.Members(raw) {
		switch string(nameOf(key)) {
		case "name":
			f.name = lenientString(v)
		case "arguments", "input":
			switch {
			case isString(v):
				f.args = canonical.Token(v)
			case !isNull(v): // whole, as an object
				f.args = rawjson.AppendString(nil, string(v))
			}
		}
	}
}

// callOf finds the call that a fragment belongs to, or begins one. Servers that do not count their calls, or count
// all as the first, tell them apart by the id.
func (c *streamedChoice) callOf(f *callFragment) *streamedCall {
	for i := len(c.calls) - 1; i >= 0; i-- {
		call := &c.calls[i]
		if f.counted && call.index != f.index {
			continue
		}
		if !f.id.Empty() && !call.id.Empty() && !bytes.Equal(f.id, call.id) && !f.name.Empty() {
			break
		}
		if !f.counted && f.id.Empty() && !f.name.Empty() && call.sent {
			break
		}
		return call
	}
	if !f.counted {
		f.index = int64(len(c.calls))
	}
	c.calls = append(c.calls, streamedCall{index: f.index, block: none, custom: f.custom, old: f.old})
	return &c.calls[len(c.calls)-1]
}

func (t *choiceTeller) callFragment(f *callFragment) error {
	call := t.c.callOf(f)
	if call.closed {
		return nil // whole already: some servers repeat the arguments at the end
	}
	if call.id.Empty() && !f.id.Empty() {
		call.id = bytes.Clone(f.id)
	}
	if call.name.Empty() && !f.name.Empty() {
		call.name = bytes.Clone(f.name)
	}
	if call.block == none {
		if call.name.Empty() {
			call.held = append(call.held, inner(f.args)...)
			return nil
		}
		if err := t.openCall(call); err != nil {
			return err
		}
	}
	if f.args.Empty() {
		return nil
	}
	return t.arguments(call, f.args)
}

// openCall begins the block of a call whose name is known.
func (t *choiceTeller) openCall(call *streamedCall) error {
	if err := t.closeWords(canonical.Part{}); err != nil {
		return err
	}
	if err := t.closeCalls(false); err != nil {
		return err
	}
	if call.id.Empty() {
		call.id = newCallID()
	}
	call.block = t.c.next
	t.c.next++
	t.setCall(call)
	if err := t.tell(canonical.EventBlockStart, call.block, nil); err != nil {
		return err
	}
	if len(call.held) == 0 {
		return nil
	}
	held := quote(call.held)
	call.held = nil
	return t.arguments(call, held)
}

// setCall makes the decoder's part that of a call.
func (t *choiceTeller) setCall(call *streamedCall) {
	d := t.d
	d.call = canonical.ToolCall{ID: call.id, Name: call.name, Custom: call.custom}
	d.part = canonical.Part{Kind: canonical.PartToolCall, Call: &d.call}
	if call.old {
		d.part.Type = typeFunctionCall
	}
}

func (t *choiceTeller) arguments(call *streamedCall, fragment canonical.Token) error {
	call.sent = true
	if !call.custom {
		call.args.add(inner(fragment))
	}
	t.setCall(call)
	return t.tell(canonical.EventDelta, call.block, fragment)
}

// closeCalls ends the calls whose arguments are whole, or all.
func (t *choiceTeller) closeCalls(all bool) error {
	for i := range t.c.calls {
		call := &t.c.calls[i]
		if call.closed || !all && (call.block == none || !call.args.whole()) {
			continue
		}
		if call.block == none {
			return invalid("choices[0].delta.tool_calls[0].function.name", "is missing")
		}
		call.closed = true
		t.setCall(call)
		if !call.sent && !call.custom {
			t.d.call.Args.String = canonical.Token(emptyArguments)
		}
		if err := t.tell(canonical.EventBlockStop, call.block, nil); err != nil {
			return err
		}
	}
	return nil
}

// argumentDepth follows the brackets of a call's arguments, which come as pieces of a string, to see when they are
// whole. It looks at the escaped text: a quote comes as \" and a backslash as \\. The zero value is ready.
type argumentDepth struct {
	depth   int
	begun   bool
	quoted  bool // inside a string of the arguments
	escaped bool // after a backslash of the arguments
	broken  bool // written in a way that this does not follow
}

// whole tells whether the object that began has ended.
func (a *argumentDepth) whole() bool { return a.begun && a.depth == 0 && !a.broken }

func (a *argumentDepth) add(text []byte) {
	for i := 0; i < len(text); i++ {
		c := text[i]
		if c == '\\' && i+1 < len(text) {
			i++
			switch text[i] {
			case '"', '\\', '/':
				c = text[i]
			case 'u':
				a.broken = true // may be anything
				return
			default:
				c = ' '
			}
		}
		a.next(c)
	}
}

func (a *argumentDepth) next(c byte) {
	switch {
	case a.escaped:
		a.escaped = false
	case a.quoted && c == '\\':
		a.escaped = true
	case c == '"':
		a.quoted = !a.quoted
	case a.quoted:
	case c == '{', c == '[':
		a.depth++
		a.begun = true
	case c == '}', c == ']':
		a.depth--
	}
}
