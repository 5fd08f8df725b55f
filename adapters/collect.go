package adapters

import (
	"bytes"
	"fmt"
	"slices"

	"github.com/ccproxy-go/ccproxy/adapters/canonical"
	"github.com/ccproxy-go/ccproxy/internal/rawjson"
)

// Collect makes a whole answer of a stream, for a client who asked for one where the upstream only streams. It fails
// with the error that the upstream tells, as a [*StreamError], with an error of in, and, wrapping [ErrStreamCut], where
// the stream ends too early: half an answer is none.
func Collect(dec StreamDecoder, in Stream) (*canonical.Response, error) {
	c := collector{resp: &canonical.Response{}}
	for ev, err := range in {
		if c.done {
			continue // nothing that comes after the end changes the answer, not even an error
		}
		if err != nil {
			return nil, err
		}
		if err := dec.Decode(ev, c.take); err != nil {
			return nil, err
		}
	}
	if !c.done {
		if err := dec.End(c.take); err != nil {
			return nil, err
		}
	}
	if !c.done {
		return nil, ErrStreamCut
	}
	return c.response(), nil
}

// collector gathers the events of one stream. Nothing of an event is kept but copies.
type collector struct {
	resp   *canonical.Response
	blocks []*collected     // in the order of their start
	stops  []canonical.Stop // of each answer
	done   bool
}

// collected is one block.
type collected struct {
	index, choice int
	start, end    canonical.Part // as the block's first and last event have it
	text          []byte         // what is between the quotes of the fragments
	signature     []byte
	citations     []byte
	logprobs      []byte
}

func (c *collector) take(ev canonical.Event) error {
	switch ev.Kind {
	case canonical.EventStart:
		c.resp.ID, c.resp.Model = bytes.Clone(ev.ID), bytes.Clone(ev.Model)
		c.resp.Source, c.resp.Created = ev.Source, ev.Created
		c.resp.Extra = cloneFields(ev.Extra)
		c.usage(ev.Usage)
	case canonical.EventBlockStart:
		b := &collected{index: ev.Index, choice: ev.Choice}
		if ev.Part != nil {
			b.start = clonePart(*ev.Part)
		}
		c.blocks = append(c.blocks, b)
	case canonical.EventDelta:
		b, err := c.block(ev)
		if err != nil {
			return err
		}
		b.add(ev)
	case canonical.EventBlockStop:
		b, err := c.block(ev)
		if err != nil {
			return err
		}
		if ev.Part != nil {
			b.end = clonePart(*ev.Part)
		}
	case canonical.EventUsage:
		c.usage(ev.Usage)
	case canonical.EventStop:
		c.usage(ev.Usage)
		c.extras(ev.Extra)
		c.stops = append(c.stops, cloneStop(ev.Stop))
		for _, s := range ev.More {
			c.stops = append(c.stops, cloneStop(s))
		}
		c.done = true
	case canonical.EventError:
		return &StreamError{Failure: cloneError(failureOf(ev.Error))}
	case canonical.EventPing:
	}
	return nil
}

// extras takes members that only the end of an answer tells. What they say goes before what its start said.
func (c *collector) extras(fields []canonical.Field) {
	for _, f := range cloneFields(fields) {
		same := func(old canonical.Field) bool { return old.Name == f.Name }
		if i := slices.IndexFunc(c.resp.Extra, same); i >= 0 {
			c.resp.Extra[i] = f
			continue
		}
		c.resp.Extra = append(c.resp.Extra, f)
	}
}

// tier takes the tier that served from where streams tell it: among the members of the answer, or of its usage.
func (c *collector) tier() {
	take := func(fields []canonical.Field) []canonical.Field {
		return slices.DeleteFunc(fields, func(f canonical.Field) bool {
			told := f.Name == "service_tier" && len(f.Raw) > 0 && f.Raw[0] == '"'
			if told {
				c.resp.ServiceTier = canonical.Token(f.Raw)
			}
			return told
		})
	}
	c.resp.Extra = take(c.resp.Extra)
	if c.resp.Usage != nil {
		c.resp.Usage.Extra = take(c.resp.Usage.Extra)
	}
}

// usage takes the newest counts. What they do not tell stays as it was.
func (c *collector) usage(u *canonical.Usage) {
	if u == nil {
		return
	}
	merged := *u
	merged.Extra = cloneFields(u.Extra)
	if old := c.resp.Usage; old != nil {
		if !u.HasInput && old.HasInput {
			merged.Input, merged.CacheRead, merged.CacheWrite = old.Input, old.CacheRead, old.CacheWrite
			merged.HasInput = true
		}
		if !u.HasOutput && old.HasOutput {
			merged.Output, merged.Reasoning, merged.HasOutput = old.Output, old.Reasoning, true
		}
		if merged.Extra == nil {
			merged.Extra = old.Extra
		}
	}
	c.resp.Usage = &merged
}

