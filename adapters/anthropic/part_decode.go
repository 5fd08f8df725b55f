package anthropic

import (
	"github.com/ccproxy-go/ccproxy/adapters/canonical"
	"github.com/ccproxy-go/ccproxy/adapters/internal/envelope"
	"github.com/ccproxy-go/ccproxy/internal/rawjson"
)

// decodeContent takes what may be a string or an array of blocks.
func decodeContent(v []byte, path string) (parts []canonical.Part, plain bool, err error) {
	switch {
	case len(v) > 0 && v[0] == '"':
		return []canonical.Part{{Kind: canonical.PartText, Text: v, Path: path}}, true, nil
	case isArray(v):
		parts, err = decodeParts(v, path)
		return parts, false, err
	default:
		return nil, false, invalid(path, "a string or an array")
	}
}

// decodeParts takes an array of blocks.
func decodeParts(v []byte, path string) ([]canonical.Part, error) {
	parts := []canonical.Part{}
	for raw := range rawjson.Elements(v) {
		parts = append(parts, canonical.Part{})
		if err := decodePart(raw, element(path, len(parts)-1), &parts[len(parts)-1]); err != nil {
			return nil, err
		}
	}
	return parts, nil
}

// decodePart takes a block. One of an unknown type is kept as it is.
func decodePart(raw []byte, path string, p *canonical.Part) error {
	if !isObject(raw) {
		return invalid(path, "an object")
	}
	typ, _ := rawjson.Find(raw, "type")
	if _, err := str(typ, path, "type"); err != nil {
		return err
	}
	p.Path = path
	switch string(typ) {
	case `"text"`:
		return decodeText(raw, p)
	case `"thinking"`:
		return decodeThinking(raw, p)
	case `"redacted_thinking"`:
		return decodeRedacted(raw, p)
	case `"image"`:
		p.Kind = canonical.PartImage
		return decodeMedia(raw, p)
	case `"document"`:
		p.Kind = canonical.PartDocument
		return decodeMedia(raw, p)
	case `"tool_use"`:
		return decodeCall(raw, p)
	case `"tool_result"`:
		return decodeResult(raw, p)
	default:
		p.Kind, p.Raw = canonical.PartOpaque, raw
		p.Type, _ = rawjson.String(typ)
		return nil
	}
}

func decodeText(raw []byte, p *canonical.Part) (err error) {
	p.Kind = canonical.PartText
	for k, v := range rawjson.Members(raw) {
		switch string(k) {
		case `"type"`:
		case `"text"`:
			p.Text, err = str(v, p.Path, "text")
		case `"cache_control"`:
			p.CacheControl = some(v)
		case `"citations"`:
			p.Citations = some(v)
		default:
			p.Extra = append(p.Extra, extra(k, v))
		}
		if err != nil {
			return err
		}
	}
	if p.Text == nil {
		return invalid(member(p.Path, "text"), "a string")
	}
	return nil
}

// decodeThinking takes a block of thinking. A signature that is an envelope holds what another vendor wants back.
func decodeThinking(raw []byte, p *canonical.Part) (err error) {
	p.Kind = canonical.PartThinking
	for k, v := range rawjson.Members(raw) {
		switch string(k) {
		case `"type"`:
		case `"thinking"`:
			p.Text, err = str(v, p.Path, "thinking")
		case `"signature"`:
			p.Signature, err = optional(v, p.Path, "signature")
		case `"cache_control"`:
			p.CacheControl = some(v)
		default:
			p.Extra = append(p.Extra, extra(k, v))
		}
		if err != nil {
			return err
		}
	}
	unseal(p)
	return nil
}

func decodeRedacted(raw []byte, p *canonical.Part) (err error) {
	p.Kind = canonical.PartRedacted
	for k, v := range rawjson.Members(raw) {
		switch string(k) {
		case `"type"`:
		case `"data"`:
			p.Signature, err = str(v, p.Path, "data")
		case `"cache_control"`:
			p.CacheControl = some(v)
		default:
			p.Extra = append(p.Extra, extra(k, v))
		}
		if err != nil {
			return err
		}
	}
	unseal(p)
	return nil
}

// unseal puts what an envelope in place of a signature holds where it belongs. An envelope that was damaged is
// taken away: no vendor made it.
func unseal(p *canonical.Part) {
	if !envelope.Sealed(p.Signature) {
		return
	}
	kind, fields, ok := envelope.Open(p.Signature)
	if ok && kind == canonical.CarriedDetail {
		return
	}
	p.Signature = nil
	switch {
	case ok && kind == canonical.CarriedReasoning && len(fields) == 2:
		p.Kind = canonical.PartThinking
		p.ID, p.Encrypted = fields[0], fields[1]
	case ok && kind == canonical.CarriedThinking && len(fields) == 1:
		p.Signature = fields[0]
	case ok && kind == canonical.CarriedRedacted && len(fields) == 1:
		p.Kind, p.Signature = canonical.PartRedacted, fields[0]
	}
}

func decodeCall(raw []byte, p *canonical.Part) (err error) {
	call := &canonical.ToolCall{}
	p.Kind, p.Call = canonical.PartToolCall, call
	for k, v := range rawjson.Members(raw) {
		switch string(k) {
		case `"type"`:
		case `"id"`:
			call.ID, err = decodeToolID(v, p.Path, "id")
		case `"name"`:
			call.Name, err = str(v, p.Path, "name")
		case `"input"`:
			call.Args.Object = v
		case `"cache_control"`:
			p.CacheControl = some(v)
		default:
			call.Extra = append(call.Extra, extra(k, v))
		}
		if err != nil {
			return err
		}
	}
	switch {
	case call.ID == nil:
		return invalid(member(p.Path, "id"), "a string")
	case call.Name.Empty(): // no dialect knows a call of nothing
		return invalid(member(p.Path, "name"), "a string that is not empty")
	case call.Args.Object == nil:
		call.Args.Object = canonical.Raw("{}")
	case !isObject(call.Args.Object):
		return invalid(member(p.Path, "input"), "an object")
	}
	return nil
}

func decodeResult(raw []byte, p *canonical.Part) (err error) {
	result := &canonical.ToolResult{}
	p.Kind, p.Result = canonical.PartToolResult, result
	for k, v := range rawjson.Members(raw) {
		switch string(k) {
		case `"type"`:
		case `"tool_use_id"`:
			result.CallID, err = decodeToolID(v, p.Path, "tool_use_id")
		case `"content"`:
			if !isNull(v) {
				result.Parts, result.Plain, err = decodeContent(v, member(p.Path, "content"))
			}
		case `"is_error"`:
			result.IsError, result.HasErr = rawjson.Bool(v)
			if !result.HasErr && !isNull(v) {
				err = invalid(member(p.Path, "is_error"), "true or false")
			}
		case `"cache_control"`:
			p.CacheControl = some(v)
		default:
			result.Extra = append(result.Extra, extra(k, v))
		}
		if err != nil {
			return err
		}
	}
	if result.CallID == nil {
		return invalid(member(p.Path, "tool_use_id"), "a string")
	}
	return nil
}

// decodeToolID takes the id of a call, which may be an envelope around one that did not fit here.
func decodeToolID(v []byte, path, name string) (canonical.Token, error) {
	id, err := str(v, path, name)
	if err != nil || !envelope.Sealed(id) {
		return id, err
	}
	if kind, fields, ok := envelope.Open(id); ok && kind == envelope.ToolID && len(fields) == 1 {
		return fields[0], nil
	}
	return id, nil
}
