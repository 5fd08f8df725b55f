package openai

import (
	"crypto/rand"

	"github.com/ccproxy-go/ccproxy/adapters/canonical"
	"github.com/ccproxy-go/ccproxy/internal/rawjson"
)

// DecodeResponse takes a whole answer of an upstream. What a server leaves out or makes null counts as not said.
func (chatCodec) DecodeResponse(body []byte) (*canonical.Response, error) {
	var doc rawjson.Doc
	if err := scan(&doc, body); err != nil {
		return nil, err
	}
	choices, _ := doc.Raw("choices")
	if !isArray(choices) {
		return nil, invalid("choices", "must be an array")
	}
	r := &canonical.Response{Source: chatSource}
	for key, v := range rawjson.Members(body) {
		name := nameOf(key)
		switch string(name) {
		case "object":
		case "id":
			r.ID = lenientString(v)
		case "model":
			r.Model = lenientString(v)
		case "created":
			r.Created, _ = rawjson.Int(v)
		case "service_tier":
			r.ServiceTier = lenientString(v)
		case "usage":
			r.Usage = decodeChatUsage(v)
		case "choices":
		default:
			keep(&r.Extra, name, v)
		}
	}
	i := 0
	for raw := range rawjson.Elements(choices) {
		c, err := decodeAnswer(raw, at("choices", i))
		if err != nil {
			return nil, err
		}
		r.Choices = append(r.Choices, c)
		i++
	}
	if i == 0 {
		return nil, invalid("choices", "must not be empty")
	}
	return r, nil
}

func decodeAnswer(raw []byte, path string) (c canonical.Choice, _ error) {
	message := find(raw, "message")
	if !isObject(message) {
		return c, invalid(path+".message", "must be an object")
	}
	var finish string
	for key, v := range rawjson.Members(raw) {
		name := nameOf(key)
		switch string(name) {
		case "index", "message":
		case "finish_reason":
			finish = lenientString(v).String()
		case "logprobs":
			if !isNull(v) {
				c.Logprobs = v
			}
		default:
			keep(&c.Extra, name, v)
		}
	}
	if err := decodeAnswerMessage(&c, message, path+".message"); err != nil {
		return c, err
	}
	var calls, refused bool
	for i := range c.Parts {
		calls = calls || c.Parts[i].Kind == canonical.PartToolCall
		refused = refused || c.Parts[i].Kind == canonical.PartRefusal
	}
	c.Stop = decodeFinish(finish, calls, refused)
	return c, nil
}

// decodeAnswerMessage takes an answer's message. It is read as an assistant's message is, with what only answers have.
func decodeAnswerMessage(c *canonical.Choice, raw []byte, path string) error {
	d := messageDecoder{answer: true}
	m := canonical.Message{Role: canonical.RoleAssistant, Path: path}
	if err := d.assistant(&m, raw, 0); err != nil {
		return err
	}
	for _, f := range m.Extra {
		if f.Name == "annotations" && annotate(m.Parts, f.Raw) {
			continue
		}
		c.Extra = append(c.Extra, canonical.Field{Name: "message." + f.Name, Raw: f.Raw})
	}
	for i := range m.Parts {
		p := &m.Parts[i]
		if p.Kind == canonical.PartText && p.Text.Empty() {
			continue // beside calls some servers say "" for nothing
		}
		if p.Kind == canonical.PartRefusal && p.Text.Empty() {
			continue
		}
		if p.Kind == canonical.PartToolCall && (p.Call.ID.Empty() || p.Type == typeFunctionCall) {
			p.Call.ID = newCallID()
		}
		c.Parts = append(c.Parts, *p)
	}
	return nil
}

// newCallID makes an id for a call that a server gave none.
func newCallID() canonical.Token { return canonical.NewToken("call_" + rand.Text()) }

// annotate gives the annotations of a message to its text. It is false if there is no text; an empty list is dropped.
func annotate(parts []canonical.Part, raw []byte) bool {
	for range rawjson.Elements(raw) {
		for i := range parts {
			if p := &parts[i]; p.Kind == canonical.PartText {
				p.Citations = raw
				return true
			}
		}
		return false
	}
	return true
}
