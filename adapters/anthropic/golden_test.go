package anthropic

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/ccproxy-go/ccproxy/adapters"
	"github.com/ccproxy-go/ccproxy/adapters/canonical"
)

// sections reads a case: comment lines with the rule that it guards, then parts that start with "-- name --".
func sections(t *testing.T, file string) map[string]string {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	out := map[string]string{}
	name := "rule"
	for line := range strings.Lines(string(text)) {
		trimmed := strings.TrimSpace(line)
		if strings.HasPrefix(trimmed, "-- ") && strings.HasSuffix(trimmed, " --") {
			name = strings.TrimSuffix(strings.TrimPrefix(trimmed, "-- "), " --")
			continue
		}
		out[name] += line
	}
	if !strings.HasPrefix(out["rule"], "#") {
		t.Fatalf("%s names no rule", file)
	}
	return out
}

// golden runs a check on every case of a directory.
func golden(t *testing.T, dir string, check func(t *testing.T, c map[string]string)) {
	t.Helper()
	files, err := filepath.Glob(filepath.Join("testdata", dir, "*.txtar"))
	if err != nil || len(files) == 0 {
		t.Fatalf("no cases in %s: %v", dir, err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txtar"), func(t *testing.T) {
			t.Parallel()
			check(t, sections(t, file))
		})
	}
}

// value decodes JSON for comparison, numbers as they are written.
func value(t *testing.T, text string) any {
	t.Helper()
	dec := json.NewDecoder(strings.NewReader(text))
	dec.UseNumber()
	var v any
	if err := dec.Decode(&v); err != nil {
		t.Fatalf("no JSON: %v\n%s", err, text)
	}
	return v
}

// sameJSON compares two JSON texts as values.
func sameJSON(t *testing.T, want, got string) {
	t.Helper()
	if diff := cmp.Diff(value(t, want), value(t, got)); diff != "" {
		t.Errorf("JSON mismatch (-want +got):\n%s\ngot %s", diff, got)
	}
}

func noLosses(t *testing.T, lost canonical.Losses) {
	t.Helper()
	if diff := cmp.Diff([]canonical.Loss(nil), lost.List); diff != "" {
		t.Errorf("losses (-want +got):\n%s", diff)
	}
}

func TestRequestComesBack(t *testing.T) {
	t.Parallel()
	golden(t, "request", func(t *testing.T, c map[string]string) {
		t.Helper()
		req, err := Codec().Requests().DecodeRequest([]byte(c["in"]))
		if want := strings.TrimSpace(c["error"]); want != "" {
			if err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("DecodeRequest() = %v, want an error with %q", err, want)
			}
			return
		}
		if err != nil {
			t.Fatal(err)
		}
		var lost canonical.Losses
		out, err := Codec().Requests().EncodeRequest(req, &lost)
		if err != nil {
			t.Fatal(err)
		}
		want := c["want"]
		if want == "" {
			want = c["in"]
			noLosses(t, lost)
		}
		sameJSON(t, want, string(out))
	})
}

func TestResponseComesBack(t *testing.T) {
	t.Parallel()
	golden(t, "response", func(t *testing.T, c map[string]string) {
		t.Helper()
		resp, err := Codec().Responses().DecodeResponse([]byte(c["in"]))
		if err != nil {
			t.Fatal(err)
		}
		var lost canonical.Losses
		out, err := Codec().Responses().EncodeResponse(resp, nil, &lost)
		if err != nil {
			t.Fatal(err)
		}
		want := c["want"]
		if want == "" {
			want = c["in"]
		}
		noLosses(t, lost)
		sameJSON(t, want, string(out))
	})
}

func TestErrorComesBack(t *testing.T) {
	t.Parallel()
	golden(t, "error", func(t *testing.T, c map[string]string) {
		t.Helper()
		e, err := Codec().Responses().DecodeError([]byte(c["in"]))
		if err != nil {
			t.Fatal(err)
		}
		want := c["want"]
		if want == "" {
			want = c["in"]
		}
		sameJSON(t, want, string(Codec().Responses().EncodeError(e)))
	})
}

// events parses the text of a stream.
func events(t *testing.T, text string) []adapters.Event {
	t.Helper()
	var list []adapters.Event
	var ev adapters.Event
	for line := range strings.Lines(text + "\n\n") {
		line = strings.TrimRight(line, "\n")
		switch {
		case strings.HasPrefix(line, "event: "):
			ev.Type = line[len("event: "):]
		case strings.HasPrefix(line, "data: "):
			ev.Data = []byte(line[len("data: "):])
		case line == "" && ev.Data != nil:
			list = append(list, ev)
			ev = adapters.Event{}
		}
	}
	return list
}

// convert sends events through a decoder and an encoder. The memory of each event is spoilt after its turn, as that
// of a reader is.
func convert(list []adapters.Event) (out []adapters.Event, lost []canonical.Loss, err error) {
	dec, enc := Codec().DecodeStream(), Codec().EncodeStream(nil)
	collect := func(ev adapters.Event) error {
		out = append(out, adapters.Event{Type: ev.Type, Data: bytes.Clone(ev.Data)})
		return nil
	}
	forward := func(ev canonical.Event) error { return enc.Encode(&ev, collect) }
	for _, ev := range list {
		data := bytes.Clone(ev.Data)
		err := dec.Decode(adapters.Event{Type: ev.Type, Data: data}, forward)
		for i := range data {
			data[i] = '#'
		}
		if err != nil {
			return out, enc.Losses(), err
		}
	}
	return out, enc.Losses(), dec.End(forward)
}

func sameEvents(t *testing.T, want, got []adapters.Event) {
	t.Helper()
	for i := range max(len(want), len(got)) {
		switch {
		case i >= len(got):
			t.Errorf("event %d is missing: %s", i, want[i].Data)
		case i >= len(want):
			t.Errorf("event %d is too many: %s", i, got[i].Data)
		default:
			if want[i].Type != got[i].Type {
				t.Errorf("event %d is %q, want %q", i, got[i].Type, want[i].Type)
			}
			sameJSON(t, string(want[i].Data), string(got[i].Data))
		}
	}
}

func TestStreamComesBack(t *testing.T) {
	t.Parallel()
	golden(t, "stream", func(t *testing.T, c map[string]string) {
		t.Helper()
		got, lost, err := convert(events(t, c["in"]))
		if want := strings.TrimSpace(c["error"]); want != "" {
			if err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("the stream gave %v, want an error with %q", err, want)
			}
		} else if err != nil {
			t.Fatal(err)
		}
		want := c["want"]
		if want == "" {
			want = c["in"]
		}
		sameEvents(t, events(t, want), got)
		noLosses(t, canonical.Losses{List: lost})
	})
}
