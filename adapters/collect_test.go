package adapters_test

import (
	"errors"
	"io"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/ccproxy-go/ccproxy/adapters"
	"github.com/ccproxy-go/ccproxy/adapters/canonical"
)

func TestCollect(t *testing.T) {
	t.Parallel()
	const begin, a, b, end = `begin {"by":"m"}`, `text {"t":"a\u00e4"}`, `text {"t":"b"}`, `end {}`
	reset := errors.New("connection reset")
	for _, test := range []struct {
		name string
		in   adapters.Stream
		want string
		err  error
	}{
		{"whole", stream(nil, begin, a, b, end), `{"by":"m","text":"a\u00e4b"}`, nil},
		{"silent", stream(nil, begin, end), `{"by":"m","text":""}`, nil},
		{"cut", stream(nil, begin, a), "", io.ErrUnexpectedEOF},
		{"broken", stream(reset, begin, a), "", reset},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			resp, err := adapters.Collect(plain{left}.DecodeStream(), test.in)
			if !errors.Is(err, test.err) {
				t.Fatalf("error = %v, want %v", err, test.err)
			}
			if err != nil {
				return
			}
			body, err := plain{left}.EncodeResponse(resp, nil, nil)
			if err != nil || string(body) != test.want {
				t.Errorf("answer = %s, %v, want %s", body, err, test.want)
			}
		})
	}
	_, err := adapters.Collect(plain{left}.DecodeStream(), stream(nil, begin, `wrong {"wrong":"x"}`))
	var told *adapters.StreamError
	if !errors.As(err, &told) || told.Failure.Message.String() != "x" {
		t.Errorf("error = %v, want the upstream's own", err)
	}
}

// scripted decodes to the events it holds, and remembers those that it encodes.
type scripted struct{ events, seen []canonical.Event }

func (s *scripted) Decode(_ adapters.Event, yield func(canonical.Event) error) error {
	for _, ev := range s.events {
		if err := yield(ev); err != nil {
			return err
		}
	}
	return nil
}

func (s *scripted) End(func(canonical.Event) error) error { return nil }

func (s *scripted) Encode(ev *canonical.Event, _ func(adapters.Event) error) error {
	s.seen = append(s.seen, *ev)
	return nil
}

func (s *scripted) Fail(adapters.ErrorInfo, func(adapters.Event) error) error { return nil }
func (s *scripted) Losses() []canonical.Loss                                  { return nil }

// What is collected from a replay is what was replayed: thinking with its signature, text with citations, tool calls
// with and without arguments.
func TestReplayCollect(t *testing.T) {
	t.Parallel()
	tok := canonical.NewToken
	resp := &canonical.Response{
		ID: tok("msg_1"), Model: tok("m"), Created: 7, Usage: &canonical.Usage{Input: 3, Output: 4, HasInput: true},
		Choices: []canonical.Choice{{
			Parts: []canonical.Part{
				{Kind: canonical.PartThinking, Text: tok("hm"), Signature: tok("sig")},
				{Kind: canonical.PartRedacted, Signature: tok("data")},
				{Kind: canonical.PartThinking, Summary: []canonical.Token{tok("a"), tok("b")}, Encrypted: tok("enc")},
				{Kind: canonical.PartText, Text: tok("text"), Citations: canonical.Raw(`[{"a":1},{"b":[2]}]`)},
				{Kind: canonical.PartToolCall, Call: &canonical.ToolCall{
					ID: tok("t1"), Name: tok("read"), Args: canonical.Args{Object: canonical.Raw(`{"p":"x"}`)},
				}},
				{Kind: canonical.PartToolCall, Call: &canonical.ToolCall{
					ID: tok("t2"), Name: tok("now"), Args: canonical.Args{Object: canonical.Raw(`{}`)},
				}},
				{Kind: canonical.PartOpaque, Type: "search", Raw: canonical.Raw(`{"type":"search"}`)},
			},
			Stop: canonical.Stop{Reason: canonical.StopToolUse, Wire: "tool_use"},
		}},
	}
	var s scripted
	if err := adapters.Replay(resp, &s, func(adapters.Event) error { return nil }); err != nil {
		t.Fatal(err)
	}
	s.events = s.seen
	got, err := adapters.Collect(&s, stream(nil, "all"))
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(resp, got); diff != "" {
		t.Errorf("answer mismatch (-want +got):\n%s", diff)
	}
}

