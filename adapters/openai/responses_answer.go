package openai

import (
	"github.com/ccproxy-go/ccproxy/adapters/canonical"
	"github.com/ccproxy-go/ccproxy/internal/rawjson"
)

// insideMessage marks kept members of a message item, in the first part of its content.
const insideMessage = "message."

// The states of an answer and of its items.
const (
	statusCompleted  = "completed"
	statusIncomplete = "incomplete"
	statusFailed     = "failed"
	statusCancelled  = "cancelled"
	statusRunning    = "in_progress"
	statusQueued     = "queued"
)

// DecodeResponse reads an answer. Members that only repeat the request are kept apart from others.
func (responsesCodec) DecodeResponse(body []byte) (*canonical.Response, error) {
	var doc rawjson.Doc
	if err := scan(&doc, body); err != nil {
		return nil, err
	}
	r := &canonical.Response{Source: ownDialect}
	var choice canonical.Choice
	for key, value := range doc.Members() {
		name := nameOf(key)
		switch string(name) {
		case "object", "status", "error", "incomplete_details":
		case "id":
			r.ID = lenientString(value)
		case "model":
			r.Model = lenientString(value)
		case "created_at":
			r.Created = seconds(value)
		case "service_tier":
			r.ServiceTier = lenientString(value)
		case "usage":
			r.Usage = parseUsage(value)
		case "output":
			var err error
			if choice.Parts, err = parseOutputItems(value); err != nil {
				return nil, err
			}
		default:
			if repeatsRequest(name) {
				keep(&r.Echo, name, value)
			} else {
				keep(&r.Extra, name, value)
			}
		}
	}
	choice.Stop = parseStop(body, hasCall(choice.Parts))
	r.Choices = []canonical.Choice{choice}
	return r, nil
}

// repeatsRequest tells the members of an answer that are the request's.
func repeatsRequest(name []byte) bool {
	switch string(name) {
	case "background", "conversation", "instructions", "max_output_tokens", "max_tool_calls", "metadata",
		"parallel_tool_calls", "previous_response_id", "prompt", "prompt_cache_key", "prompt_cache_retention",
		"reasoning", "safety_identifier", "store", "temperature", "text", "tool_choice", "tools", "top_logprobs",
		"top_p", "truncation", "user", "presence_penalty", "frequency_penalty":
		return true
	default:
		return false
	}
}

// seconds reads a time, which some servers write with a fraction.
func seconds(raw []byte) int64 {
	for i, c := range raw {
		if c == '.' {
			raw = raw[:i]
			break
		}
	}
	n, _ := rawjson.Int(raw)
	return n
}

// parseOutputItems reads the items of an answer into the parts of one turn.
func parseOutputItems(list []byte) ([]canonical.Part, error) {
	var parts []canonical.Part
	i := 0
	for item := range rawjson.Elements(list) {
		path := at("output", i)
		i++
		typ := lenientString(find(item, "type"))
		if is(typ, "message") {
			said, err := parseSaid(item, path)
			if err != nil {
				return nil, err
			}
			parts = append(parts, said...)
			continue
		}
		if typ == nil {
			return nil, invalid(join(path, "type"), "must be a string")
		}
		part, err := parseItem(item, typ, path)
		if err != nil {
			return nil, err
		}
		parts = append(parts, part)
	}
	return parts, nil
}

// parseSaid reads a message item of an answer. Its id and status are with each part, so that the item can be
// put together again; what else it holds is with the first.
func parseSaid(item []byte, path string) ([]canonical.Part, error) {
	content := find(item, "content")
	if content == nil {
		return nil, nil
	}
	parts, err := parseContent(content, join(path, "content"))
	if err != nil || len(parts) == 0 {
		return nil, err
	}
	var id, status canonical.Token
	for key, value := range rawjson.Members(item) {
		switch name := nameOf(key); string(name) {
		case "type", "role", "content":
		case "id":
			id = lenientString(value)
		case "status":
			status = lenientString(value)
		default:
			keep(&parts[0].Extra, append([]byte(insideMessage), name...), value)
		}
	}
	for i := range parts {
		parts[i].ID, parts[i].Status = id, status
	}
	return parts, nil
}

func hasCall(parts []canonical.Part) bool {
	for i := range parts {
		if parts[i].Kind == canonical.PartToolCall {
			return true
		}
	}
	return false
}

// parseStop tells from an answer why it ended.
func parseStop(response []byte, calls bool) canonical.Stop {
	status := lenientString(find(response, "status")).String()
	switch status {
	case statusCompleted, "":
		if calls {
			return canonical.Stop{Reason: canonical.StopToolUse, Wire: status}
		}
		return canonical.Stop{Reason: canonical.StopEnd, Wire: status}
	case statusIncomplete:
		reason := lenientString(find(find(response, "incomplete_details"), "reason")).String()
		switch reason {
		case "max_output_tokens", "max_tokens":
			return canonical.Stop{Reason: canonical.StopMaxTokens, Wire: reason}
		case "content_filter":
			return canonical.Stop{Reason: canonical.StopRefusal, Wire: reason}
		default:
			return canonical.Stop{Wire: reason, Incomplete: true}
		}
	case statusFailed:
		return canonical.Stop{Reason: canonical.StopFailed, Wire: status, Error: failureOf(response)}
	default: // queued, in progress, cancelled
		return canonical.Stop{Wire: status, Incomplete: true}
	}
}

// failureOf reads the error of an answer that failed.
func failureOf(response []byte) *canonical.Error {
	e := &canonical.Error{}
	if obj := find(response, "error"); isObject(obj) {
		e = errorOf(obj)
	}
	if e.Type == "" {
		e.Type = "api_error"
	}
	if e.Message == nil {
		e.Message = canonical.NewToken("the response failed")
	}
	return e
}

// parseUsage reads the count of tokens; null is none.
func parseUsage(raw []byte) *canonical.Usage {
	if !isObject(raw) {
		return nil
	}
	u := &canonical.Usage{}
	for key, value := range rawjson.Members(raw) {
		name := nameOf(key)
		switch string(name) {
		case "input_tokens":
			u.Input, u.HasInput = rawjson.Int(value)
		case "output_tokens":
			u.Output, u.HasOutput = rawjson.Int(value)
		case "total_tokens":
		case "input_tokens_details":
			u.CacheRead = count(value, "cached_tokens")
			u.CacheWrite = count(value, "cache_write_tokens")
		case "output_tokens_details":
			u.Reasoning = count(value, "reasoning_tokens")
		default:
			keep(&u.Extra, name, value)
		}
	}
	return u
}

func count(details []byte, name string) int64 {
	n, _ := rawjson.Int(find(details, name))
	return n
}

// DecodeError reads an error in whichever of the shapes that are in use.
func (responsesCodec) DecodeError(body []byte) (*canonical.Error, error) {
	return decodeError(body), nil
}

// EncodeError writes an error with OpenAI's names.
func (responsesCodec) EncodeError(e *canonical.Error) []byte { return encodeError(e) }
