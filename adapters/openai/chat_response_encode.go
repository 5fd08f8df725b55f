package openai

import (
	"crypto/rand"
	"fmt"
	"time"

	"github.com/ccproxy-go/ccproxy/adapters"
	"github.com/ccproxy-go/ccproxy/adapters/canonical"
	"github.com/ccproxy-go/ccproxy/adapters/internal/envelope"
	"github.com/ccproxy-go/ccproxy/internal/rawjson"
)

// chatAnswerEncoder writes one whole answer.
type chatAnswerEncoder struct {
	writer

	req  *canonical.Request
	lost *canonical.Losses
	own  bool
	old  bool // the client knows calls only as they were before tools

	source string // the dialect of the answer
}

// EncodeResponse writes a whole answer for a client. An answer that failed is an error, a
// [*adapters.StreamError] with what the provider said: it must not look like a short answer.
func (chatCodec) EncodeResponse(
	resp *canonical.Response, req *canonical.Request, lost *canonical.Losses,
) ([]byte, error) {
	for i := range resp.Choices {
		if s := &resp.Choices[i].Stop; s.Reason == canonical.StopFailed {
			return nil, failed(s)
		}
	}
	e := &chatAnswerEncoder{
		req: req, lost: lost, own: resp.Source == chatSource, old: wantsFunctionCalls(req), source: resp.Source,
	}
	size := 1024
	for i := range resp.Choices {
		size += sizeOfParts(resp.Choices[i].Parts)
	}
	e.buf = make([]byte, 0, size)
	e.open('{')
	id, created := chatAnswerID(resp.ID, e.own), resp.Created
	if created == 0 {
		created = time.Now().Unix()
	}
	e.member("id", id)
	e.text("object", "chat.completion")
	e.number("created", created)
	e.token("model", orEmptyText(resp.Model))
	e.key("choices")
	e.open('[')
	for i := range resp.Choices {
		e.choice(&resp.Choices[i], i)
	}
	e.close(']')
	e.tail(resp)
	e.close('}')
	return e.buf, nil
}

func failed(s *canonical.Stop) error {
	e := &adapters.StreamError{Err: fmt.Errorf("%w: the answer failed", adapters.ErrInvalidOutput)}
	if s.Error != nil {
		e.Failure = *s.Error
	}
	return e
}

// chatAnswerID is the id of an answer: its own, one made from that of another dialect, or, without any, a new one.
func chatAnswerID(id canonical.Token, own bool) canonical.Token {
	switch {
	case id.Empty():
		return canonical.NewToken(prefixChat + rand.Text())
	case own || startsWith(id, prefixChat):
		return id
	default:
		return quote([]byte(prefixChat), inner(envelope.ClampID(id, maxCallID-len(prefixChat), nil)))
	}
}

// prefixChat is what ids of answers begin with.
const prefixChat = "chatcmpl-"

func orEmptyText(t canonical.Token) canonical.Token {
	if t == nil {
		return canonical.Token(`""`)
	}
	return t
}

func (e *chatAnswerEncoder) tail(resp *canonical.Response) {
	if u := resp.Usage; u != nil {
		e.key("usage")
		writeChatUsage(&e.writer, u, e.own)
		if !e.own {
			e.loseFields("usage", u.Extra)
		}
	}
	tier := resp.ServiceTier
	if is(tier, "standard") && !e.own { // Anthropic's word
		tier = canonical.Token(`"default"`)
	}
	e.member("service_tier", tier)
	if e.own {
		e.fields(resp.Extra)
	} else {
		e.loseFields("", resp.Extra)
	}
}

func (e *chatAnswerEncoder) loseFields(path string, fields []canonical.Field) {
	for _, f := range fields {
		e.lost.Add(join(path, f.Name), "not in this dialect")
	}
}

func (e *chatAnswerEncoder) choice(c *canonical.Choice, i int) {
	e.open('{')
	e.number("index", int64(i))
	calls := e.message(c)
	e.logprobs(c)
	e.text("finish_reason", encodeFinish(&c.Stop, calls, e.old))
	if c.Stop.Sequence != nil {
		e.lost.Add("stop_sequence", "not in this dialect")
	}
	if path := stopLoss(&c.Stop, e.source); path != "" {
		e.lost.Add(path, "told as another")
	}
	if e.own {
		for _, f := range c.Extra {
			if _, inside := below("message.", f.Name); !inside {
				e.fields([]canonical.Field{f})
			}
		}
	} else {
		e.loseFields("", c.Extra)
	}
	e.close('}')
}

// logprobs writes the probabilities of an answer, which Responses tells with each text.
func (e *chatAnswerEncoder) logprobs(c *canonical.Choice) {
	if isObject(c.Logprobs) {
		e.member("logprobs", c.Logprobs)
		return
	}
	var lists [][]byte
	for i := range c.Parts {
		if p := &c.Parts[i]; p.Kind == canonical.PartText && isArray(p.Logprobs) {
			lists = append(lists, p.Logprobs)
		}
	}
	if len(lists) == 0 {
		e.token("logprobs", nil)
		return
	}
	e.member("logprobs", chatLogprobs(lists...))
}

