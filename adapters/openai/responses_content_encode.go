package openai

import (
	"bytes"

	"github.com/ccproxy-go/ccproxy/adapters/canonical"
)

// contentPart writes a part of a message item.
func (e *requestEncoder) contentPart(m *canonical.Message, p *canonical.Part) {
	assistant := m.Role == canonical.RoleAssistant
	textType := "input_text"
	if assistant {
		textType = "output_text"
	}
	switch {
	case p.Kind == canonical.PartRefusal && assistant:
		e.partLosses(p)
		e.w.open('{')
		e.w.text("type", "refusal")
		e.w.member("refusal", orEmpty(p.Text))
		e.keptOf(p)
		e.w.close('}')
	case p.Kind == canonical.PartRefusal:
		e.textPart(p, textType)
	case p.Kind == canonical.PartText:
		e.textPart(p, textType)
	case assistant && p.Kind != canonical.PartOpaque && !e.own:
		e.lost.Add(p.Path, "an assistant's message holds text only")
	default:
		e.mediaPart(p)
	}
}

func (e *requestEncoder) textPart(p *canonical.Part, typ string) {
	e.partLosses(p)
	e.w.open('{')
	e.w.text("type", typ)
	e.w.member("text", orEmpty(p.Text))
	if e.own {
		e.w.member("annotations", p.Citations)
		e.w.member("logprobs", p.Logprobs)
	}
	e.keptOf(p)
	e.w.close('}')
}

// keptOf writes the kept members of a part of this dialect.
func (e *requestEncoder) keptOf(p *canonical.Part) {
	if e.own {
		e.w.fields(p.Extra)
	}
}

// mediaPart writes what a user or a tool shows.
func (e *requestEncoder) mediaPart(p *canonical.Part) {
	if m := p.Media; m != nil && m.FileID != nil && e.req.Source == sourceAnthropic {
		e.lost.Add(p.Path, "a file in a vendor's file store")
		return
	}
	switch p.Kind {
	case canonical.PartImage:
		e.partLosses(p)
		e.image(p.Media)
	case canonical.PartDocument:
		e.partLosses(p)
		e.document(p)
	case canonical.PartAudio:
		e.partLosses(p)
		e.audio(p)
	default:
		if e.own {
			e.w.value(p.Raw)
			return
		}
		e.lost.Add(p.Path, "no such content in this dialect")
	}
}

func (e *requestEncoder) image(m *canonical.Media) {
	e.w.open('{')
	e.w.text("type", "input_image")
	switch {
	case m.Data != nil:
		e.w.dataURI("image_url", m.MIME, m.Data)
	case m.URL != nil:
		e.w.member("image_url", m.URL)
	}
	e.w.member("file_id", m.FileID)
	e.w.member("detail", m.Detail)
	e.keptOfMedia(m)
	e.w.close('}')
}

func (e *requestEncoder) keptOfMedia(m *canonical.Media) {
	if e.own {
		e.w.fields(m.Extra)
	}
}

// document writes a file. Data needs a name here; a document of plain text is text.
func (e *requestEncoder) document(p *canonical.Part) {
	m := p.Media
	if m.Text != nil {
		if m.Filename != nil {
			e.lost.Add(join(p.Path, "title"), "text has no title")
		}
		e.lost.Add(p.Path, "a document of text became a part of text")
		e.w.open('{')
		e.w.text("type", "input_text")
		e.w.member("text", m.Text)
		e.w.close('}')
		return
	}
	e.w.open('{')
	e.w.text("type", "input_file")
	e.w.member("filename", e.filename(m))
	switch {
	case m.Data != nil && m.MIME != nil:
		e.w.dataURI("file_data", m.MIME, m.Data)
	case m.Data != nil:
		e.w.member("file_data", m.Data)
	case startsWith(m.URL, "data:"):
		e.w.member("file_data", m.URL)
	case m.URL != nil:
		e.w.member("file_url", m.URL)
	}
	e.w.member("file_id", m.FileID)
	e.w.member("detail", m.Detail)
	e.keptOfMedia(m)
	e.w.close('}')
}

