package anthropic

import (
	"crypto/rand"
	"slices"
	"strings"

	"github.com/ccproxy-go/ccproxy/adapters/canonical"
	"github.com/ccproxy-go/ccproxy/adapters/internal/envelope"
	"github.com/ccproxy-go/ccproxy/internal/rawjson"
)

// maxToolID is how long an id of a call may be.
const maxToolID = 64

// encoder writes what requests and answers have in common.
type encoder struct {
	w    writer
	lost *canonical.Losses
	// own tells that what is written was decoded from this dialect: then it is written as it was.
	own bool
	// responses tells that what is written was decoded from Responses, and not from Chat Completions.
	responses bool
	// answer tells that it goes to a client, which gives opaque values back, and not to the vendor, who must know them.
	answer bool
	// once tells each loss one time: the same may show in every fragment of a stream.
	once bool
	// scratch is for one value at a time.
	scratch []byte
}

// lose notes a loss.
func (e *encoder) lose(path, reason string) {
	if e.once && e.lost != nil && slices.Contains(e.lost.List, canonical.Loss{Path: path, Reason: reason}) {
		return
	}
	e.lost.Add(path, reason)
}

// extras writes members that only this dialect knows, or notes those that only another does.
func (e *encoder) extras(list []canonical.Field, path string) {
	if e.own {
		e.w.fields(list)
		return
	}
	e.foreign(list, path)
}

// foreign notes members that only another dialect knows.
func (e *encoder) foreign(list []canonical.Field, path string) {
	for _, f := range list {
		if isNull(f.Raw) {
			continue
		}
		in, name := path, f.Name
		if i := strings.LastIndex(path, ".content["); i >= 0 && e.responses && e.answer {
			if inside, ok := strings.CutPrefix(name, "message."); ok { // of the item that the part is of
				in, name = path[:i], inside
			}
		}
		e.lose(member(in, name), "no equivalent")
	}
}

// parts writes an array of blocks.
func (e *encoder) parts(parts []canonical.Part) {
	e.w.open('[')
	for i := range parts {
		e.part(&parts[i])
	}
	e.w.shut(']')
}

// part writes a block, or nothing if the dialect has none for it.
func (e *encoder) part(p *canonical.Part) {
	switch p.Kind {
	case canonical.PartText, canonical.PartRefusal:
		e.text(p)
	case canonical.PartThinking:
		e.thinking(p)
	case canonical.PartRedacted:
		e.redacted(p)
	case canonical.PartToolCall:
		e.call(p)
	case canonical.PartToolResult:
		e.result(p)
	case canonical.PartImage, canonical.PartDocument:
		e.attachment(p)
	case canonical.PartOpaque:
		if e.own {
			e.w.value(p.Raw)
			return
		}
		e.lose(p.Path, "dropped: "+p.Type+" has no equivalent")
	default:
		e.lose(p.Path, "dropped: no equivalent")
	}
}

func (e *encoder) text(p *canonical.Part) {
	if !e.own && p.Text.Empty() { // the API refuses empty text
		return
	}
	e.w.open('{')
	e.w.word("type", "text")
	e.w.token("text", p.Text)
	if e.own {
		e.w.raw("citations", p.Citations)
	}
	e.w.raw("cache_control", p.CacheControl)
	e.extras(p.Extra, p.Path)
	e.w.shut('}')
	e.foreignText(p)
}

// foreignText notes what other dialects have beside a text.
func (e *encoder) foreignText(p *canonical.Part) {
	if e.own {
		return
	}
	if len(p.Citations) > len(`[]`) {
		path := p.Path
		if e.answer { // Chat has them beside the text
			path = strings.TrimSuffix(path, ".content")
		}
		e.lose(member(path, "annotations"), "no equivalent")
	}
	if e.answer && p.Kind == canonical.PartRefusal {
		e.lose(p.Path, "a refusal, sent as text")
	}
	if len(p.Logprobs) > len(`[]`) && !isNull(p.Logprobs) {
		e.lose(member(p.Path, "logprobs"), "no equivalent")
	}
}

// attachment writes an image or document.
func (e *encoder) attachment(p *canonical.Part) {
	if e.answer && !e.own || p.Media == nil {
		e.lose(p.Path, "dropped: answers have no images or files")
		return
	}
	e.media(p)
}

// thinking writes thinking. To a client it goes in any case, another vendor's opaque value in an envelope; to the
// vendor only as the vendor signed it.
func (e *encoder) thinking(p *canonical.Part) {
	text, signature := thinkingText(p), p.Signature
	if e.answer {
		if signature == nil && p.Encrypted != nil {
			signature = envelope.Seal(canonical.CarriedReasoning, p.ID, p.Encrypted)
			if text.Empty() {
				e.data(p, signature)
				return
			}
		}
	} else if !genuine(p) && (!e.own || signature == nil) {
		e.lose(p.Path, "dropped: thinking without a signature of the vendor")
		return
	}
	e.w.open('{')
	e.w.word("type", "thinking")
	e.w.token("thinking", text)
	e.w.token("signature", signature)
	e.w.raw("cache_control", p.CacheControl)
	e.extras(p.Extra, p.Path)
	e.w.shut('}')
}

// genuine tells whether the vendor takes a block of thinking back.
func genuine(p *canonical.Part) bool {
	return !p.Signature.Empty() && !envelope.Sealed(p.Signature)
}

// thinkingText is the text of thinking, or the parts of its summary in one.
func thinkingText(p *canonical.Part) canonical.Token {
	if p.Text != nil || len(p.Summary) == 0 {
		return p.Text
	}
	return canonical.Join("\n\n", p.Summary...)
}

