package openai

import (
	"slices"

	"github.com/ccproxy-go/ccproxy/adapters/canonical"
	"github.com/ccproxy-go/ccproxy/internal/rawjson"
)

// none is the index of no block.
const none = -1

// streamedChoice is where one answer of a stream stands.
type streamedChoice struct {
	next    int // the index of the next block
	open    int // the index of the block of words that is open, or none
	kind    canonical.PartKind
	calls   []streamedCall
	finish  string
	refused bool
	plain   bool     // thinking comes as plain words, which the details repeat
	unknown []string // names of members that were told as unknown
}

// choiceTeller turns what one chunk says about one answer into events.
type choiceTeller struct {
	d        *chatStreamDecoder
	c        *streamedChoice
	choice   int
	yield    yieldEvent
	logprobs canonical.Raw // of the words of this chunk
}

// tell yields an event about a block, with the decoder's part.
func (t *choiceTeller) tell(kind canonical.EventKind, index int, delta canonical.Token) error {
	return t.yield(canonical.Event{
		Kind: kind, Index: index, Choice: t.choice, Part: &t.d.part, Delta: delta,
	})
}

// deltaMembers are the members of a delta.
type deltaMembers struct {
	thinking, text, refusal        canonical.Token
	details, calls, oldCall, notes []byte
	unknown                        []canonical.Field
}

func (m *deltaMembers) read(raw []byte) {
	for key, v := range rawjson.Members(raw) {
		switch string(nameOf(key)) {
		case "reasoning_content":
			m.thinking = lenientString(v)
		case "reasoning":
			if m.thinking.Empty() {
				m.thinking = lenientString(v)
			}
		case "reasoning_details":
			m.details = v
		case "content":
			m.text = contentText(v)
		case "refusal":
			m.refusal = lenientString(v)
		case "tool_calls":
			m.calls = v
		case "function_call":
			m.oldCall = v
		case "annotations":
			m.notes = v
		case "role":
		default:
			if !isNull(v) {
				keep(&m.unknown, nameOf(key), v)
			}
		}
	}
}

func (t *choiceTeller) delta(raw []byte) error {
	var m deltaMembers
	m.read(raw)
	if !m.thinking.Empty() {
		t.c.plain = true
	}
	if err := t.words(canonical.PartThinking, m.thinking); err != nil {
		return err
	}
	if err := t.details(m.details); err != nil {
		return err
	}
	if err := t.words(canonical.PartText, m.text); err != nil {
		return err
	}
	if err := t.citations(m.notes); err != nil {
		return err
	}
	if err := t.words(canonical.PartRefusal, m.refusal); err != nil {
		return err
	}
	if err := t.allCalls(m.calls, m.oldCall); err != nil {
		return err
	}
	return t.unknown(m.unknown)
}

// unknown tells members that have no place, such as sound, so that they are reported: once for each name, since
// servers that have one send it with every fragment.
func (t *choiceTeller) unknown(fields []canonical.Field) error {
	for _, f := range fields {
		if slices.Contains(t.c.unknown, f.Name) {
			continue
		}
		t.c.unknown = append(t.c.unknown, f.Name)
		t.d.part = opaque(f.Name, f.Raw, "choices[0].delta."+f.Name)
		if err := t.yield(canonical.Event{Kind: canonical.EventPing, Choice: t.choice, Part: &t.d.part}); err != nil {
			return err
		}
	}
	return nil
}

// contentText gives the words of a content, which some servers send as a list of parts.
func contentText(v []byte) canonical.Token {
	if !isArray(v) {
		return lenientString(v)
	}
	var texts []canonical.Token
	for part := range rawjson.Elements(v) {
		if text := lenientString(find(part, "text")); text != nil {
			texts = append(texts, text)
		}
	}
	if texts == nil {
		return nil
	}
	return joined("", texts)
}

// words tells a fragment of text, thinking or refusal.
func (t *choiceTeller) words(kind canonical.PartKind, fragment canonical.Token) error {
	if fragment.Empty() {
		return nil
	}
	if err := t.openWords(kind); err != nil {
		return err
	}
	t.d.part = canonical.Part{Kind: kind, Logprobs: t.logprobs}
	t.logprobs = nil
	return t.tell(canonical.EventDelta, t.c.open, fragment)
}

