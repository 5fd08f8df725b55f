package anthropic

import (
	"fmt"
	"strings"

	"github.com/ccproxy-go/ccproxy/adapters"
	"github.com/ccproxy-go/ccproxy/adapters/canonical"
	"github.com/ccproxy-go/ccproxy/adapters/internal/envelope"
	"github.com/ccproxy-go/ccproxy/internal/rawjson"
)

// DecodeResponse takes a message of the API. What it returns refers to body.
func (codec) DecodeResponse(body []byte) (*canonical.Response, error) {
	var doc rawjson.Doc
	if err := scan(&doc, body); err != nil {
		return nil, err
	}
	if typ, ok := doc.Raw("type"); ok && string(typ) != `"message"` {
		return nil, invalid("type", `"message"`)
	}
	resp := &canonical.Response{Source: dialect, Choices: make([]canonical.Choice, 1)}
	content, _ := doc.Raw("content")
	if !isArray(content) {
		return nil, invalid("content", "an array")
	}
	choice := &resp.Choices[0]
	var err error
	if choice.Parts, err = decodeParts(content, "content"); err != nil {
		return nil, err
	}
	for k, v := range doc.Members() {
		switch string(k) {
		case `"type"`, `"role"`, `"content"`, `"stop_reason"`, `"stop_sequence"`:
		case `"id"`:
			resp.ID, err = optional(v, "", "id")
		case `"model"`:
			resp.Model, err = optional(v, "", "model")
		case `"usage"`:
			decodeUsage(v, resp)
		default:
			resp.Extra = appendKnown(resp.Extra, k, v)
		}
		if err != nil {
			return nil, err
		}
	}
	reason, _ := doc.Raw("stop_reason")
	sequence, _ := doc.Raw("stop_sequence")
	choice.Stop = decodeStop(reason, sequence)
	return resp, nil
}

// decodeUsage takes the counts, among which the dialect tells the tier.
func decodeUsage(v []byte, resp *canonical.Response) {
	if !isObject(v) {
		return
	}
	var c counts
	c.add(v, false)
	u := c.usage()
	u.Extra = nil
	for _, f := range c.extra {
		if f.Name == "service_tier" && f.Raw[0] == '"' {
			resp.ServiceTier = canonical.Token(f.Raw)
			continue
		}
		u.Extra = append(u.Extra, f)
	}
	resp.Usage = &u
}

// appendKnown keeps a member, unless it is one of those that are null in most answers.
func appendKnown(list []canonical.Field, key, v []byte) []canonical.Field {
	if isNull(v) {
		switch string(key) {
		case `"container"`, `"stop_details"`, `"context_management"`:
			return list
		}
	}
	return append(list, extra(key, v))
}

// EncodeResponse writes a message of the API. An answer that failed is none: the error is a
// [*adapters.StreamError] with what the provider said, and wraps [adapters.ErrInvalidOutput]. Of several answers the
// first is written.
func (codec) EncodeResponse(
	resp *canonical.Response, req *canonical.Request, lost *canonical.Losses,
) ([]byte, error) {
	e := &encoder{lost: lost, own: resp.Source == dialect, answer: true}
	e.responses = resp.Source == string(adapters.OpenAIResponses)
	var choice canonical.Choice
	if len(resp.Choices) > 0 {
		choice = resp.Choices[0]
	}
	for i := 1; i < len(resp.Choices); i++ {
		e.lose(element("choices", i), "dropped: answers have one choice")
	}
	if choice.Stop.Reason == canonical.StopFailed {
		return nil, failed(choice.Stop.Error)
	}
	e.w.b = make([]byte, 0, 512+estimateParts(choice.Parts))
	e.w.open('{')
	e.w.raw("id", messageID(resp.ID, e.own))
	e.w.word("type", "message")
	e.w.word("role", "assistant")
	model := resp.Model
	if model == nil && req != nil {
		model = canonical.NewToken(req.Model)
	}
	e.w.token("model", model)
	e.w.key("content")
	e.parts(choice.Parts)
	called, refused := holds(choice.Parts)
	e.stop(&choice.Stop, called, refused)
	e.usage(resp.Usage)
	e.responseTier(resp.ServiceTier)
	e.w.shut('}') // of usage, which the tier belongs to
	e.responseExtras(resp, &choice)
	e.w.shut('}')
	return e.w.b, nil
}

// failed is the error for an answer that failed.
func failed(e *canonical.Error) error {
	told := &adapters.StreamError{
		Err: fmt.Errorf("%w: the answer failed: %s", adapters.ErrInvalidOutput, failureText(e)),
	}
	if e != nil {
		told.Failure = *e
	}
	return told
}

// responseExtras writes the members that only this dialect knows, or notes those that it has no place for.
func (e *encoder) responseExtras(resp *canonical.Response, choice *canonical.Choice) {
	e.extras(resp.Extra, "")
	if e.own {
		return
	}
	e.foreign(choice.Extra, "choices[0]")
	if len(choice.Logprobs) > 0 && !isNull(choice.Logprobs) {
		e.lose("choices[0].logprobs", "no equivalent")
	}
}

// responseTier writes the capacity that was used, in the dialect's words.
func (e *encoder) responseTier(tier canonical.Token) {
	switch {
	case tier == nil:
	case e.own:
		e.w.raw("service_tier", tier)
	case string(tier) == `"default"` || string(tier) == `"auto"`:
		e.w.word("service_tier", "standard")
	case string(tier) == `"priority"`:
		e.w.word("service_tier", "priority")
	default:
		e.lose("service_tier", "dropped: no such tier")
	}
}

// holds tells what an answer consists of.
func holds(parts []canonical.Part) (called, refused bool) {
	for i := range parts {
		switch parts[i].Kind {
		case canonical.PartToolCall:
			called = true
		case canonical.PartRefusal:
			refused = true
		default:
		}
	}
	return called, refused
}

// prefixMessage is what ids of messages begin with.
const prefixMessage = "msg_"

// messageID is an answer's id: its own, or one made from that of another dialect. Clients keep it without looking at
// it, but count on one.
func messageID(id canonical.Token, own bool) canonical.Token {
	switch {
	case id.Empty():
		return canonical.Token(`"msg_unknown"`)
	case own || strings.HasPrefix(id.String(), prefixMessage):
		return id
	default:
		fit := envelope.ClampID(id, maxToolID-len(prefixMessage), envelope.IDChar)
		return canonical.NewToken(prefixMessage + fit.String())
	}
}
