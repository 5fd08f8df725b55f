package anthropic

import (
	"fmt"

	"github.com/ccproxy-go/ccproxy/adapters"
	"github.com/ccproxy-go/ccproxy/adapters/canonical"
	"github.com/ccproxy-go/ccproxy/internal/rawjson"
)

// delta takes a piece of a block.
func (d *streamDecoder) delta(yield yieldFunc) error {
	i, err := d.open()
	if err != nil {
		return err
	}
	raw, _ := d.doc.Raw("delta")
	if !isObject(raw) {
		return invalid("delta", "an object")
	}
	typ := find(raw, "type")
	if _, err := str(typ, "delta", "type"); err != nil {
		return err
	}
	if d.blocks[i].kind == canonical.PartOpaque {
		return d.opaqueDelta(i, typ, raw, yield)
	}
	switch string(typ) {
	case `"text_delta"`:
		return d.textDelta(i, canonical.PartText, raw, "text", yield)
	case `"thinking_delta"`:
		return d.textDelta(i, canonical.PartThinking, raw, "thinking", yield)
	case `"input_json_delta"`:
		return d.textDelta(i, canonical.PartToolCall, raw, "partial_json", yield)
	case `"signature_delta"`:
		return d.signed(i, raw, yield)
	case `"citations_delta"`:
		return d.cited(i, raw, yield)
	default:
		return d.opaqueDelta(i, typ, raw, yield)
	}
}

// signed takes a fragment of a signature.
func (d *streamDecoder) signed(i int, raw []byte, yield yieldFunc) error {
	if d.blocks[i].kind != canonical.PartThinking {
		return mismatch(find(raw, "type"))
	}
	signature, err := str(find(raw, "signature"), "delta", "signature")
	if err != nil || signature.Empty() {
		return err
	}
	return d.signatureDelta(i, signature, yield)
}

// cited takes a citation.
func (d *streamDecoder) cited(i int, raw []byte, yield yieldFunc) error {
	if d.blocks[i].kind != canonical.PartText {
		return mismatch(find(raw, "type"))
	}
	citation, ok := rawjson.Find(raw, "citation")
	if !ok {
		return invalid("delta.citation", "an object")
	}
	d.part = canonical.Part{Kind: canonical.PartText}
	return yield(canonical.Event{Kind: canonical.EventDelta, Index: i, Part: &d.part, Citation: citation})
}

// textDelta takes a fragment of text. Its members besides are kept.
func (d *streamDecoder) textDelta(
	i int, kind canonical.PartKind, raw []byte, name string, yield yieldFunc,
) error {
	if d.blocks[i].kind != kind {
		return mismatch(find(raw, "type"))
	}
	text, err := str(find(raw, name), "delta", name)
	if err != nil {
		return err
	}
	d.unknown = d.unknown[:0]
	for k, v := range rawjson.Members(raw) {
		if string(k) != `"type"` && string(k[1:len(k)-1]) != name {
			d.unknown = append(d.unknown, extra(k, v))
		}
	}
	return d.fragment(i, text, d.unknown, yield)
}

// opaqueDelta passes a piece on that belongs to a block of an unknown type, or is of an unknown type itself.
func (d *streamDecoder) opaqueDelta(i int, typ, raw []byte, yield yieldFunc) error {
	if b := &d.blocks[i]; b.raw != nil {
		b.keep(string(typ) == `"input_json_delta"`, raw)
	}
	name, _ := rawjson.String(typ)
	d.part = canonical.Part{Kind: canonical.PartOpaque, Type: name, Raw: raw}
	return yield(canonical.Event{Kind: canonical.EventDelta, Index: i, Part: &d.part})
}

// keep adds the texts of a delta to those of its opaque block.
func (b *block) keep(input bool, delta []byte) {
	for k, v := range rawjson.Members(delta) {
		switch {
		case string(k) == `"type"` || len(v) == 0 || v[0] != '"':
		case input && string(k) == `"partial_json"`:
			b.rawInput = joined(b.rawInput, v)
		case !input:
			name, _ := rawjson.String(k)
			b.addText(name, v)
		}
	}
}

func mismatch(typ []byte) error {
	return fmt.Errorf("%w: delta.type: %.40s does not fit its block", adapters.ErrInvalidInput, typ)
}