// chatLogprobs is the shape that the dialect has for lists of probabilities.
func chatLogprobs(lists ...[]byte) []byte {
	var w writer
	w.open('{')
	w.key("content")
	w.open('[')
	for _, list := range lists {
		for raw := range rawjson.Elements(list) {
			w.value(raw)
		}
	}
	w.close(']')
	w.token("refusal", nil)
	w.close('}')
	return w.buf
}

// message writes what the model said, and tells whether there are calls.
func (e *chatAnswerEncoder) message(c *canonical.Choice) (calls bool) {
	var thinking, called []*canonical.Part
	var texts, refusals []canonical.Token
	var notes writer
	var audio canonical.Raw
	for i := range c.Parts {
		p := &c.Parts[i]
		e.losePart(p)
		switch {
		case p.Kind == canonical.PartThinking, p.Kind == canonical.PartRedacted,
			e.own && p.Type == "reasoning_details":
			if !e.own {
				sealed := disguise(p)
				p = &sealed
			}
			thinking = append(thinking, p)
		case p.Kind == canonical.PartText:
			if !e.own && len(called)+len(refusals) > 0 {
				e.lost.Add(p.Path, "text moved before the calls and refusals")
			}
			texts = append(texts, p.Text)
			e.annotations(&notes, p)
		case p.Kind == canonical.PartRefusal:
			refusals = append(refusals, p.Text)
		case p.Kind == canonical.PartToolCall:
			called = append(called, p)
		case e.own && p.Type == typeAudio:
			audio = p.Raw
		default:
			e.lost.Add(p.Path, "not in this dialect: "+kindName(p))
		}
	}
	e.key("message")
	e.open('{')
	e.text("role", "assistant")
	writeReasoning(&e.writer, thinking)
	e.token("content", textOrNil(texts))
	e.token("refusal", textOrNil(refusals))
	if notes.buf != nil {
		e.key("annotations")
		e.buf = append(append(append(e.buf, '['), notes.buf...), ']')
	}
	e.calls(called)
	e.member("audio", audio)
	e.messageExtras(c)
	e.close('}')
	return len(called) > 0
}

// losePart reports what a part of another dialect has beyond its content.
func (e *chatAnswerEncoder) losePart(p *canonical.Part) {
	if e.own || p.Kind == canonical.PartOpaque {
		return
	}
	for _, f := range p.Extra {
		e.lost.Add(extraPath(p, f.Name), "not in this dialect")
	}
	if hasItems(p.Logprobs) && p.Kind != canonical.PartText {
		e.lost.Add(join(p.Path, "logprobs"), "not of a text in this dialect")
	}
}

func (e *chatAnswerEncoder) messageExtras(c *canonical.Choice) {
	if !e.own {
		return
	}
	for _, f := range c.Extra {
		if name, inside := below("message.", f.Name); inside {
			e.fields([]canonical.Field{{Name: name, Raw: f.Raw}})
		}
	}
}

func textOrNil(texts []canonical.Token) canonical.Token {
	if len(texts) == 0 {
		return nil
	}
	return joined("", texts)
}

// calls writes the calls in the way that the client knows.
func (e *chatAnswerEncoder) calls(called []*canonical.Part) {
	if len(called) == 0 {
		return
	}
	if e.old || called[0].Type == typeFunctionCall {
		e.functionCall(called)
		return
	}
	e.key("tool_calls")
	e.open('[')
	for _, p := range called {
		c := p.Call
		e.open('{')
		e.member("id", c.ID)
		if c.Custom || isCustomTool(e.req, c.Name) {
			writeCall(&e.writer, c, true, customInput(c))
		} else {
			writeCall(&e.writer, c, false, argumentsToken(c))
		}
		if !e.own {
			e.loseFields(p.Path, c.Extra)
		}
		e.close('}')
	}
	e.close(']')
}

// functionCall writes the one call that there could be before tools.
func (e *chatAnswerEncoder) functionCall(called []*canonical.Part) {
	for _, p := range called[1:] {
		e.lost.Add(p.Path, "the client's request knows one call only")
	}
	e.key("function_call")
	e.open('{')
	e.member("name", called[0].Call.Name)
	e.member("arguments", argumentsToken(called[0].Call))
	e.close('}')
}

// annotations adds what a text refers to.
func (e *chatAnswerEncoder) annotations(notes *writer, p *canonical.Part) {
	for raw := range rawjson.Elements(p.Citations) {
		if note := annotation(raw); note != nil {
			notes.value(note)
		} else {
			path := join(p.Path, inSource(e.source, "citations", "annotations", "annotations"))
			e.lost.Add(path, "not in this dialect: "+lenientString(find(raw, "type")).String())
		}
	}
}

// annotation gives an annotation in this dialect's shape, in which the address has an object of its own; nil if it
// is none that the dialect knows.
func annotation(raw []byte) []byte {
	if !is(find(raw, "type"), "url_citation") {
		return nil
	}
	if find(raw, "url_citation") != nil {
		return raw
	}
	var w writer
	w.open('{')
	w.text("type", "url_citation")
	w.key("url_citation")
	w.open('{')
	for key, v := range rawjson.Members(raw) {
		if string(nameOf(key)) != "type" {
			w.member(string(key[1:len(key)-1]), v)
		}
	}
	w.close('}')
	w.close('}')
	return w.buf
}