// openWords makes sure that a block of the kind is open.
func (t *choiceTeller) openWords(kind canonical.PartKind) error {
	c := t.c
	if c.open != none && c.kind == kind {
		return nil
	}
	if err := t.closeWords(canonical.Part{}); err != nil {
		return err
	}
	if err := t.closeCalls(false); err != nil {
		return err
	}
	c.open, c.kind = c.next, kind
	c.next++
	c.refused = c.refused || kind == canonical.PartRefusal
	t.d.part = canonical.Part{Kind: kind}
	return t.tell(canonical.EventBlockStart, c.open, nil)
}

// closeWords ends the open block of words; end holds what only the end tells.
func (t *choiceTeller) closeWords(end canonical.Part) error {
	c := t.c
	if c.open == none {
		return nil
	}
	index := c.open
	c.open = none
	end.Kind = c.kind
	t.d.part = end
	return t.tell(canonical.EventBlockStop, index, nil)
}

// closeAll ends all blocks: the answer is over.
func (t *choiceTeller) closeAll() error {
	if err := t.closeWords(canonical.Part{}); err != nil {
		return err
	}
	return t.closeCalls(true)
}

// details tells what the entries hold beyond the words. What only the vendor can read ends a block.
func (t *choiceTeller) details(list []byte) error {
	for raw := range rawjson.Elements(list) {
		if err := t.detail(raw); err != nil {
			return err
		}
	}
	return nil
}

func (t *choiceTeller) detail(raw []byte) error {
	d := decodeDetail(raw)
	if sealed := d.seal(raw); sealed != nil {
		return t.sealedDetail(&d, sealed)
	}
	switch {
	case d.kind == "reasoning.encrypted" && d.format == formatAnthropic:
		return t.whole(canonical.Part{Kind: canonical.PartRedacted, Signature: d.encoding})
	case d.kind == "reasoning.encrypted" && d.format == formatResponses:
		return t.endThinking(canonical.Part{Encrypted: d.encoding, ID: d.id})
	case d.kind != "reasoning.text" && d.kind != "reasoning.summary":
		return t.whole(opaque("reasoning_details", raw, ""))
	}
	if !t.c.plain {
		if err := t.words(canonical.PartThinking, d.text); err != nil {
			return err
		}
	}
	if d.signature.Empty() || d.format != formatAnthropic {
		return nil
	}
	return t.endThinking(canonical.Part{Signature: d.signature, ID: d.id})
}

// sealedDetail tells an entry that the upstream wants back.
func (t *choiceTeller) sealedDetail(d *detail, sealed canonical.Token) error {
	words := d.kind == "reasoning.text" || d.kind == "reasoning.summary"
	if !words && d.format != formatResponses {
		return t.whole(canonical.Part{Kind: canonical.PartRedacted, Signature: sealed, ID: d.id})
	}
	if words && !t.c.plain {
		if err := t.words(canonical.PartThinking, d.text); err != nil {
			return err
		}
	}
	return t.endThinking(canonical.Part{Signature: sealed, ID: d.id})
}

// endThinking ends the block of thinking. One without words is begun for it.
func (t *choiceTeller) endThinking(end canonical.Part) error {
	if err := t.openWords(canonical.PartThinking); err != nil {
		return err
	}
	return t.closeWords(end)
}

// whole tells a block that has no fragments.
func (t *choiceTeller) whole(p canonical.Part) error {
	if err := t.closeWords(canonical.Part{}); err != nil {
		return err
	}
	index := t.c.next
	t.c.next++
	t.d.part = p
	if err := t.tell(canonical.EventBlockStart, index, nil); err != nil {
		return err
	}
	return t.tell(canonical.EventBlockStop, index, nil)
}

// citations tells annotations, which belong to the text.
func (t *choiceTeller) citations(list []byte) error {
	for raw := range rawjson.Elements(list) {
		if err := t.openWords(canonical.PartText); err != nil {
			return err
		}
		t.d.part = canonical.Part{Kind: canonical.PartText}
		err := t.yield(canonical.Event{
			Kind: canonical.EventDelta, Index: t.c.open, Choice: t.choice, Part: &t.d.part, Citation: raw,
		})
		if err != nil {
			return err
		}
	}
	return nil
}