func (e *encoder) redacted(p *canonical.Part) {
	if !e.answer && !e.own && !genuine(p) {
		e.lose(p.Path, "dropped: not the vendor's own")
		return
	}
	e.data(p, p.Signature)
}

// data writes thinking that cannot be read.
func (e *encoder) data(p *canonical.Part, data canonical.Token) {
	e.w.open('{')
	e.w.word("type", "redacted_thinking")
	e.w.token("data", data)
	e.w.raw("cache_control", p.CacheControl)
	e.extras(p.Extra, p.Path)
	e.w.shut('}')
}

func (e *encoder) call(p *canonical.Part) {
	if p.Call == nil {
		e.lose(p.Path, "empty")
		return
	}
	e.w.open('{')
	e.w.word("type", "tool_use")
	e.w.token("id", e.toolID(p.Call.ID, p.Path, e.idName("id")))
	e.w.token("name", p.Call.Name)
	e.w.key("input")
	e.w.b = append(e.w.b, e.input(p)...)
	e.w.raw("cache_control", p.CacheControl)
	e.extras(p.Call.Extra, p.Path)
	e.extras(p.Extra, p.Path)
	e.w.shut('}')
}

// toolID makes an id of a call fit; it stood as name in path. A client gets one that tells the original when it comes
// back.
func (e *encoder) toolID(id canonical.Token, path, name string) canonical.Token {
	switch {
	case e.own && (e.answer || fits(id)), len(id) <= maxToolID+len(`""`) && fits(id):
		return id
	case e.answer && id.Empty():
		return canonical.NewToken("toolu_" + rand.Text())
	case e.answer && !fits(id):
		return envelope.Seal(envelope.ToolID, id)
	}
	fit := envelope.ClampID(id, maxToolID, envelope.IDChar)
	if string(fit) != string(id) {
		e.lose(member(path, name), "the id of the call is made to fit")
	}
	return fit
}

// idName is what the id of a call is called in the source.
func (e *encoder) idName(chat string) string {
	if e.responses {
		return "call_id"
	}
	return chat
}

// fits tells whether an id consists of what ids may consist of.
func fits(id canonical.Token) bool {
	return !id.Empty() && !slices.ContainsFunc(id[1:len(id)-1], func(c byte) bool { return !envelope.IDChar(c) })
}

// input is the arguments of a call as an object.
func (e *encoder) input(p *canonical.Part) []byte {
	args := p.Call.Args
	switch {
	case args.Object != nil:
		return args.Object
	case p.Call.Custom:
		return wrapInput(canonical.CustomInput, args.String)
	}
	object, ok := e.argumentsObject(args.String)
	if !ok {
		e.lose(member(p.Path, e.sourcePath("function.arguments", "arguments")), "no JSON object: sent as text in one")
		return wrapInput("arguments", args.String)
	}
	return object
}

// wrapInput puts a text into an object.
func wrapInput(name string, text canonical.Token) []byte {
	var w writer
	w.open('{')
	w.token(name, text)
	w.shut('}')
	return w.b
}

// argumentsObject is the function of that name; what it gives is valid until the next call.
func (e *encoder) argumentsObject(t canonical.Token) (object []byte, ok bool) {
	e.scratch, object, ok = appendObject(e.scratch[:0], t)
	return object, ok
}

// argumentsObject unescapes arguments that were written as a string. It is false if they are no JSON object.
func argumentsObject(t canonical.Token) (object []byte, ok bool) {
	_, object, ok = appendObject(nil, t)
	return object, ok
}

// appendObject is argumentsObject in the memory of dst.
func appendObject(dst []byte, t canonical.Token) (used, object []byte, ok bool) {
	const key = `{"a":`
	wrapped, _ := rawjson.AppendText(append(slices.Grow(dst, len(key)+len(t)+1), key...), t)
	wrapped = append(wrapped, '}')
	text := wrapped[len(key) : len(wrapped)-1]
	var doc rawjson.Doc
	// Wrapped, since Scan is strict about top-level keys, and here "a" beside "A" is the tool's business.
	if err := doc.Scan(wrapped, rawjson.Options{}); err != nil {
		return wrapped, []byte("{}"), isBlank(text)
	}
	object, _ = doc.Raw("a")
	return wrapped, object, doc.Len() == 1 && isObject(object)
}

// isBlank tells that nothing but white space was said, as models do that call a tool without arguments.
func isBlank(text []byte) bool {
	for i := range text {
		switch text[i] {
		case ' ', '\t', '\r', '\n':
		default:
			return false
		}
	}
	return true
}

func (e *encoder) result(p *canonical.Part) {
	result := p.Result
	if result == nil {
		e.lose(p.Path, "empty")
		return
	}
	e.w.open('{')
	e.w.word("type", "tool_result")
	id := e.idName("tool_call_id")
	if e.own {
		id = "tool_use_id"
	}
	e.w.token("tool_use_id", e.toolID(result.CallID, p.Path, id))
	switch {
	case result.Plain && len(result.Parts) == 1:
		e.w.token("content", result.Parts[0].Text)
	case result.Parts != nil:
		e.w.key("content")
		e.parts(result.Parts)
	}
	if result.HasErr || result.IsError {
		e.w.boolean("is_error", result.IsError)
	}
	e.w.raw("cache_control", p.CacheControl)
	e.extras(result.Extra, p.Path)
	e.extras(p.Extra, p.Path)
	e.w.shut('}')
}
