package roundtrip

import (
	"bytes"
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"github.com/ccproxy-go/ccproxy/adapters"
	"github.com/ccproxy-go/ccproxy/internal/sse"
)

// conversions gives the adapters between all pairs, as the proxy has them.
func conversions(t testing.TB) func(from, to dialect) adapters.Conversion {
	t.Helper()
	var reg adapters.Registry
	for _, d := range dialects() {
		if err := reg.RegisterCodec(d.codec); err != nil {
			t.Fatal(err)
		}
	}
	return func(from, to dialect) adapters.Conversion {
		a, err := reg.Lookup(adapters.FormatPair{From: from.codec.Format(), To: to.codec.Format()})
		if err != nil {
			t.Fatal(err)
		}
		return a.(adapters.Conversion)
	}
}

// Whatever a client sends, the upstream gets JSON, or the client is told that it sent something else.
func FuzzRequests(f *testing.F) {
	for i, way := range ways() {
		for seed := range uint64(4) {
			f.Add(byte(i), way[0].request(newGen(seed, 90)).render(nil))
		}
		f.Add(byte(i), []byte(`{"model":"m","max_tokens":1,"messages":[{"role":"user","content":"x"}],"input":"x"}`))
	}
	convert := conversions(f)
	f.Fuzz(func(t *testing.T, n byte, body []byte) {
		way := ways()[int(n)%len(ways())]
		out, req, _, err := convert(way[0], way[1]).ConvertRequestLossy(t.Context(), body)
		if err != nil {
			if !errors.Is(err, adapters.ErrInvalidInput) {
				t.Errorf("error of another kind: %v", err)
			}
			return
		}
		if !json.Valid(out) {
			t.Errorf("%s→%s: no JSON: %s", way[0].letter, way[1].letter, out)
		}
		if req == nil {
			t.Errorf("no request")
		}
	})
}

// Whatever an upstream streams, the client gets a stream of its dialect with one end, which tells success only if the
// upstream did.
func FuzzStreams(f *testing.F) {
	for i, way := range ways() {
		for seed := range uint64(3) {
			g := newGen(seed, 91)
			f.Add(byte(i), lineUp(way[0].stream(g, way[0].answer(g))))
		}
		f.Add(byte(i), []byte("event: error\ndata: {\"type\":\"error\",\"error\":{\"type\":\"overloaded_error\",\"message\":\"no\"}}\n\n"))
		f.Add(byte(i), []byte("data: {\"error\":{\"message\":\"no\"}}\n\ndata: [DONE]\n\n"))
		f.Add(byte(i), []byte("data: {\"type\":\"response.failed\",\"response\":{\"status\":\"failed\",\"error\":{\"message\":\"no\"}}}\n\n"))
	}
	for i, way := range ways() {
		f.Add(byte(i), namelessCall(way[0].letter))
	}
	convert := conversions(f)
	f.Fuzz(func(t *testing.T, n byte, body []byte) {
		way := ways()[int(n)%len(ways())]
		in := readUp(body)
		out, err := drain(convert(way[0], way[1]).ConvertStreamFor(t.Context(), stream(in), nil, nil))
		checkStream(t, way[0], way[1], in, out, err)
		if resp, err := adapters.Collect(way[0].codec.DecodeStream(), stream(in)); err == nil {
			whole, err := way[1].codec.Responses().EncodeResponse(resp, nil, nil)
			if err == nil && !json.Valid(whole) {
				t.Errorf("%s→%s: the whole answer is no JSON: %s", way[0].letter, way[1].letter, whole)
			}
		}
	})
}

