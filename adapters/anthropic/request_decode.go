package anthropic

import (
	"github.com/ccproxy-go/ccproxy/adapters/canonical"
	"github.com/ccproxy-go/ccproxy/internal/rawjson"
)

// DecodeRequest takes a request of the Messages API, one for counting tokens included. What it returns refers to body.
func (c codec) DecodeRequest(body []byte) (*canonical.Request, error) {
	var doc rawjson.Doc
	if err := scan(&doc, body); err != nil {
		return nil, err
	}
	return c.DecodeScanned(&doc)
}

// DecodeScanned is DecodeRequest for a body that was scanned before.
func (codec) DecodeScanned(doc *rawjson.Doc) (*canonical.Request, error) {
	req := &canonical.Request{Source: dialect}
	if v, ok := doc.Raw("system"); ok && !isNull(v) {
		m := canonical.Message{Role: canonical.RoleSystem, Top: true, Path: "system"}
		var err error
		if m.Parts, m.Plain, err = decodeContent(v, "system"); err != nil {
			return nil, err
		}
		req.Messages = append(req.Messages, m)
	}
	messages, _ := doc.Raw("messages")
	if !isArray(messages) {
		return nil, invalid("messages", "an array")
	}
	if err := decodeMessages(messages, req); err != nil {
		return nil, err
	}
	for k, v := range doc.Members() {
		if err := decodeMember(k, v, req); err != nil {
			return nil, err
		}
	}
	return req, nil
}

// decodeMember takes a member of the body other than its messages.
func decodeMember(key, v []byte, req *canonical.Request) (err error) {
	switch string(key) {
	case `"messages"`, `"system"`:
	case `"model"`:
		var model canonical.Token
		model, err = str(v, "", "model")
		req.Model = model.String()
	case `"stream"`:
		req.Stream = string(v) == "true"
	case `"max_tokens"`, `"temperature"`, `"top_p"`, `"top_k"`:
		err = decodeNumber(key, v, req)
	case `"service_tier"`:
		req.ServiceTier, err = optional(v, "", "service_tier")
	case `"stop_sequences"`:
		err = decodeStops(v, req)
	case `"tools"`:
		req.Tools, err = decodeTools(v)
	case `"tool_choice"`:
		err = decodeChoice(v, req)
	case `"metadata"`:
		err = decodeMetadata(v, req)
	case `"thinking"`:
		err = decodeThinkingConfig(v, req)
	case `"output_config"`:
		err = decodeOutputConfig(v, req)
	case `"output_format"`:
		err = decodeOlderFormat(v, req)
	default:
		req.Extra = append(req.Extra, extra(key, v))
	}
	return err
}

// decodeNumber takes a member that is a number.
func decodeNumber(key, v []byte, req *canonical.Request) (err error) {
	switch string(key) {
	case `"max_tokens"`:
		req.MaxTokens, err = number(v, "", "max_tokens")
	case `"temperature"`:
		req.Temperature, err = number(v, "", "temperature")
	case `"top_p"`:
		req.TopP, err = number(v, "", "top_p")
	default:
		req.TopK, err = number(v, "", "top_k")
	}
	return err
}

// decodeMessages takes the turns of the conversation.
func decodeMessages(v []byte, req *canonical.Request) error {
	first := len(req.Messages)
	for raw := range rawjson.Elements(v) {
		path := element("messages", len(req.Messages)-first)
		req.Messages = append(req.Messages, canonical.Message{Path: path})
		if err := decodeMessage(raw, &req.Messages[len(req.Messages)-1]); err != nil {
			return err
		}
	}
	return nil
}

func decodeMessage(raw []byte, m *canonical.Message) (err error) {
	if !isObject(raw) {
		return invalid(m.Path, "an object")
	}
	var role, content []byte
	for k, v := range rawjson.Members(raw) {
		switch string(k) {
		case `"role"`:
			role = v
		case `"content"`:
			content = v
		default:
			m.Extra = append(m.Extra, extra(k, v))
		}
	}
	switch string(role) {
	case `"user"`:
		m.Role = canonical.RoleUser
	case `"assistant"`:
		m.Role = canonical.RoleAssistant
	case `"system"`:
		m.Role = canonical.RoleSystem
	default:
		return invalid(member(m.Path, "role"), `"user", "assistant" or "system"`)
	}
	m.Parts, m.Plain, err = decodeContent(content, member(m.Path, "content"))
	if err == nil && m.Role == canonical.RoleUser && onlyResults(m.Parts) {
		m.Role = canonical.RoleTool
	}
	return err
}