// Fragments become whole although the events do not repeat them and use their memory again.
func TestCollectFragments(t *testing.T) {
	t.Parallel()
	memory := []byte(`"ab"`)
	s := fragments{memory: memory}
	got, err := adapters.Collect(&s, stream(nil, "all"))
	if err != nil {
		t.Fatal(err)
	}
	want := []canonical.Part{
		{Kind: canonical.PartText, Text: canonical.Token(`"abcd"`)},
		{Kind: canonical.PartToolCall, Call: &canonical.ToolCall{
			ID: canonical.Token(`"t1"`), Args: canonical.Args{String: canonical.Token(`"{}"`)},
		}},
		{Kind: canonical.PartToolCall, Call: &canonical.ToolCall{
			ID: canonical.Token(`"t2"`), Args: canonical.Args{Object: canonical.Raw(`{}`)},
		}},
	}
	if diff := cmp.Diff(want, got.Choices[0].Parts); diff != "" {
		t.Errorf("parts mismatch (-want +got):\n%s", diff)
	}
}

// fragments decodes to interleaved blocks and overwrites the memory of each event when it was taken.
type fragments struct {
	scripted

	memory []byte
}

func (f *fragments) Decode(_ adapters.Event, yield func(canonical.Event) error) error {
	text, call := canonical.PartText, canonical.PartToolCall
	delta := func(index int, kind canonical.PartKind, s string) error {
		f.memory = append(f.memory[:0], s...)
		err := yield(canonical.Event{
			Kind: canonical.EventDelta, Index: index, Part: &canonical.Part{Kind: kind}, Delta: f.memory,
		})
		copy(f.memory, "XXXXXXXX")
		return err
	}
	start := func(index int, kind canonical.PartKind, id string) error {
		f.memory = append(f.memory[:0], id...)
		part := &canonical.Part{Kind: kind}
		if id != "" {
			part.Call = &canonical.ToolCall{ID: f.memory}
		}
		err := yield(canonical.Event{Kind: canonical.EventBlockStart, Index: index, Part: part})
		copy(f.memory, "XXXXXXXX")
		return err
	}
	return errors.Join(
		yield(canonical.Event{Kind: canonical.EventStart}),
		start(0, text, ""), delta(0, text, `"ab"`), start(1, call, `"t1"`), start(2, call, `"t2"`),
		delta(1, call, `"{"`), delta(0, text, `"cd"`), delta(1, call, `"}"`), delta(2, call, `""`),
		yield(canonical.Event{Kind: canonical.EventBlockStop, Index: 1}),
		yield(canonical.Event{Kind: canonical.EventStop, Stop: canonical.Stop{Reason: canonical.StopToolUse}}),
	)
}

func TestReplayFailure(t *testing.T) {
	t.Parallel()
	resp := &canonical.Response{Choices: []canonical.Choice{{Stop: canonical.Stop{
		Reason: canonical.StopFailed, Error: &canonical.Error{Message: canonical.Token(`"x"`)},
	}}}}
	var s scripted
	if err := adapters.Replay(resp, &s, func(adapters.Event) error { return nil }); err != nil {
		t.Fatal(err)
	}
	if last := s.seen[len(s.seen)-1]; last.Kind != canonical.EventError || last.Error.Message.String() != "x" {
		t.Errorf("the stream ends with %+v, want an error", last)
	}
	gone := errors.New("client gone")
	err := adapters.Replay(resp, &plainEncoder{}, func(adapters.Event) error { return gone })
	if !errors.Is(err, gone) {
		t.Errorf("error = %v, want that of yield", err)
	}
}
