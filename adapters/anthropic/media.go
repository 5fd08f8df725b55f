package anthropic

import (
	"bytes"
	"encoding/base64"
	"unicode/utf8"

	"github.com/ccproxy-go/ccproxy/adapters/canonical"
	"github.com/ccproxy-go/ccproxy/internal/rawjson"
)

// decodeMedia takes an image or a document. One with a source of an unknown type is kept as it is.
func decodeMedia(raw []byte, p *canonical.Part) (err error) {
	source, _ := rawjson.Find(raw, "source")
	if !isObject(source) {
		return invalid(member(p.Path, "source"), "an object")
	}
	m := &canonical.Media{}
	known, err := decodeSource(source, member(p.Path, "source"), m)
	if err != nil {
		return err
	}
	if !known {
		typ, _ := rawjson.Find(raw, "type")
		p.Kind, p.Raw = canonical.PartOpaque, raw
		p.Type, _ = rawjson.String(typ)
		return nil
	}
	p.Media = m
	for k, v := range rawjson.Members(raw) {
		switch string(k) {
		case `"type"`, `"source"`:
		case `"title"`:
			m.Filename, err = optional(v, p.Path, "title")
		case `"citations"`:
			p.Citations = some(v)
		case `"cache_control"`:
			p.CacheControl = some(v)
		default:
			p.Extra = append(p.Extra, extra(k, v))
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// decodeSource takes where an image or document comes from; known is false for a type of source that is not.
func decodeSource(source []byte, path string, m *canonical.Media) (known bool, err error) {
	typ, _ := rawjson.Find(source, "type")
	var data *canonical.Token
	var name string
	switch string(typ) {
	case `"base64"`:
		data, name = &m.Data, `"data"`
	case `"text"`:
		data, name = &m.Text, `"data"`
	case `"url"`:
		data, name = &m.URL, `"url"`
	case `"file"`:
		data, name = &m.FileID, `"file_id"`
	default:
		return false, nil
	}
	for k, v := range rawjson.Members(source) {
		switch string(k) {
		case `"type"`:
		case name:
			*data, err = str(v, path, name[1:len(name)-1])
		case `"media_type"`:
			m.MIME, err = optional(v, path, "media_type")
		default:
			m.Extra = append(m.Extra, extra(k, v))
		}
		if err != nil {
			return true, err
		}
	}
	if *data == nil {
		return true, invalid(member(path, name[1:len(name)-1]), "a string")
	}
	return true, nil
}

// media writes an image or document, which must have passed foreignMedia if it is not from this dialect.
func (e *encoder) media(p *canonical.Part) {
	m := p.Media
	e.w.open('{')
	if p.Kind == canonical.PartImage {
		e.w.word("type", "image")
	} else {
		e.w.word("type", "document")
	}
	e.w.key("source")
	e.w.open('{')
	switch {
	case m.Data != nil:
		e.w.word("type", "base64")
		e.w.raw("media_type", m.MIME)
		e.w.raw("data", m.Data)
	case m.Text != nil:
		e.w.word("type", "text")
		e.w.raw("media_type", m.MIME)
		e.w.raw("data", m.Text)
	case m.URL != nil:
		e.w.word("type", "url")
		e.w.raw("media_type", m.MIME)
		e.w.raw("url", m.URL)
	default:
		e.w.word("type", "file")
		e.w.raw("media_type", m.MIME)
		e.w.token("file_id", m.FileID)
	}
	e.extras(m.Extra, e.mediaPath(p))
	e.w.shut('}')
	e.w.raw("title", m.Filename)
	if e.own {
		e.w.raw("citations", p.Citations)
	}
	e.w.raw("cache_control", p.CacheControl)
	e.extras(p.Extra, p.Path)
	e.w.shut('}')
}

// mediaPath is where the source has the members of a medium.
func (e *encoder) mediaPath(p *canonical.Part) string {
	switch {
	case e.own:
		return member(p.Path, "source")
	case p.Kind == canonical.PartImage:
		return member(p.Path, e.sourcePath("image_url", ""))
	default:
		return member(p.Path, e.sourcePath("file", ""))
	}
}

// foreignMedia brings an image or document of another dialect into a shape that the API takes. It is false, and
// the loss noted, where there is none.
func (e *encoder) foreignMedia(p *canonical.Part) (canonical.Part, bool) {
	if p.Media == nil {
		e.lose(p.Path, "empty")
		return *p, false
	}
	m, out := *p.Media, *p
	out.Media = &m
	if d := m.Detail; !d.Empty() && d.String() != "auto" {
		e.lose(member(e.mediaPath(p), "detail"), "images have no detail")
	}
	if p.Kind == canonical.PartImage {
		m.Filename = nil
	}
	if m.Data == nil && m.URL != nil {
		splitDataURI(&m)
	}
	switch {
	case m.Data != nil && p.Kind == canonical.PartImage:
		m.MIME = imageType(m.MIME)
		return out, true
	case m.Data != nil:
		return out, e.document(&m, p.Path)
	case m.Text != nil:
		m.MIME = canonical.Token(`"text/plain"`)
		return out, true
	case m.URL != nil && bytes.HasPrefix(m.URL, []byte(`"http`)):
		m.MIME, m.FileID = nil, nil
		return out, true
	case m.FileID != nil:
		e.lose(p.Path, "dropped: another vendor's file")
	default:
		e.lose(p.Path, "dropped: no address or base64 data")
	}
	return out, false
}

// document brings base64 data into the two types of documents that there are.
func (e *encoder) document(m *canonical.Media, path string) bool {
	mime := m.MIME.String()
	switch {
	case mime == "application/pdf" || mime == "":
		m.MIME = canonical.Token(`"application/pdf"`)
		return true
	case len(mime) > 5 && mime[:5] == "text/" || mime == "application/json":
		text, err := base64.StdEncoding.DecodeString(m.Data.String())
		if err != nil || !utf8.Valid(text) {
			break
		}
		m.Data, m.Text = nil, canonical.NewToken(string(text))
		m.MIME = canonical.Token(`"text/plain"`)
		return true
	}
	e.lose(path, "dropped: neither PDF nor text")
	return false
}

// splitDataURI takes a data: URI apart. The data, of which there may be megabytes, is copied once and not decoded.
func splitDataURI(m *canonical.Media) {
	rest, ok := bytes.CutPrefix(m.URL, []byte(`"data:`))
	if !ok {
		return
	}
	head, data, ok := bytes.Cut(rest, []byte(","))
	if !ok {
		return
	}
	mime, ok := bytes.CutSuffix(head, []byte(";base64"))
	if !ok {
		return
	}
	if i := bytes.IndexByte(mime, ';'); i >= 0 {
		mime = mime[:i]
	}
	m.URL = nil
	m.MIME = append(append(canonical.Token{'"'}, bytes.ReplaceAll(mime, []byte(`\/`), []byte("/"))...), '"')
	m.Data = append(append(make(canonical.Token, 0, len(data)+1), '"'), data...)
}

// imageType is the media type of an image. "image/jpg" is not one, and common.
func imageType(mime canonical.Token) canonical.Token {
	switch mime.String() {
	case "image/jpg":
		return canonical.Token(`"image/jpeg"`)
	case "":
		return canonical.Token(`"image/png"`)
	default:
		return mime
	}
}