// checkStream checks what a client gets for a stream of an upstream.
func checkStream(t *testing.T, from, to dialect, in, out []adapters.Event, err error) {
	t.Helper()
	if err != nil && len(out) > 0 {
		t.Errorf("%s→%s: an error after events: %v", from.letter, to.letter, err)
	}
	if err == nil && len(out) == 0 {
		t.Errorf("%s→%s: neither events nor an error", from.letter, to.letter)
	}
	ends, success := 0, false
	for _, ev := range out {
		if string(ev.Data) != "[DONE]" && !json.Valid(ev.Data) {
			t.Errorf("%s→%s: no JSON: %s", from.letter, to.letter, ev.Data)
		}
		if ends > 0 {
			t.Errorf("%s→%s: %s %s after the end", from.letter, to.letter, ev.Type, ev.Data)
		}
		if terminal, failed := adapters.Terminal(to.codec.Format(), ev.Type, ev.Data); terminal {
			ends++
			success = !failed
		}
	}
	if ends != 1 && len(out) > 0 {
		t.Errorf("%s→%s: %d ends", from.letter, to.letter, ends)
	}
	if success && !succeeds(from, in) {
		t.Errorf("%s→%s: success that the upstream did not tell", from.letter, to.letter)
	}
	resp, err := adapters.Collect(to.codec.DecodeStream(), stream(out))
	var told *adapters.StreamError
	switch {
	case success && err != nil:
		t.Errorf("%s→%s: the client cannot read it: %v", from.letter, to.letter, err)
	case len(out) > 0 && !success && !errors.As(err, &told):
		t.Errorf("%s→%s: the client cannot read the error: %v, %v", from.letter, to.letter, resp, err)
	}
}

// succeeds tells whether the first thing in a stream that ends it is a success. Chat's last word may be left out.
func succeeds(d dialect, in []adapters.Event) bool {
	for _, ev := range in {
		name := ev.Type
		if d.letter == "R" && name == "message" {
			name = ""
		}
		terminal, failed := adapters.Terminal(d.codec.Format(), name, ev.Data)
		switch {
		case terminal:
			return !failed
		case d.letter == "R" && (name == "response.done" || name == "" && bytes.Contains(ev.Data, []byte("response.done"))):
			return true
		case d.letter == "C" && bytes.Contains(ev.Data, []byte("finish_reason")), d.letter == "C" && bytes.Contains(ev.Data, []byte(`\u`)):
			return true
		}
	}
	return false
}

// lineUp writes events as they are on the wire.
func lineUp(list []adapters.Event) []byte {
	var b []byte
	for _, ev := range list {
		b = sse.AppendEvent(b, ev.Type, ev.Data)
	}
	return b
}

// readUp reads events off the wire, up to what cannot be read.
func readUp(body []byte) []adapters.Event {
	r := sse.NewReader(bytes.NewReader(body), 1<<20)
	var list []adapters.Event
	for {
		ev, err := r.Next()
		if err != nil {
			return list
		}
		if ev.HasData {
			list = append(list, adapters.Event{Type: string(ev.Type), Data: bytes.Clone(ev.Data)})
		}
	}
}

// stream makes a stream whose memory is spoilt after each event, as that of a reader is.
func stream(list []adapters.Event) adapters.Stream {
	return func(yield func(adapters.Event, error) bool) {
		for _, ev := range list {
			data := bytes.Clone(ev.Data)
			ok := yield(adapters.Event{Type: ev.Type, Data: data}, nil)
			for i := range data {
				data[i] = '#'
			}
			if !ok {
				return
			}
		}
	}
}

func drain(s adapters.Stream) (list []adapters.Event, err error) {
	for ev, err := range s {
		if err != nil {
			return list, err
		}
		list = append(list, adapters.Event{Type: ev.Type, Data: bytes.Clone(ev.Data)})
	}
	return list, nil
}

// namelessCall is a stream in which a tool without a name is called.
func namelessCall(letter string) []byte {
	var events []string
	switch letter {
	case "A":
		events = []string{
			`{"type":"message_start","message":{"id":"m","content":[]}}`,
			`{"type":"content_block_start","index":0,"content_block":{"type":"tool_use","id":"c","name":"","input":{}}}`,
			`{"type":"content_block_stop","index":0}`,
			`{"type":"message_delta","delta":{"stop_reason":"tool_use"}}`, `{"type":"message_stop"}`,
		}
	case "C":
		events = []string{
			`{"choices":[{"index":0,"delta":{"tool_calls":[{"index":0,"id":"c","function":{"name":"","arguments":"{}"}}]}}]}`,
			`{"choices":[{"index":0,"delta":{},"finish_reason":"tool_calls"}]}`, `[DONE]`,
		}
	default:
		item := `{"type":"function_call","id":"f","call_id":"c","name":"","arguments":"{}"}`
		events = []string{
			`{"type":"response.output_item.added","output_index":0,"item":` + item + `}`,
			`{"type":"response.output_item.done","output_index":0,"item":` + item + `}`,
			`{"type":"response.completed","response":{"status":"completed","output":[` + item + `]}}`,
		}
	}
	return []byte("data: " + strings.Join(events, "\n\ndata: ") + "\n\n")
}
