package clients

import (
	"bytes"
	"encoding/json"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/ccproxy-go/ccproxy/adapters"
	"github.com/ccproxy-go/ccproxy/adapters/anthropic"
	"github.com/ccproxy-go/ccproxy/adapters/canonical"
	"github.com/ccproxy-go/ccproxy/adapters/openai"
)

// need is one thing that a client needs: a conversion, and what stands in its result.
type need struct {
	name string
	way  string // the letters of the dialects, A, C and R, from which and to which
	kind string // request, answer or stream; the last is one event a line
	asks string // what the client has asked for, in its dialect, where an answer depends on it
	body string
	want map[string]string // JSON by path; an empty one means that nothing is there
	lost []string          // paths, if it matters
	text []string          // what stands in the result, in this order
	not  []string          // what does not
}

func TestClientNeeds(t *testing.T) {
	t.Parallel()
	all := slices.Concat(systemNeeds(), toolNeeds(), choiceNeeds(), thinkingNeeds(), settingNeeds(), answerNeeds(), streamNeeds())
	for _, n := range all {
		t.Run(n.name, func(t *testing.T) {
			t.Parallel()
			out, lost := n.convert(t)
			n.check(t, out, lost)
		})
	}
}

func codec(letter byte) adapters.Codec {
	return []adapters.Codec{anthropic.Codec(), openai.Chat(), openai.Responses()}[strings.IndexByte("ACR", letter)]
}

func conversion(t *testing.T, way string) adapters.Conversion {
	t.Helper()
	var reg adapters.Registry
	for _, letter := range []byte("ACR") {
		if err := reg.RegisterCodec(codec(letter)); err != nil {
			t.Fatal(err)
		}
	}
	a, err := reg.Lookup(adapters.FormatPair{From: codec(way[0]).Format(), To: codec(way[1]).Format()})
	if err != nil {
		t.Fatal(err)
	}
	c, ok := a.(adapters.Conversion)
	if !ok {
		t.Fatalf("%s is not made of codecs", way)
	}
	return c
}

func (n *need) convert(t *testing.T) (out []byte, lost []canonical.Loss) {
	t.Helper()
	c := conversion(t, n.way)
	var err error
	switch n.kind {
	case "request":
		out, _, lost, err = c.ConvertRequestLossy(t.Context(), []byte(n.body))
	case "answer":
		out, lost, err = c.ConvertResponseFor(t.Context(), []byte(n.body), n.asked(t))
	default:
		out, err = n.stream(t, c)
	}
	if err != nil {
		t.Fatal(err)
	}
	return out, lost
}

// asked is the client's request.
func (n *need) asked(t *testing.T) *canonical.Request {
	t.Helper()
	if n.asks == "" {
		return &canonical.Request{IncludeUsage: true}
	}
	req, err := codec(n.way[1]).Requests().DecodeRequest([]byte(n.asks))
	if err != nil {
		t.Fatal(err)
	}
	return req
}

// stream converts events, and gives them as lines.
func (n *need) stream(t *testing.T, c adapters.Conversion) (out []byte, err error) {
	t.Helper()
	in := func(yield func(adapters.Event, error) bool) {
		for line := range strings.Lines(n.body) {
			if line = strings.TrimSpace(line); line != "" && !yield(adapters.Event{Data: []byte(line)}, nil) {
				return
			}
		}
	}
	for ev, err := range c.ConvertStreamFor(t.Context(), in, n.asked(t), nil) {
		if err != nil {
			return out, err
		}
		out = append(append(out, ev.Data...), '\n')
	}
	return out, nil
}

func (n *need) check(t *testing.T, out []byte, lost []canonical.Loss) {
	t.Helper()
	for path, want := range n.want {
		got, ok := at(value(t, out), path)
		switch {
		case want == "" && ok:
			t.Errorf("%s is %v, want nothing", path, got)
		case want != "" && !ok:
			t.Errorf("%s is not there, want %s", path, want)
		case want != "":
			if diff := cmp.Diff(value(t, []byte(want)), got); diff != "" {
				t.Errorf("%s mismatch (-want +got):\n%s", path, diff)
			}
		}
	}
	rest := string(out)
	for _, want := range n.text {
		_, after, ok := strings.Cut(rest, want)
		if !ok {
			t.Errorf("%s is not there, or not in this place", want)
		} else {
			rest = after
		}
	}
	for _, not := range n.not {
		if strings.Contains(string(out), not) {
			t.Errorf("%s is there", not)
		}
	}
	for _, path := range n.lost {
		if !slices.ContainsFunc(lost, func(l canonical.Loss) bool { return l.Path == path }) {
			t.Errorf("the loss of %s is not told: %v", path, lost)
		}
	}
	if t.Failed() {
		t.Logf("%s", out)
	}
}

func value(t *testing.T, data []byte) (v any) {
	t.Helper()
	d := json.NewDecoder(bytes.NewReader(data))
	d.UseNumber()
	if err := d.Decode(&v); err != nil {
		t.Fatalf("%v: %s", err, data)
	}
	return v
}

// at finds what stands at a path such as messages.0.content.
func at(v any, path string) (any, bool) {
	for key := range strings.SplitSeq(path, ".") {
		switch x := v.(type) {
		case map[string]any:
			next, ok := x[key]
			if !ok {
				return nil, false
			}
			v = next
		case []any:
			i, err := strconv.Atoi(key)
			if err != nil || i >= len(x) {
				return nil, false
			}
			v = x[i]
		default:
			return nil, false
		}
	}
	return v, true
}
