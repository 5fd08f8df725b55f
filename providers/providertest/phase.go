package providertest

import (
	"strings"

	"github.com/ccproxy-go/ccproxy/adapters"
)

// Phase is how far a streamed answer gets before a fault sets in.
type Phase int

// The phases, in order.
const (
	// BeforeHeaders is before the client has been sent the whole head of the answer. Where the fault needs a head,
	// the head is sent with it and not before.
	BeforeHeaders Phase = iota
	// HeadersOnly is after the head has reached the client, before any event.
	HeadersOnly
	// FirstEvent is after the first event.
	FirstEvent
	// MidStream is after some of the text.
	MidStream
	// BeforeTerminal is when all but the terminal event have been sent.
	BeforeTerminal
)

// Phases returns every phase, in order.
func Phases() []Phase {
	return []Phase{BeforeHeaders, HeadersOnly, FirstEvent, MidStream, BeforeTerminal}
}

// String gives the name for messages and test names.
func (p Phase) String() string {
	names := [...]string{"before headers", "headers only", "first event", "mid-stream", "before the terminal"}
	if p < 0 || int(p) >= len(names) {
		return "unknown phase"
	}
	return names[p]
}

// faultText is what a stream with a fault says, if it gets so far.
const faultText = "One two three."

// scene is a sound stream and the point at which something happens to it.
type scene struct {
	format adapters.Format
	phase  Phase
	events []string
	at     int // how many events are sent before that point
}

func newScene(f adapters.Format, p Phase) scene {
	s := scene{format: f, phase: p, events: script(f, "claude-fake", faultText)}
	switch p {
	case FirstEvent:
		s.at = 1
	case MidStream:
		s.at = s.afterText()
	case BeforeTerminal:
		s.at = len(s.events) - 1
	default: // nothing of the stream
	}
	return s
}

// afterText is how many events there are up to the first word.
func (s scene) afterText() int {
	word := quoted(strings.SplitAfter(faultText, " ")[0])
	for i, ev := range s.events {
		if strings.Contains(ev, word) {
			return i + 1
		}
	}
	return len(s.events) / 2
}

func (s scene) before() string   { return strings.Join(s.events[:s.at], "") }
func (s scene) after() string    { return strings.Join(s.events[s.at:], "") }
func (s scene) terminal() string { return s.events[len(s.events)-1] }

// half is the beginning of an event that would have come next.
func (s scene) half() string {
	next := s.events[s.at]
	return next[:len(next)/2]
}
