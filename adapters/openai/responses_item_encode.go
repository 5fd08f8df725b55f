package openai

import (
	"crypto/rand"
	"encoding/hex"
	"strconv"
	"unicode/utf8"

	"github.com/ccproxy-go/ccproxy/adapters/canonical"
	"github.com/ccproxy-go/ccproxy/adapters/internal/envelope"
	"github.com/ccproxy-go/ccproxy/internal/rawjson"
)

// itemEncoder writes the items of an answer to a client of the dialect.
type itemEncoder struct {
	req  *canonical.Request // the client's; nil if unknown
	lost *canonical.Losses
	id   canonical.Token // of the answer
	own  bool            // the answer came in this dialect
}

// answerID is the id of an answer, made from that of another dialect or, if there is none, by chance.
func answerID(id canonical.Token) canonical.Token {
	if startsWith(id, prefixResponse) {
		return id
	}
	if id.Empty() {
		var b [16]byte
		_, _ = rand.Read(b[:])
		return canonical.NewToken(prefixResponse + hex.EncodeToString(b[:]))
	}
	return quote([]byte(prefixResponse), inner(envelope.ClampID(id, maxCallID-len(prefixResponse), nil)))
}

// itemID is the id of an item: its own, or one made from the answer's and the item's place.
func (e *itemEncoder) itemID(prefix string, own canonical.Token, index int) canonical.Token {
	if !own.Empty() && (e.own || startsWith(own, prefix)) {
		return own
	}
	answer := inner(e.id)
	if len(answer) > len(prefixResponse) {
		answer = answer[len(prefixResponse):]
	}
	return quote([]byte(prefix), answer, []byte("_"), strconv.AppendInt(nil, int64(index), 10))
}

// callItemID is the id of a call's item, which is not that of the call.
func (e *itemEncoder) callItemID(p *canonical.Part, prefix string, index int) canonical.Token {
	if !p.ID.Empty() && (e.own || startsWith(p.ID, prefix)) {
		return p.ID
	}
	if p.Call.ID.Empty() {
		return e.itemID(prefix, nil, index)
	}
	return quote([]byte(prefix), inner(envelope.ClampID(p.Call.ID, maxCallID-len(prefix), nil)))
}

// items writes the parts of an answer as items. Texts that belong to one message follow each other and have
// its id, or none.
func (e *itemEncoder) items(w *itemWriter, parts []canonical.Part, end ending) {
	index := 0
	for i := 0; i < len(parts); {
		n := i + 1
		p := &parts[i]
		said := p.Kind == canonical.PartText || p.Kind == canonical.PartRefusal
		for said && n < len(parts) && sameMessage(p, &parts[n]) {
			n++
		}
		status := statusCompleted
		if n == len(parts) && end.status == statusIncomplete {
			status = statusIncomplete
		}
		before := len(w.buf)
		switch {
		case said:
			e.message(w, parts[i:n], e.itemID(prefixMessage, p.ID, index), status)
		default:
			e.other(w, p, index, status)
		}
		if len(w.buf) > before {
			index++
		}
		i = n
	}
}

// sameMessage tells whether a part continues the message that another is in.
func sameMessage(first, p *canonical.Part) bool {
	said := p.Kind == canonical.PartText || p.Kind == canonical.PartRefusal ||
		p.Kind == canonical.PartOpaque && !p.Item && p.ID != nil
	return said && string(first.ID) == string(p.ID)
}

// other writes a part that is an item of its own.
func (e *itemEncoder) other(w *itemWriter, p *canonical.Part, index int, status string) {
	switch p.Kind {
	case canonical.PartThinking, canonical.PartRedacted:
		e.thought(w, p, e.itemID(prefixReasoning, p.ID, index))
	case canonical.PartToolCall:
		e.call(w, p, index, status)
	case canonical.PartOpaque:
		if p.Item {
			w.value(p.Raw)
			return
		}
		e.lost.Add(p.Path, "no such item in this dialect")
	default:
		e.lost.Add(p.Path, "no such item in this dialect")
	}
}

// message writes a message item.
func (e *itemEncoder) message(w *itemWriter, parts []canonical.Part, id canonical.Token, status string) {
	kept, _ := messageFields(parts[0].Extra)
	w.open('{')
	w.member("id", id)
	w.text("type", "message")
	w.member("status", statusOr(parts[0].Status, status))
	w.text("role", "assistant")
	w.key("content")
	w.open('[')
	for i := range parts {
		e.said(w, &parts[i])
	}
	w.close(']')
	if e.own {
		w.fields(kept)
	}
	w.close('}')
}

func statusOr(own canonical.Token, otherwise string) canonical.Token {
	if own.Empty() {
		return quote([]byte(otherwise))
	}
	return own
}

