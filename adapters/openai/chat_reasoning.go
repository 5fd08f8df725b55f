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
	opened                        bool // out of an envelope
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
		d.signature, d.format, d.opened = fields[0], formatAnthropic, true
	case kind == canonical.CarriedRedacted && len(fields) == 1:
		d.kind, d.encoding, d.format, d.opened = "reasoning.encrypted", fields[0], formatAnthropic, true
	case kind == canonical.CarriedReasoning && len(fields) == 2:
		d.id, d.encoding, d.format, d.opened = fields[0], fields[1], formatResponses, true
	}
}

// seal puts an entry of an upstream's answer into an envelope, as it is to come back. It is nil for one that holds
// nothing but words, or what the proxy itself has carried.
func (d *detail) seal(raw []byte) canonical.Token {
	if d.opened || !isObject(raw) || d.text != nil && d.signature.Empty() && d.encoding.Empty() {
		return nil
	}
	var w writer
	w.open('{')
	for key, v := range rawjson.Members(raw) {
		if name := string(nameOf(key)); d.text == nil || name != "text" && name != "summary" {
			w.fields([]canonical.Field{{Name: name, Raw: v}})
		}
	}
	w.close('}')
	return envelope.Seal(canonical.CarriedDetail, w.buf)
}

// sealedDetail is the entry that seal has put into an envelope, or nil.
func sealedDetail(p *canonical.Part) canonical.Token {
	if !envelope.Sealed(p.Signature) {
		return nil
	}
	kind, fields, ok := envelope.Open(p.Signature)
	if !ok || kind != canonical.CarriedDetail || len(fields) != 1 || !isObject(fields[0]) {
		return nil
	}
	return fields[0]
}

// writeSealed gives an entry back to the upstream that made it, with the words that it had.
func writeSealed(w *writer, p *canonical.Part, entry canonical.Token, index int) {
	kind := find(entry, "type")
	if is(kind, "reasoning.encrypted") && p.Kind == canonical.PartThinking {
		summary := p.Summary
		if summary == nil && !p.Text.Empty() {
			summary = []canonical.Token{p.Text}
		}
		format, id := lenientString(find(entry, "format")).String(), lenientString(find(entry, "id"))
		for _, s := range summary {
			writeDetail(w, "reasoning.summary", "summary", s, format, id, index)
		}
	}
	w.open('{')
	for key, v := range rawjson.Members(entry) {
		name := string(nameOf(key))
		w.fields([]canonical.Field{{Name: name, Raw: v}})
		if name == "type" && is(kind, "reasoning.text") {
			w.member("text", thoughts(p))
		}
	}
	w.close('}')
}

// disguise puts what another vendor wants back into envelopes: a client who gives it to another upstream of this
// dialect gives nothing away.
func disguise(p *canonical.Part) canonical.Part {
	out := *p
	switch {
	case p.Kind == canonical.PartRedacted && !envelope.Sealed(p.Signature):
		out.Signature = envelope.Seal(canonical.CarriedRedacted, p.Signature)
	case p.Encrypted != nil && !envelope.Sealed(p.Encrypted):
		out.Encrypted = envelope.Seal(canonical.CarriedReasoning, p.ID, p.Encrypted)
	case !p.Signature.Empty() && !envelope.Sealed(p.Signature):
		out.Signature = envelope.Seal(canonical.CarriedThinking, p.Signature)
	}
	return out
}

// decodeReasoning takes the thinking of a message. The details say all that the plain text says, if they are there.
//
// What an upstream's answer has for the upstream alone is sealed.
func decodeReasoning(parts []canonical.Part, message []byte, path string, answer bool) ([]canonical.Part, error) {
	name := "reasoning_content"
	text := find(message, name)
	if text == nil {
		name = "reasoning"
		text = find(message, name)
	}
	if text != nil && !isString(text) {
		return nil, invalid(path+"."+name, "must be a string")
	}
	g := detailGatherer{parts: parts, path: path + ".reasoning_details", answer: answer}
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
	parts  []canonical.Part
	path   string
	answer bool // of an upstream
	text   bool // there were words
	bare   int  // the number of a part of thinking without words, from 1
	n      int
}

func (g *detailGatherer) add(raw []byte) {
	d := decodeDetail(raw)
	path := at(g.path, g.n)
	g.n++
	if d.text != nil {
		g.text = true
	}
	switch {
	case g.sealed(&d, raw, path):
	case d.kind == "reasoning.text" && d.text != nil:
		g.parts = append(g.parts, d.words(raw, path))
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

// words is the part of an entry with a text. A signature of an unknown vendor stays in the entry.
func (d *detail) words(raw []byte, path string) canonical.Part {
	p := canonical.Part{Kind: canonical.PartThinking, Text: d.text, ID: d.id, Path: path}
	switch {
	case d.format == formatAnthropic:
		p.Signature = d.signature
	case d.signature != nil:
		keep(&p.Extra, []byte("reasoning_details"), raw)
	}
	return p
}

// sealed takes an entry of an answer with more than words: its part has the words, and an envelope for the upstream.
func (g *detailGatherer) sealed(d *detail, raw []byte, path string) bool {
	if !g.answer {
		return false
	}
	sealed := d.seal(raw)
	switch {
	case sealed == nil:
		return false
	case d.text != nil:
		g.parts = append(g.parts, canonical.Part{
			Kind: canonical.PartThinking, Text: d.text, ID: d.id, Signature: sealed, Path: path,
		})
	case d.kind == "reasoning.encrypted" && d.format == formatResponses:
		p := g.item(d.id, path)
		p.Signature = sealed
		if p.Summary == nil && p.Text == nil {
			g.bare = len(g.parts)
		}
	default:
		g.parts = append(g.parts, canonical.Part{
			Kind: canonical.PartRedacted, ID: d.id, Signature: sealed, Path: path,
		})
	}
	return true
}

// item gives the part of an item of reasoning that is being gathered, or a new one.
func (g *detailGatherer) item(id canonical.Token, path string) *canonical.Part {
	if n := len(g.parts); n > 0 && g.n > 1 {
		if p := &g.parts[n-1]; p.Kind == canonical.PartThinking && p.Encrypted == nil &&
			p.Signature == nil && string(p.ID) == string(id) {
			p.Path = g.path // of several entries
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
	if entry := sealedDetail(p); entry != nil {
		writeSealed(w, p, entry, index)
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
