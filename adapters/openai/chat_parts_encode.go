package openai

import (
	"bytes"

	"github.com/ccproxy-go/ccproxy/adapters/canonical"
)

// ownContent writes the content of a message that was decoded from this dialect, as a string where it was one.
func (e *chatRequestEncoder) ownContent(m *canonical.Message, parts []canonical.Part) {
	e.key("content")
	e.contentValue(parts, m.Plain)
}

func (e *chatRequestEncoder) contentValue(parts []canonical.Part, plain bool) {
	switch {
	case plain && len(parts) == 0:
		e.value([]byte("null"))
	case plain && len(parts) == 1 && parts[0].Kind == canonical.PartText:
		e.value(parts[0].Text)
	default:
		e.open('[')
		for i := range parts {
			e.part(&parts[i])
		}
		e.close(']')
	}
}

// part writes a part of a list. It is false for what the dialect cannot express, which is reported.
func (e *chatRequestEncoder) part(p *canonical.Part) bool {
	switch p.Kind {
	case canonical.PartText:
		e.openPart("text")
		e.member("text", orEmptyText(p.Text))
	case canonical.PartRefusal:
		if !e.own { // a user's message has none
			e.openPart("text")
			e.member("text", p.Text)
			break
		}
		e.openPart("refusal")
		e.member("refusal", p.Text)
	case canonical.PartImage:
		return e.image(p)
	case canonical.PartAudio:
		return e.audio(p)
	case canonical.PartDocument:
		return e.document(p)
	case canonical.PartOpaque:
		if e.own {
			e.value(p.Raw)
			return true
		}
		e.lost.Add(p.Path, "not in this dialect: "+p.Type)
		return false
	default:
		e.lost.Add(p.Path, "not in a user's message")
		return false
	}
	e.closePart(p)
	return true
}

func (e *chatRequestEncoder) openPart(typ string) {
	e.open('{')
	e.text("type", typ)
}

func (e *chatRequestEncoder) closePart(p *canonical.Part) {
	if e.own {
		e.member("cache_control", p.CacheControl)
		e.fields(p.Extra)
	} else {
		e.losePart(p)
	}
	e.close('}')
}

// closeMedia ends the inner object of a part, and the part.
func (e *chatRequestEncoder) closeMedia(p *canonical.Part) bool {
	if e.own {
		e.fields(p.Media.Extra)
	}
	e.close('}')
	e.closePart(p)
	return true
}

func (e *chatRequestEncoder) image(p *canonical.Part) bool {
	m := p.Media
	url := m.URL
	if m.Data != nil {
		url = dataURI(m, "image/png")
	}
	if url == nil {
		e.lost.Add(p.Path, "an image in a vendor's file store")
		return false
	}
	e.openPart("image_url")
	e.key("image_url")
	e.open('{')
	e.member("url", url)
	detail := m.Detail
	if !e.own && is(detail, "original") { // of Responses alone
		detail = canonical.Token(`"high"`)
		e.lost.Add(join(p.Path, "detail"), "told as high")
	}
	e.member("detail", detail)
	return e.closeMedia(p)
}

func (e *chatRequestEncoder) audio(p *canonical.Part) bool {
	m := p.Media
	if m.Data == nil {
		e.lost.Add(p.Path, "sound is taken as data alone")
		return false
	}
	e.openPart("input_audio")
	e.key("input_audio")
	e.open('{')
	e.member("data", m.Data)
	if format, ok := bytes.CutPrefix(inner(m.MIME), []byte("audio/")); ok {
		if string(format) == "mpeg" {
			format = []byte("mp3")
		}
		e.member("format", quote(format))
	}
	return e.closeMedia(p)
}

// document writes a file. One that is text becomes a part of text, and so does an address, which the dialect cannot
// have fetched.
func (e *chatRequestEncoder) document(p *canonical.Part) bool {
	m := p.Media
	stored := m.Data != nil || m.FileID != nil
	switch {
	case m.Text != nil:
		e.lost.Add(p.Path, "a document of text became a part of text")
		e.textDocument(p, m.Text)
		return true
	case !stored && m.URL != nil && !isDataURI(m.URL) && !e.own:
		e.lost.Add(p.Path, "files are taken as data: the model is told the address")
		e.textDocument(p, m.URL)
		return true
	case m.FileID != nil && !e.own && e.req.Source == sourceAnthropic:
		e.lost.Add(p.Path, "a file in a vendor's file store")
		return false
	case !stored && m.URL == nil:
		e.lost.Add(p.Path, "a document without content")
		return false
	}
	e.openPart("file")
	e.key("file")
	e.open('{')
	e.fileMembers(m)
	return e.closeMedia(p)
}

func (e *chatRequestEncoder) fileMembers(m *canonical.Media) {
	name, data := m.Filename, m.URL
	if m.Data != nil {
		data = dataURI(m, "application/pdf")
		if name == nil && !e.own {
			name = canonical.Token(`"document.pdf"`) // data without a name is refused
		}
	}
	e.member("filename", name)
	e.member("file_data", data)
	e.member("file_id", m.FileID)
}

// sourceAnthropic is the dialect whose files are in another vendor's store.
const sourceAnthropic = "anthropic.messages"

func isDataURI(t canonical.Token) bool { return bytes.HasPrefix(inner(t), []byte("data:")) }

func (e *chatRequestEncoder) textDocument(p *canonical.Part, text canonical.Token) {
	e.openPart("text")
	if !p.Media.Filename.Empty() {
		text = quote(inner(p.Media.Filename), []byte(`:\n`), inner(text))
	}
	e.member("text", text)
	e.closePart(p)
}
