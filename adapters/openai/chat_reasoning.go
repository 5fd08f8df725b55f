package openai

import (
	"github.com/ccproxy-go/ccproxy/adapters/canonical"
	"github.com/ccproxy-go/ccproxy/adapters/internal/envelope"
	"github.com/ccproxy-go/ccproxy/internal/rawjson"
)

// Formats of the entries in reasoning_details whose data can be given to their vendor.
const (
	formatAnthropic = "anthropic-claude-v1"
	formatResponses = "openai-responses-v1"
)

// detail is one entry of reasoning_details.
type detail struct {
	kind, format                  string
	id, text, signature, encoding canonical.Token
}

func decodeDetail(raw []byte) detail {
	d := detail{
		kind:      lenientString(find(raw, "type")).String(),
		format:    lenientString(find(raw, "format")).String(),
		id:        lenientString(find(raw, "id")),
		signature: lenientString(find(raw, "signature")),
		encoding:  lenientString(find(raw, "data")),
	}
	d.text = lenientString(find(raw, "text"))
	if d.kind == "reasoning.summary" {
		d.text = lenientString(find(raw, "summary"))
	}
	d.open()
	return d
}

// open takes what another proxy has put into an envelope out of it.
func (d *detail) open() {
	sealed := d.signature
	if sealed == nil {
		sealed = d.encoding
	}
	kind, fields, ok := envelope.Open(sealed)
	switch {
	case !ok:
	case kind == canonical.CarriedThinking && len(fields) == 1:
		d.signature, d.format = fields[0], formatAnthropic
	case kind == canonical.CarriedRedacted && len(fields) == 1:
		d.kind, d.encoding, d.format = "reasoning.encrypted", fields[0], formatAnthropic
	case kind == canonical.CarriedReasoning && len(fields) == 2:
		d.id, d.encoding, d.format = fields[0], fields[1], formatResponses
	}
}

// decodeReasoning takes the thinking of a message. The details say all that the plain text says, if they are there.
func decodeReasoning(parts []canonical.Part, message []byte, path string) ([]canonical.Part, error) {
	name := "reasoning_content"
	text := find(message, name)
	if text == nil {
		name = "reasoning"
		text = find(message, name)
	}
	if text != nil && !isString(text) {
		return nil, invalid(path+"."+name, "must be a string")
	}
	g := detailGatherer{parts: parts, path: path + ".reasoning_details"}
	for raw := range rawjson.Elements(find(message, "reasoning_details")) {
		g.add(raw)
	}
	parts = g.parts
	if g.text || canonical.Token(text).Empty() {
		return parts, nil
	}
	plain := canonical.Part{Kind: canonical.PartThinking, Text: text, Path: path + "." + name}
	if g.bare > 0 { // the data that came without words belongs to these
		parts[g.bare-1].Text = text
		return parts, nil
	}
	return append([]canonical.Part{plain}, parts...), nil
}

// detailGatherer makes parts of details. Those of one item of reasoning have the same id and follow each other.
type detailGatherer struct {
	parts []canonical.Part
	path  string
	text  bool // there were words
	bare  int  // the number of a part of thinking without words, from 1
	n     int
}

func (g *detailGatherer) add(raw []byte) {
	d := decodeDetail(raw)
	path := at(g.path, g.n)
	g.n++
	if d.text != nil {
		g.text = true
	}
	switch {
	case d.kind == "reasoning.text" && d.text != nil:
		p := canonical.Part{Kind: canonical.PartThinking, Text: d.text, ID: d.id, Path: path}
		if d.format == formatAnthropic {
			p.Signature = d.signature
		} else if d.signature != nil {
			keep(&p.Extra, []byte("reasoning_details"), raw)
		}
		g.parts = append(g.parts, p)
	case d.kind == "reasoning.summary" && d.text != nil:
		p := g.item(d.id, path)
		p.Summary = append(p.Summary, d.text)
	case d.kind == "reasoning.encrypted" && d.format == formatAnthropic:
		g.parts = append(g.parts, canonical.Part{
			Kind: canonical.PartRedacted, Signature: d.encoding, ID: d.id, Path: path,
		})
	case d.kind == "reasoning.encrypted" && d.format == formatResponses:
		p := g.item(d.id, path)
		p.Encrypted = d.encoding
		if p.Summary == nil && p.Text == nil {
			g.bare = len(g.parts)
		}
	default:
		g.parts = append(g.parts, opaque("reasoning_details", raw, path))
	}
}

// item gives the part of an item of reasoning that is being gathered, or a new one.
func (g *detailGatherer) item(id canonical.Token, path string) *canonical.Part {
	if n := len(g.parts); n > 0 && g.n > 1 {
		if p := &g.parts[n-1]; p.Kind == canonical.PartThinking && p.Encrypted == nil &&
			p.Signature == nil && string(p.ID) == string(id) {
			return p
		}
	}
	g.parts = append(g.parts, canonical.Part{Kind: canonical.PartThinking, ID: id, Path: path})
	return &g.parts[len(g.parts)-1]
}

// thoughts gives the words of a part of thinking.
func thoughts(p *canonical.Part) canonical.Token {
	if p.Summary == nil {
		return p.Text
	}
	return canonical.Join("\n\n", p.Summary...)
}

// writeDetails adds the entries of a part to an open list. A text without anything to verify needs none.
func writeDetails(w *writer, p *canonical.Part, index int) {
	if kept := extra(p.Extra, "reasoning_details"); kept != nil {
		w.value(kept)
		return
	}
	switch {
	case p.Kind == canonical.PartOpaque:
		w.value(p.Raw)
	case p.Kind == canonical.PartRedacted:
		writeDetail(w, "reasoning.encrypted", "data", p.Signature, formatAnthropic, p.ID, index)
	case p.Encrypted != nil || p.Summary != nil:
		for _, s := range p.Summary {
			writeDetail(w, "reasoning.summary", "summary", s, formatResponses, p.ID, index)
		}
		if p.Text != nil {
			writeDetail(w, "reasoning.text", "text", p.Text, formatResponses, p.ID, index)
		}
		if p.Encrypted != nil {
			writeDetail(w, "reasoning.encrypted", "data", p.Encrypted, formatResponses, p.ID, index)
		}
	default:
		w.open('{')
		w.text("type", "reasoning.text")
		w.member("text", p.Text)
		w.member("signature", p.Signature)
		w.member("id", p.ID)
		if p.Signature != nil {
			w.text("format", formatAnthropic)
		}
		w.number("index", int64(index))
		w.close('}')
	}
}

func writeDetail(w *writer, typ, name string, value canonical.Token, format string, id canonical.Token, index int) {
	w.open('{')
	w.text("type", typ)
	w.member(name, value)
	w.member("id", id)
	w.text("format", format)
	w.number("index", int64(index))
	w.close('}')
}

// needsDetails tells whether there is more to a part of thinking than its words.
func needsDetails(p *canonical.Part) bool {
	return p.Signature != nil || p.Encrypted != nil || len(p.Summary) > 0 || p.ID != nil ||
		p.Kind == canonical.PartOpaque || extra(p.Extra, "reasoning_details") != nil
}
