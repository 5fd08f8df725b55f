package openai

import (
	"bytes"

	"github.com/ccproxy-go/ccproxy/adapters/canonical"
	"github.com/ccproxy-go/ccproxy/internal/rawjson"
)

// parseContent reads the content of a message or of a tool's output: one text, or a list of parts.
func parseContent(raw []byte, path string) ([]canonical.Part, error) {
	if isString(raw) {
		return []canonical.Part{{Kind: canonical.PartText, Text: canonical.Token(raw), Path: path}}, nil
	}
	if !isArray(raw) {
		return nil, invalid(path, "must be a string or a list")
	}
	var parts []canonical.Part
	for part := range rawjson.Elements(raw) {
		p, err := parsePart(part, at(path, len(parts)))
		if err != nil {
			return nil, err
		}
		parts = append(parts, p)
	}
	return parts, nil
}

// parsePart reads one part. A part of an unknown type is kept as it is.
func parsePart(raw []byte, path string) (canonical.Part, error) {
	if !isObject(raw) {
		return canonical.Part{}, invalid(path, "must be an object")
	}
	typ, err := memberString(find(raw, "type"), path, "type")
	if err != nil {
		return canonical.Part{}, err
	}
	switch typ.String() {
	case "":
		return canonical.Part{}, invalid(join(path, "type"), "is required")
	case "input_text", "output_text", "text":
		return parseText(raw, path)
	case "refusal":
		p := canonical.Part{Kind: canonical.PartRefusal, Path: path}
		err := readMembers(raw, path, &p.Extra, map[string]*canonical.Token{"refusal": &p.Text})
		return p, err
	case "input_image":
		return parseImage(raw, path)
	case "input_file":
		return parseFile(raw, path)
	case "input_audio":
		return parseAudio(raw, path)
	default:
		return canonical.Part{Kind: canonical.PartOpaque, Type: typ.String(), Raw: raw, Path: path}, nil
	}
}

// readMembers takes the strings that are known and keeps other members.
func readMembers(
	raw []byte, path string, kept *[]canonical.Field, known map[string]*canonical.Token,
) (err error) {
	for key, value := range rawjson.Members(raw) {
		name := nameOf(key)
		to := known[string(name)]
		switch {
		case to != nil:
			if *to, err = memberString(value, path, string(name)); err != nil {
				return err
			}
		case string(name) != "type":
			keep(kept, name, value)
		}
	}
	return nil
}

func parseText(raw []byte, path string) (canonical.Part, error) {
	p := canonical.Part{Kind: canonical.PartText, Path: path}
	for key, value := range rawjson.Members(raw) {
		var err error
		switch name := nameOf(key); string(name) {
		case "type":
		case "text":
			p.Text, err = memberString(value, path, "text")
		case "annotations":
			p.Citations = listOf(value)
		case "logprobs":
			p.Logprobs = listOf(value)
		default:
			keep(&p.Extra, name, value)
		}
		if err != nil {
			return p, err
		}
	}
	if p.Text == nil {
		return p, invalid(join(path, "text"), "is required")
	}
	return p, nil
}

func parseImage(raw []byte, path string) (canonical.Part, error) {
	m := &canonical.Media{}
	err := readMembers(raw, path, &m.Extra, map[string]*canonical.Token{
		"image_url": &m.URL, "file_id": &m.FileID, "detail": &m.Detail,
	})
	if mime, data := splitDataURI(m.URL); data != nil {
		m.MIME, m.Data, m.URL = mime, data, nil
	}
	if err == nil && m.URL == nil && m.Data == nil && m.FileID == nil {
		err = invalid(join(path, "image_url"), "is required")
	}
	return canonical.Part{Kind: canonical.PartImage, Media: m, Path: path}, err
}

func parseFile(raw []byte, path string) (canonical.Part, error) {
	m := &canonical.Media{}
	err := readMembers(raw, path, &m.Extra, map[string]*canonical.Token{
		"file_data": &m.Data, "file_url": &m.URL, "file_id": &m.FileID, "filename": &m.Filename, "detail": &m.Detail,
	})
	if mime, data := splitDataURI(m.Data); data != nil {
		m.MIME, m.Data = mime, data
	}
	return canonical.Part{Kind: canonical.PartDocument, Media: m, Path: path}, err
}

// audioType is what the media types of sounds begin with.
const audioType = "audio/"

// parseAudio reads a sound, whose format is told by the end of its media type.
func parseAudio(raw []byte, path string) (canonical.Part, error) {
	m := &canonical.Media{}
	p := canonical.Part{Kind: canonical.PartAudio, Media: m, Path: path}
	for key, value := range rawjson.Members(raw) {
		if name := nameOf(key); string(name) != "type" && string(name) != "input_audio" {
			keep(&p.Extra, name, value)
		}
	}
	var format canonical.Token
	err := readMembers(find(raw, "input_audio"), join(path, "input_audio"), &m.Extra,
		map[string]*canonical.Token{"data": &m.Data, "format": &format})
	if format != nil {
		m.MIME = quote(append([]byte(audioType), inner(format)...))
	}
	if err == nil && m.Data == nil {
		err = invalid(join(path, "input_audio.data"), "is required")
	}
	return p, err
}

// audioFormat is the way back from a media type.
func audioFormat(mime canonical.Token) canonical.Token {
	return quote(bytes.TrimPrefix(inner(mime), []byte(audioType)))
}