// block finds the latest block of an event's index.
func (c *collector) block(ev canonical.Event) (*collected, error) {
	for _, b := range slices.Backward(c.blocks) {
		if b.index == ev.Index {
			return b, nil
		}
	}
	return nil, fmt.Errorf("%w: event of block %d, which has not begun", ErrInvalidInput, ev.Index)
}

// add appends the fragments of an event.
func (b *collected) add(ev canonical.Event) {
	b.text = appendContent(b.text, ev.Delta)
	b.signature = appendContent(b.signature, ev.Signature)
	if len(ev.Citation) > 0 {
		if len(b.citations) > 0 {
			b.citations = append(b.citations, ',')
		}
		b.citations = append(b.citations, ev.Citation...)
	}
	if ev.Part != nil {
		b.weigh(ev.Part.Logprobs)
	}
}

// weigh takes the probabilities of a fragment, which Chat has in an object of their own.
func (b *collected) weigh(list canonical.Raw) {
	if inside, ok := rawjson.Find(list, "content"); ok {
		list = inside
	}
	for raw := range rawjson.Elements(list) {
		if len(b.logprobs) > 0 {
			b.logprobs = append(b.logprobs, ',')
		}
		b.logprobs = append(b.logprobs, raw...)
	}
}

func appendContent(dst []byte, t canonical.Token) []byte {
	if t.Empty() {
		return dst
	}
	return append(dst, t[1:len(t)-1]...)
}

// response puts the blocks of each answer together.
func (c *collector) response() *canonical.Response {
	c.tier()
	count := len(c.stops)
	for _, b := range c.blocks {
		count = max(count, b.choice+1)
	}
	c.resp.Choices = make([]canonical.Choice, count)
	for _, b := range c.blocks {
		choice := &c.resp.Choices[b.choice]
		choice.Parts = append(choice.Parts, b.whole())
	}
	for i, s := range c.stops {
		c.resp.Choices[i].Stop = s
	}
	return c.resp
}

// whole is the block's part: what its end tells goes before the fragments, and these before what its start tells.
func (b *collected) whole() canonical.Part {
	p := b.start
	told := func(dst *canonical.Token, start canonical.Token, fragments []byte, end canonical.Token) {
		switch {
		case end != nil:
			*dst = end
		case len(fragments) > 0:
			*dst = quote(start, fragments)
		}
	}
	args := b.text
	if p.Call == nil && b.end.Call == nil {
		args = nil
		told(&p.Text, b.start.Text, b.text, b.end.Text)
	}
	told(&p.Signature, b.start.Signature, b.signature, b.end.Signature)
	told(&p.Encrypted, nil, nil, b.end.Encrypted)
	told(&p.ID, nil, nil, b.end.ID)
	told(&p.Status, nil, nil, b.end.Status)
	if b.end.Summary != nil {
		p.Summary, p.Text = b.end.Summary, nil
	}
	raw := func(dst *canonical.Raw, fragments []byte, end canonical.Raw) {
		switch {
		case end != nil:
			*dst = end
		case len(fragments) > 0:
			*dst = append(append(canonical.Raw{'['}, fragments...), ']')
		}
	}
	raw(&p.Citations, b.citations, b.end.Citations)
	raw(&p.Logprobs, b.logprobs, b.end.Logprobs)
	raw(&p.Raw, nil, b.end.Raw)
	if b.end.Media != nil {
		p.Media = b.end.Media
	}
	if b.end.Extra != nil {
		p.Extra = b.end.Extra
	}
	p.Call = wholeCall(b.start.Call, b.end.Call, args)
	return p
}

// wholeCall is a call whose arguments come from its end, the fragments or its start.
func wholeCall(start, end *canonical.ToolCall, fragments []byte) *canonical.ToolCall {
	if start == nil && end == nil {
		return nil
	}
	var call canonical.ToolCall
	if start != nil {
		call = *start
	}
	if len(fragments) > 0 {
		call.Args = canonical.Args{String: quote(nil, fragments)}
	}
	if end != nil {
		call.Custom = call.Custom || end.Custom
		if end.ID != nil {
			call.ID = end.ID
		}
		if end.Name != nil {
			call.Name = end.Name
		}
		if end.Extra != nil {
			call.Extra = end.Extra
		}
		if end.Args.Object != nil || end.Args.String != nil {
			call.Args = end.Args
		}
	}
	if call.Args.Object == nil && call.Args.String.Empty() && !call.Custom {
		call.Args = canonical.Args{Object: canonical.Raw("{}")}
	}
	return &call
}

// quote is the token of fragments that follow another token.
func quote(first canonical.Token, fragments []byte) canonical.Token {
	t := make(canonical.Token, 0, len(first)+len(fragments)+len(`""`))
	t = append(t, '"')
	t = appendContent(t, first)
	t = append(t, fragments...)
	return append(t, '"')
}