// onlyResults tells whether there are results of tools and nothing else.
func onlyResults(parts []canonical.Part) bool {
	for i := range parts {
		if parts[i].Kind != canonical.PartToolResult {
			return false
		}
	}
	return len(parts) > 0
}

func decodeStops(v []byte, req *canonical.Request) error {
	if isNull(v) {
		return nil
	}
	if !isArray(v) {
		return invalid("stop_sequences", "an array")
	}
	req.Stop = []canonical.Token{}
	for raw := range rawjson.Elements(v) {
		stop, err := str(raw, element("stop_sequences", len(req.Stop)), "")
		if err != nil {
			return err
		}
		req.Stop = append(req.Stop, stop)
	}
	return nil
}

// decodeMetadata takes whom the request is for.
func decodeMetadata(v []byte, req *canonical.Request) (err error) {
	if isNull(v) {
		return nil
	}
	if !isObject(v) {
		return invalid("metadata", "an object")
	}
	for k, val := range rawjson.Members(v) {
		if string(k) != `"user_id"` {
			req.Extra = append(req.Extra, nested("metadata", k, val))
			continue
		}
		if req.User, err = optional(val, "metadata", "user_id"); err != nil {
			return err
		}
	}
	return nil
}

// decodeThinkingConfig takes whether and how much the model is to think.
func decodeThinkingConfig(v []byte, req *canonical.Request) (err error) {
	if isNull(v) {
		return nil
	}
	if !isObject(v) {
		return invalid("thinking", "an object")
	}
	t := wanted(req)
	for k, val := range rawjson.Members(v) {
		switch string(k) {
		case `"type"`:
			_, err = str(val, "thinking", "type")
			t.Mode, _ = rawjson.String(val)
		case `"budget_tokens"`:
			t.Budget, err = number(val, "thinking", "budget_tokens")
		case `"display"`:
			t.Display, err = optional(val, "thinking", "display")
		default:
			t.Extra = append(t.Extra, extra(k, val))
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// wanted is the request's thinking, made if there is none yet.
func wanted(req *canonical.Request) *canonical.Thinking {
	if req.Thinking == nil {
		req.Thinking = &canonical.Thinking{}
	}
	return req.Thinking
}

// decodeOutputConfig takes the effort and the format of the answer.
func decodeOutputConfig(v []byte, req *canonical.Request) (err error) {
	if isNull(v) {
		return nil
	}
	if !isObject(v) {
		return invalid("output_config", "an object")
	}
	for k, val := range rawjson.Members(v) {
		switch string(k) {
		case `"effort"`:
			if !isNull(val) {
				wanted(req).Effort, err = str(val, "output_config", "effort")
			}
		case `"format"`:
			if !isNull(val) {
				req.Format, err = decodeFormat(val, "output_config.format")
			}
		default:
			req.Extra = append(req.Extra, nested("output_config", k, val))
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// decodeOlderFormat takes the format where betas had it; output_config goes before it.
func decodeOlderFormat(v []byte, req *canonical.Request) (err error) {
	if req.Format == nil && !isNull(v) {
		req.Format, err = decodeFormat(v, "output_format")
	}
	return err
}

func decodeFormat(v []byte, path string) (*canonical.Format, error) {
	if !isObject(v) {
		return nil, invalid(path, "an object")
	}
	f := &canonical.Format{}
	for k, val := range rawjson.Members(v) {
		switch string(k) {
		case `"type"`:
			if _, err := str(val, path, "type"); err != nil {
				return nil, err
			}
			f.Type, _ = rawjson.String(val)
		case `"schema"`:
			f.Schema = some(val)
		default:
			f.Extra = append(f.Extra, extra(k, val))
		}
	}
	return f, nil
}