// said writes a part of a message.
func (e *itemEncoder) said(w *itemWriter, p *canonical.Part) {
	_, kept := messageFields(p.Extra)
	if p.Kind == canonical.PartOpaque {
		w.value(p.Raw)
		return
	}
	w.open('{')
	if p.Kind == canonical.PartRefusal {
		w.text("type", "refusal")
		w.member("refusal", orEmpty(p.Text))
	} else {
		w.text("type", "output_text")
		w.key("annotations")
		e.annotations(w, p)
		w.memberOr("logprobs", p.Logprobs, "[]")
		w.member("text", orEmpty(p.Text))
	}
	if e.own {
		w.fields(kept)
	} else {
		loseFields(e.lost, p.Path, kept)
	}
	w.close('}')
}

// annotations writes the sources of a text.
func (e *itemEncoder) annotations(w *itemWriter, p *canonical.Part) {
	w.open('[')
	for c := range rawjson.Elements(p.Citations) {
		e.annotation(w, c, p)
	}
	w.close(']')
}

// annotation writes one source. Anthropic tells no place in the text, since a text of its own has its
// sources; Chat has an object more around them.
func (e *itemEncoder) annotation(w *itemWriter, c []byte, p *canonical.Part) {
	typ := find(c, "type")
	inside := find(c, "url_citation")
	switch {
	case e.own:
		w.value(c)
	case is(typ, "url_citation") && isObject(inside):
		w.open('{')
		w.text("type", "url_citation")
		for key, value := range rawjson.Members(inside) {
			w.member(string(nameOf(key)), value)
		}
		w.close('}')
	case is(typ, "url_citation"), is(typ, "file_citation"), is(typ, "container_file_citation"), is(typ, "file_path"):
		w.value(c)
	case is(typ, "web_search_result_location"):
		w.open('{')
		w.text("type", "url_citation")
		if find(c, "cited_text") != nil {
			e.lost.Add(join(p.Path, "citations"), "told without the text that is cited")
		}
		w.number("start_index", 0)
		w.number("end_index", int64(utf8.RuneCountInString(p.Text.String())))
		w.member("url", find(c, "url"))
		w.memberOr("title", find(c, "title"), `""`)
		w.close('}')
	default:
		e.lost.Add(join(p.Path, "citations"), "no such source in this dialect")
	}
}

// thought writes a reasoning item. What another vendor has signed is carried where OpenAI has its own
// secret, so that it comes back with the next request.
func (e *itemEncoder) thought(w *itemWriter, p *canonical.Part, id canonical.Token) {
	if p.Kind == canonical.PartRedacted {
		if !e.own {
			loseFields(e.lost, p.Path, p.Extra)
		}
		writeThought(w, &canonical.Part{}, id, envelope.Seal(canonical.CarriedRedacted, p.Signature), false)
		return
	}
	encrypted := p.Encrypted
	if encrypted == nil && !p.Signature.Empty() {
		encrypted = envelope.Seal(canonical.CarriedThinking, p.Signature)
	}
	if !e.own {
		loseFields(e.lost, p.Path, p.Extra)
	}
	writeThought(w, p, id, encrypted, e.own)
}

// isCustom tells whether a call is one of a free-form tool, which other dialects wrap.
func (e *itemEncoder) isCustom(c *canonical.ToolCall) bool {
	return c.Custom || isCustomTool(e.req, c.Name)
}

// call writes the item of a call.
func (e *itemEncoder) call(w *itemWriter, p *canonical.Part, index int, status string) {
	custom := e.isCustom(p.Call)
	prefix := prefixCall
	if custom {
		prefix = prefixCustom
	}
	args := argumentsToken
	if custom {
		args = customInput
	}
	e.callItem(w, p, e.callItemID(p, prefix, index), args(p.Call), custom, statusOr(p.Status, status))
	if !e.own {
		loseFields(e.lost, p.Path, p.Call.Extra)
		loseFields(e.lost, p.Path, p.Extra)
	}
}

func (e *itemEncoder) callItem(
	w *itemWriter, p *canonical.Part, id, args canonical.Token, custom bool, status canonical.Token,
) {
	w.open('{')
	w.member("id", id)
	if custom {
		w.text("type", "custom_tool_call")
	} else {
		w.text("type", "function_call")
	}
	w.member("status", status)
	if custom {
		w.member("input", args)
	} else {
		w.member("arguments", args)
	}
	w.member("call_id", orEmpty(p.Call.ID))
	w.member("name", orEmpty(p.Call.Name))
	if e.own {
		w.fields(p.Call.Extra)
	}
	w.close('}')
}
