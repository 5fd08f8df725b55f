package openai

import (
	"bytes"

	"github.com/ccproxy-go/ccproxy/adapters/canonical"
	"github.com/ccproxy-go/ccproxy/internal/rawjson"
)

// decodeContent takes a message's content, a string or a list of parts; null is nothing.
func decodeContent(parts []canonical.Part, v []byte, path string) ([]canonical.Part, error) {
	if isNull(v) {
		return parts, nil
	}
	if isString(v) {
		return append(parts, canonical.Part{Kind: canonical.PartText, Text: v, Path: path}), nil
	}
	if !isArray(v) {
		return nil, invalid(path, "must be a string or an array")
	}
	i := 0
	for raw := range rawjson.Elements(v) {
		part, err := decodeChatPart(raw, at(path, i))
		if err != nil {
			return nil, err
		}
		parts = append(parts, part)
		i++
	}
	return parts, nil
}

func decodeChatPart(raw []byte, path string) (canonical.Part, error) {
	p := canonical.Part{Path: path}
	if !isObject(raw) {
		return p, invalid(path, "must be an object")
	}
	typ := lenientString(find(raw, "type")).String()
	if typ == "" {
		return p, invalid(path+".type", "must be a string")
	}
	if !startPart(&p, typ) {
		return opaque(typ, raw, path), nil
	}
	var err error
	said := false
	for key, v := range rawjson.Members(raw) {
		name := nameOf(key)
		switch string(name) {
		case "type":
		case "cache_control": // compatible servers take Anthropic's breakpoints
			p.CacheControl = v
		case typ:
			said, err = true, decodePartValue(&p, v, path+"."+typ)
		default:
			keep(&p.Extra, name, v)
		}
		if err != nil {
			return p, err
		}
	}
	if !said {
		return p, invalid(path+"."+typ, "is missing")
	}
	return p, nil
}

// startPart says what kind of part a type means. It is false for types that are unknown here.
func startPart(p *canonical.Part, typ string) bool {
	switch typ {
	case "text":
		p.Kind = canonical.PartText
	case "refusal":
		p.Kind, p.Type = canonical.PartRefusal, typeRefusal
	case "image_url":
		p.Kind, p.Media = canonical.PartImage, &canonical.Media{}
	case "input_audio":
		p.Kind, p.Media = canonical.PartAudio, &canonical.Media{}
	case "file":
		p.Kind, p.Media = canonical.PartDocument, &canonical.Media{}
	default:
		return false
	}
	return true
}

// decodePartValue takes the member of a part that has the name of its type.
func decodePartValue(p *canonical.Part, v []byte, path string) error {
	if p.Media == nil {
		if !isString(v) {
			return invalid(path, "must be a string")
		}
		p.Text = v
		return nil
	}
	if p.Kind == canonical.PartImage && isString(v) { // some clients leave the object out
		takeApart(p.Media, v)
		return nil
	}
	if !isObject(v) {
		return invalid(path, "must be an object")
	}
	for key, member := range rawjson.Members(v) {
		if err := decodeMediaMember(p, nameOf(key), member, path); err != nil {
			return err
		}
	}
	if m := p.Media; m.URL == nil && m.Data == nil && m.FileID == nil {
		return invalid(path+"."+mediaMember(p.Kind), "must be a string")
	}
	return nil
}

// mediaMember is the member of a part that has to be there.
func mediaMember(kind canonical.PartKind) string {
	switch kind {
	case canonical.PartImage:
		return "url"
	case canonical.PartAudio:
		return "data"
	default:
		return "file_data"
	}
}

func decodeMediaMember(p *canonical.Part, name, v []byte, path string) error {
	m := p.Media
	place := string(name)
	if place == mediaMember(p.Kind) && p.Kind != canonical.PartAudio {
		if !isString(v) {
			return invalid(path+"."+place, "must be a string")
		}
		takeApart(m, v)
		return nil
	}
	to := mediaText(p, place)
	if to == nil {
		keep(&m.Extra, name, v)
		return nil
	}
	t, err := stringAt(v, path+"."+place)
	*to = t
	if to == &m.MIME && t != nil {
		m.MIME = quote([]byte("audio/"), inner(t))
	}
	return err
}

// mediaText gives where a member of a part is kept, or nil if it has no place of its own.
func mediaText(p *canonical.Part, name string) *canonical.Token {
	m := p.Media
	switch p.Kind {
	case canonical.PartImage:
		if name == "detail" {
			return &m.Detail
		}
	case canonical.PartDocument:
		switch name {
		case "file_id":
			return &m.FileID
		case "filename":
			return &m.Filename
		}
	default:
		switch name {
		case "data":
			return &m.Data
		case "format":
			return &m.MIME
		}
	}
	return nil
}

// takeApart splits a data: URI into media type and base64. One with parameters or in another encoding, and any
// other address, stays whole.
func takeApart(m *canonical.Media, t canonical.Token) {
	const scheme, encoding = "data:", ";base64"
	in := inner(t)
	comma := bytes.IndexByte(in, ',')
	if comma < 0 || !bytes.HasPrefix(in, []byte(scheme)) {
		m.URL = t
		return
	}
	mime, ok := bytes.CutSuffix(in[len(scheme):comma], []byte(encoding))
	if !ok || len(mime) == 0 || bytes.IndexByte(mime, ';') >= 0 {
		m.URL = t
		return
	}
	m.MIME, m.Data = quote(mime), quote(in[comma+1:])
}

// dataURI is the way back.
func dataURI(m *canonical.Media, mime string) canonical.Token {
	typ := inner(m.MIME)
	if len(typ) == 0 {
		typ = []byte(mime)
	}
	return quote([]byte("data:"), typ, []byte(";base64,"), inner(m.Data))
}

// quote puts pieces of tokens, without their quotes, into one token.
func quote(pieces ...[]byte) canonical.Token {
	n := 2
	for _, p := range pieces {
		n += len(p)
	}
	out := append(make(canonical.Token, 0, n), '"')
	for _, p := range pieces {
		out = append(out, p...)
	}
	return append(out, '"')
}
