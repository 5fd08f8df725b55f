package adapters

import (
	"github.com/ccproxy-go/ccproxy/adapters/canonical"
	"github.com/ccproxy-go/ccproxy/internal/rawjson"
)

// Replay makes a stream of a whole answer, for a client who asked for one where the upstream has none. It fails
// only where the encoder or yield does.
func Replay(resp *canonical.Response, enc StreamEncoder, yield func(Event) error) error {
	p := player{enc: enc, yield: yield}
	p.play(&canonical.Event{
		Kind: canonical.EventStart, Source: resp.Source, ID: resp.ID, Model: resp.Model, Created: resp.Created,
		Usage: resp.Usage, Extra: resp.Extra,
	})
	stop := &canonical.Event{Kind: canonical.EventStop, Usage: resp.Usage}
	for i, choice := range resp.Choices {
		for k := range choice.Parts {
			p.part(i, &choice.Parts[k])
		}
		if i > 0 {
			stop.More = append(stop.More, choice.Stop)
			continue
		}
		stop.Stop, stop.Extra = choice.Stop, choice.Extra
	}
	if stop.Stop.Reason == canonical.StopFailed {
		failure := failureOf(stop.Stop.Error)
		stop = &canonical.Event{Kind: canonical.EventError, Error: &failure}
	}
	p.play(stop)
	return p.err
}

// player encodes events until one fails.
type player struct {
	enc   StreamEncoder
	yield func(Event) error
	index int // of the next block
	err   error
}

func (p *player) play(ev *canonical.Event) {
	if p.err == nil {
		p.err = p.enc.Encode(ev, p.yield)
	}
}

// part plays one block: its start without what fragments carry, one fragment of each kind, and its end.
func (p *player) part(choice int, part *canonical.Part) {
	event := func(kind canonical.EventKind) *canonical.Event {
		return &canonical.Event{Kind: kind, Index: p.index, Choice: choice}
	}
	defer func() { p.index++ }()
	start := event(canonical.EventBlockStart)
	opening := *part
	opening.Text, opening.Summary, opening.Signature, opening.Citations = nil, nil, nil, nil
	if part.Kind == canonical.PartRedacted { // has no fragments
		opening.Signature = part.Signature
	}
	fragment := part.Text
	if part.Summary != nil {
		fragment = canonical.Join("\n\n", part.Summary...)
	}
	if part.Call != nil {
		call := *part.Call
		call.Args = canonical.Args{}
		opening.Call = &call
		fragment = fragmentOf(part.Call.Args)
	}
	start.Part = &opening
	p.play(start)
	delta := func(change func(*canonical.Event)) {
		ev := event(canonical.EventDelta)
		ev.Part = &canonical.Part{Kind: part.Kind}
		change(ev)
		p.play(ev)
	}
	if !fragment.Empty() {
		delta(func(ev *canonical.Event) { ev.Delta = fragment })
	}
	for citation := range rawjson.Elements(part.Citations) {
		delta(func(ev *canonical.Event) { ev.Citation = citation })
	}
	if part.Kind == canonical.PartThinking && !part.Signature.Empty() {
		delta(func(ev *canonical.Event) { ev.Signature = part.Signature })
	}
	stop := event(canonical.EventBlockStop)
	stop.Part = part
	p.play(stop)
}

// fragmentOf is a call's arguments as text.
func fragmentOf(a canonical.Args) canonical.Token {
	if a.String != nil {
		return a.String
	}
	if a.Object == nil {
		return nil
	}
	return canonical.NewToken(string(a.Object))
}
