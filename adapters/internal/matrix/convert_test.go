package matrix

import (
	"encoding/json"
	"errors"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/ccproxy-go/ccproxy/adapters"
	"github.com/ccproxy-go/ccproxy/adapters/anthropic"
	"github.com/ccproxy-go/ccproxy/adapters/canonical"
	"github.com/ccproxy-go/ccproxy/adapters/openai"
)

func codecs() map[string]adapters.Codec {
	return map[string]adapters.Codec{"A": anthropic.Codec(), "C": openai.Chat(), "R": openai.Responses()}
}

// conversion is the adapter of a direction.
func conversion(t *testing.T, d direction) adapters.Conversion {
	t.Helper()
	var reg adapters.Registry
	for _, codec := range codecs() {
		if err := reg.RegisterCodec(codec); err != nil {
			t.Fatal(err)
		}
	}
	adapter, err := reg.Lookup(adapters.FormatPair{From: formats()[d.from], To: formats()[d.to]})
	if err != nil {
		t.Fatal(err)
	}
	c, ok := adapter.(adapters.Conversion)
	if !ok {
		t.Fatalf("%s is not made of codecs", d)
	}
	return c
}

// TestGolden converts each case.
func TestGolden(t *testing.T) {
	t.Parallel()
	for _, g := range cases(t) {
		t.Run(filepath.ToSlash(strings.TrimSuffix(g.path, ".txtar")), func(t *testing.T) {
			t.Parallel()
			switch {
			case g.kind == request:
				g.request(t)
			case g.kind == stream:
				g.stream(t)
			case g.status != 0:
				g.error(t)
			default:
				g.response(t)
			}
			if t.Failed() {
				t.Log(g.rule)
			}
		})
	}
}

func (g *golden) request(t *testing.T) {
	t.Helper()
	out, _, lost, err := conversion(t, g.dir).ConvertRequestLossy(t.Context(), []byte(expand(g.sections["in"])))
	if err != nil {
		t.Fatal(err)
	}
	same(t, "request", value(t, expand(g.sections["out"])), value(t, string(out)))
	g.losses(t, lost)
}

func (g *golden) response(t *testing.T) {
	t.Helper()
	c := conversion(t, g.dir)
	out, lost, err := c.ConvertResponseFor(t.Context(), []byte(expand(g.sections["in"])), g.asked(t))
	if failed, ok := g.failed(t, c, err); ok || failed {
		return
	}
	want := value(t, expand(g.sections["out"]))
	if g.dir.to == "R" {
		fillResponse(want, g.dir.from, "completed")
	}
	same(t, "answer", want, value(t, string(out)))
	g.losses(t, lost)
}

func (g *golden) error(t *testing.T) {
	t.Helper()
	out, _ := conversion(t, g.dir).ConvertErrorFor(g.status, []byte(strings.TrimSpace(g.sections["in"])))
	same(t, "error", value(t, g.sections["out"]), value(t, string(out)))
}

// asked is what the client has asked for, if the case says it.
func (g *golden) asked(t *testing.T) *canonical.Request {
	t.Helper()
	text, ok := g.sections["request"]
	if !ok {
		return nil
	}
	req, err := codecs()[g.dir.to].Requests().DecodeRequest([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return req
}

// failed compares an error with the one that the case expects; it is what a client would be answered.
func (g *golden) failed(t *testing.T, c adapters.Conversion, err error) (failed, expected bool) {
	t.Helper()
	text, expected := g.sections["failure"]
	if err == nil {
		if expected {
			t.Errorf("no error, want %s", text)
		}
		return false, expected
	}
	told, ok := errors.AsType[*adapters.StreamError](err)
	if !expected || !ok {
		t.Errorf("error %v, want %q as a StreamError", err, text)
		return true, expected
	}
	same(t, "failure", value(t, text), value(t, string(c.EncodeErrorFor(&told.Failure))))
	return true, expected
}

func (g *golden) losses(t *testing.T, lost []canonical.Loss) {
	t.Helper()
	var paths []string
	for _, l := range lost {
		paths = append(paths, l.Path)
	}
	slices.Sort(paths)
	if diff := cmp.Diff(g.lost, paths); diff != "" {
		t.Errorf("losses mismatch (-want +got):\n%s\n%v", diff, lost)
	}
}

// stream reads the events as they come over the wire.
func (g *golden) stream(t *testing.T) {
	t.Helper()
	c := conversion(t, g.dir)
	var lost canonical.Losses
	var got []adapters.Event
	var err error
	wire := g.wire(t)
	for ev, failure := range c.ConvertStreamFor(t.Context(), wireEvents(strings.NewReader(wire)), g.asked(t), &lost) {
		if failure != nil {
			err = failure
			break
		}
		got = append(got, adapters.Event{Type: ev.Type, Data: slices.Clone(ev.Data)})
	}
	if failed, expected := g.failed(t, c, err); failed || expected {
		return
	}
	want := g.expected(t)
	for i := range max(len(want), len(got)) {
		switch {
		case i >= len(got):
			t.Errorf("event %d is missing: %v", i, want[i])
		case i >= len(want):
			t.Errorf("event %d is too many: %s", i, got[i].Data)
		default:
			g.event(t, i, want[i], got[i])
		}
	}
	g.losses(t, lost.List)
}

// event compares one event. Its name is that of its type; of Responses, its number is its place.
func (g *golden) event(t *testing.T, i int, want any, got adapters.Event) {
	t.Helper()
	if want == lastWord {
		if string(got.Data) != lastWord {
			t.Errorf("event %d is %s, want %s", i, got.Data, want)
		}
		return
	}
	v := value(t, string(got.Data))
	o, ok := v.(object)
	if !ok {
		t.Fatalf("event %d is no object: %s", i, got.Data)
	}
	if name, _ := o["type"].(string); name != got.Type {
		t.Errorf("event %d is called %q, its type %q", i, got.Type, name)
	}
	if g.dir.to == "R" {
		if n, _ := o["sequence_number"].(json.Number); n.String() != value(t, itoa(i)).(json.Number).String() {
			t.Errorf("event %d has the number %v", i, o["sequence_number"])
		}
		delete(o, "sequence_number")
	}
	same(t, "event "+itoa(i), want, v)
}
