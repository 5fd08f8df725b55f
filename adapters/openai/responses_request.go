package openai

import (
	"fmt"

	"github.com/ccproxy-go/ccproxy/adapters"
	"github.com/ccproxy-go/ccproxy/adapters/canonical"
	"github.com/ccproxy-go/ccproxy/internal/rawjson"
)

// insideText marks kept members of the object "text", which has no counterpart in the neutral model.
const insideText = "text."

// DecodeRequest reads a request. Its input becomes messages: what the assistant says, thinks and calls
// without anybody coming between is one message, as other dialects have it.
func (responsesCodec) DecodeRequest(body []byte) (*canonical.Request, error) {
	var doc rawjson.Doc
	// The encoder always writes these two; a variant among the kept members would clash with them.
	known := []string{"model", "input"}
	if err := doc.Scan(body, rawjson.Options{Known: known}); err != nil {
		return nil, fmt.Errorf("%w: %w", adapters.ErrInvalidInput, err)
	}
	d := requestReader{req: &canonical.Request{Source: ownDialect}}
	if raw, ok := doc.Raw("instructions"); ok && !isNull(raw) {
		if err := d.instructions(raw); err != nil {
			return nil, err
		}
	}
	for key, value := range doc.Members() {
		if err := d.member(nameOf(key), value); err != nil {
			return nil, err
		}
	}
	if d.hasInput || find(body, "previous_response_id") != nil ||
		find(body, "prompt") != nil || find(body, "conversation") != nil {
		return d.req, nil
	}
	return nil, invalid("input", "is required")
}

// requestReader fills a request from the members of a body.
type requestReader struct {
	req      *canonical.Request
	hasInput bool
}

func (d *requestReader) instructions(raw []byte) error {
	text, err := stringAt(raw, "instructions")
	if err != nil {
		return err
	}
	d.req.Messages = append(d.req.Messages, canonical.Message{
		Role: canonical.RoleSystem, Top: true, Plain: true, Path: "instructions",
		Parts: []canonical.Part{{Kind: canonical.PartText, Text: text, Path: "instructions"}},
	})
	return nil
}

func (d *requestReader) member(name, value []byte) (err error) {
	if d.number(name, value) {
		return nil
	}
	if to := d.token(name); to != nil {
		*to, err = stringAt(value, string(name))
		return err
	}
	req := d.req
	switch string(name) {
	case "instructions":
	case "model":
		var model canonical.Token
		model, err = stringAt(value, "model")
		req.Model = model.String()
	case "stream":
		req.Stream = isTrue(value)
	case "input":
		err = d.input(value)
	case "tools":
		err = d.tools(value)
	case "tool_choice":
		req.Choice, err = parseChoice(value)
	case "parallel_tool_calls":
		if b, ok := rawjson.Bool(value); ok {
			req.ParallelTools = &b
		}
	case "reasoning":
		req.Thinking, err = parseReasoning(value)
	case "text":
		err = d.text(value)
	default:
		keep(&req.Extra, name, value)
	}
	return err
}

// number takes a member that is kept as it stands; null is the same as none.
func (d *requestReader) number(name, value []byte) bool {
	var to *canonical.Raw
	switch string(name) {
	case "max_output_tokens":
		to = &d.req.MaxTokens
	case "temperature":
		to = &d.req.Temperature
	case "top_p":
		to = &d.req.TopP
	case "top_logprobs":
		to = &d.req.TopLogprobs
	case "metadata":
		to = &d.req.Metadata
	case "store":
		to = &d.req.Store
	case "include":
		to = &d.req.Include
	default:
		return false
	}
	if !isNull(value) {
		*to = value
	}
	return true
}

// token gives the place of a member that is a string.
func (d *requestReader) token(name []byte) *canonical.Token {
	switch string(name) {
	case "user":
		return &d.req.User
	case "service_tier":
		return &d.req.ServiceTier
	case "previous_response_id":
		return &d.req.PreviousResponseID
	case "prompt_cache_key":
		return &d.req.PromptCacheKey
	case "truncation":
		return &d.req.Truncation
	default:
		return nil
	}
}

func parseReasoning(raw []byte) (*canonical.Thinking, error) {
	if isNull(raw) {
		return nil, nil //nolint:nilnil // not said
	}
	if !isObject(raw) {
		return nil, invalid("reasoning", "must be an object")
	}
	t := &canonical.Thinking{}
	var err error
	for key, value := range rawjson.Members(raw) {
		switch name := nameOf(key); string(name) {
		case "effort":
			t.Effort, err = stringAt(value, "reasoning.effort")
		case "summary":
			t.Summary, err = stringAt(value, "reasoning.summary")
		default:
			keep(&t.Extra, name, value)
		}
		if err != nil {
			return nil, err
		}
	}
	return t, nil
}

// text takes the format of the answer and its verbosity.
func (d *requestReader) text(raw []byte) (err error) {
	if isNull(raw) {
		return nil
	}
	if !isObject(raw) {
		return invalid("text", "must be an object")
	}
	for key, value := range rawjson.Members(raw) {
		switch name := nameOf(key); string(name) {
		case "format":
			d.req.Format, err = parseTextFormat(value)
		case "verbosity":
			d.req.Verbosity, err = stringAt(value, "text.verbosity")
		default:
			keep(&d.req.Extra, append([]byte(insideText), name...), value)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func parseTextFormat(raw []byte) (*canonical.Format, error) {
	if isNull(raw) {
		return nil, nil //nolint:nilnil // not said
	}
	if !isObject(raw) {
		return nil, invalid("text.format", "must be an object")
	}
	f := &canonical.Format{}
	var err error
	for key, value := range rawjson.Members(raw) {
		switch name := nameOf(key); string(name) {
		case "type":
			var t canonical.Token
			t, err = stringAt(value, "text.format.type")
			f.Type = t.String()
		case "name":
			f.Name, err = stringAt(value, "text.format.name")
		case "description":
			f.Description, err = stringAt(value, "text.format.description")
		case "schema":
			f.Schema = value
		case "strict":
			if !isNull(value) {
				f.Strict = value
			}
		default:
			keep(&f.Extra, name, value)
		}
		if err != nil {
			return nil, err
		}
	}
	return f, nil
}