// filename is the file's own, or for data one that tells its type.
func (e *requestEncoder) filename(m *canonical.Media) canonical.Token {
	if m.Filename != nil || e.own || m.Data == nil {
		return m.Filename
	}
	if is(m.MIME, "application/pdf") || m.MIME == nil {
		return canonical.NewToken("document.pdf")
	}
	return canonical.NewToken("document")
}

func (e *requestEncoder) audio(p *canonical.Part) {
	m := p.Media
	e.w.open('{')
	e.w.text("type", "input_audio")
	e.w.key("input_audio")
	e.w.open('{')
	e.w.member("data", m.Data)
	if m.MIME != nil {
		e.w.member("format", audioFormat(m.MIME))
	}
	e.keptOfMedia(m)
	e.w.close('}')
	e.keptOf(p)
	e.w.close('}')
}

// result writes what a tool answered: one text if there is nothing else, so that every server takes it. That
// it failed is told in words.
func (e *requestEncoder) result(p *canonical.Part) {
	e.partLosses(p)
	r := p.Result
	custom := r.Custom || e.customCalls(r.CallID)
	e.w.open('{')
	if custom {
		e.w.text("type", "custom_tool_call_output")
	} else {
		e.w.text("type", "function_call_output")
	}
	id := r.CallID
	if e.own {
		e.w.member("id", p.ID)
	} else {
		id = e.callID(id, p.Path)
		loseFields(e.lost, p.Path, r.Extra)
	}
	e.w.member("call_id", id)
	if r.IsError {
		e.lost.Add(join(p.Path, "is_error"), "told in the text")
	}
	e.w.key("output")
	e.output(r)
	if e.own {
		e.w.member("status", p.Status)
		e.w.fields(r.Extra)
	}
	e.w.close('}')
}

// customCalls tells whether a call of that id was one of a free-form tool.
func (e *requestEncoder) customCalls(id canonical.Token) bool {
	if e.own {
		return false // this dialect says so itself
	}
	for i := range e.req.Messages {
		for k := range e.req.Messages[i].Parts {
			c := e.req.Messages[i].Parts[k].Call
			if c != nil && bytes.Equal(c.ID, id) {
				return c.Custom || isCustomTool(e.req, c.Name)
			}
		}
	}
	return false
}

func (e *requestEncoder) output(r *canonical.ToolResult) {
	var texts []canonical.Token
	if r.IsError {
		texts = append(texts, canonical.NewToken(ToolErrorMarker))
	}
	onlyTexts := true
	for i := range r.Parts {
		onlyTexts = onlyTexts && r.Parts[i].Kind == canonical.PartText
		texts = append(texts, r.Parts[i].Text)
	}
	if onlyTexts && (r.Plain || !e.own) {
		for i := range r.Parts {
			e.partLosses(&r.Parts[i])
		}
		e.w.value(outputText(texts, r.IsError))
		return
	}
	e.w.open('[')
	if r.IsError {
		e.textPart(&canonical.Part{Text: canonical.NewToken(ToolErrorMarker)}, "input_text")
	}
	for i := range r.Parts {
		if part := &r.Parts[i]; part.Kind == canonical.PartText {
			e.textPart(part, "input_text")
		} else {
			e.mediaPart(part)
		}
	}
	e.w.close(']')
}

// outputText joins the texts of a result to lines. A marker of failure stands on the line of the first.
func outputText(texts []canonical.Token, marked bool) canonical.Token {
	if marked && len(texts) > 1 {
		texts[1] = quote(inner(texts[0]), inner(texts[1]))
		texts = texts[1:]
	}
	switch len(texts) {
	case 0:
		return canonical.Token(`""`)
	case 1:
		return orEmpty(texts[0])
	default:
		return canonical.Join("\n", texts...)
	}
}
