package adapters

import (
	"fmt"

	"github.com/ccproxy-go/ccproxy/adapters/canonical"
	"github.com/ccproxy-go/ccproxy/adapters/internal/envelope"
	"github.com/ccproxy-go/ccproxy/internal/rawjson"
)

// Withhold takes out of a request what only another vendor can read: thinking and reasoning that a conversion has put
// into envelopes for the client, when an earlier turn was answered by an upstream of another format. An upstream
// that speaks the client's own format did not make them, and refuses what it did not make. Everything else stays byte
// for byte; a request without envelopes, or that is not as the format has it, is returned as it is.
func Withhold(f Format, body []byte) ([]byte, []canonical.Loss) {
	if !envelope.In(body) {
		return body, nil
	}
	var doc rawjson.Doc
	if doc.Scan(body, rawjson.Options{}) != nil {
		return body, nil
	}
	w := withholder{name: "messages"}
	switch f {
	case AnthropicMessages:
		w.edit = w.anthropicMessage
	case OpenAIChatCompletions:
		w.edit = w.chatMessage
	case OpenAIResponses:
		w.name, w.edit = "input", w.responsesItem
	default:
		return body, nil
	}
	list, _ := doc.Raw(w.name)
	kept := w.elements(list, w.name, w.edit)
	if len(w.lost) == 0 {
		return body, nil
	}
	return doc.Set(w.name, kept), w.lost
}

// withholder edits one request.
type withholder struct {
	name string // of the list of turns
	edit func(raw []byte, path string) []byte
	lost []canonical.Loss
}

// elements writes a list again, with each element as edit returns it; nil leaves it out.
func (w *withholder) elements(list []byte, path string, edit func(raw []byte, path string) []byte) []byte {
	out := []byte{'['}
	i := 0
	for raw := range rawjson.Elements(list) {
		kept := edit(raw, fmt.Sprintf("%s[%d]", path, i))
		i++
		if kept == nil {
			continue
		}
		if len(out) > 1 {
			out = append(out, ',')
		}
		out = append(out, kept...)
	}
	return append(out, ']')
}

// drop notes a loss.
func (w *withholder) drop(path string) []byte {
	w.lost = append(w.lost, canonical.Loss{Path: path, Reason: "made by another vendor, of no use to this one"})
	return nil
}

// anthropicMessage leaves sealed blocks out of a message, and the message if there is nothing else in it.
func (w *withholder) anthropicMessage(raw []byte, path string) []byte {
	content, ok := rawjson.Find(raw, "content")
	if !ok || content[0] != '[' {
		return raw
	}
	before := len(w.lost)
	kept := w.elements(content, path+".content", func(block []byte, path string) []byte {
		if sealed(block, "signature") || sealed(block, "data") {
			return w.drop(path)
		}
		return block
	})
	switch {
	case len(w.lost) == before:
		return raw
	case len(kept) == len("[]"):
		return nil
	default:
		return withMember(raw, "content", kept)
	}
}

// chatMessage leaves the details of a message out if any is sealed: they come from one answer.
func (w *withholder) chatMessage(raw []byte, path string) []byte {
	details, _ := rawjson.Find(raw, "reasoning_details")
	for d := range rawjson.Elements(details) {
		if sealed(d, "signature") || sealed(d, "data") {
			w.drop(path + ".reasoning_details")
			return withMember(raw, "reasoning_details", nil)
		}
	}
	return raw
}

func (w *withholder) responsesItem(raw []byte, path string) []byte {
	if sealed(raw, "encrypted_content") {
		return w.drop(path)
	}
	return raw
}

// sealed tells whether a member holds an envelope.
func sealed(obj []byte, name string) bool {
	value, ok := rawjson.Find(obj, name)
	return ok && envelope.Sealed(canonical.Token(value))
}

// withMember writes an object again with another value for a member, or without it.
func withMember(obj []byte, name string, value []byte) []byte {
	out := []byte{'{'}
	for key, v := range rawjson.Members(obj) {
		if s, _ := rawjson.String(key); s == name {
			if v = value; v == nil {
				continue
			}
		}
		if len(out) > 1 {
			out = append(out, ',')
		}
		out = append(append(append(out, key...), ':'), v...)
	}
	return append(out, '}')
}
