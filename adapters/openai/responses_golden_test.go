package openai

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/ccproxy-go/ccproxy/adapters"
	"github.com/ccproxy-go/ccproxy/adapters/canonical"
)

// responsesFiles runs a test for each file of a directory of test data.
func responsesFiles(t *testing.T, dir string, run func(t *testing.T, c map[string]string)) {
	t.Helper()
	files, err := filepath.Glob(filepath.Join("testdata", "responses", dir, "*.txtar"))
	if err != nil || len(files) == 0 {
		t.Fatalf("no cases in %s: %v", dir, err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txtar"), func(t *testing.T) {
			t.Parallel()
			data, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			c := map[string]string{}
			var name string
			for line := range strings.Lines(string(data)) {
				if n, ok := strings.CutPrefix(line, "-- "); ok && strings.HasSuffix(n, " --\n") {
					name = strings.TrimSuffix(n, " --\n")
					continue
				}
				c[name] += line
			}
			run(t, c)
		})
	}
}

func lossText(list []canonical.Loss) string {
	var b strings.Builder
	for _, l := range list {
		fmt.Fprintf(&b, "%s: %s\n", l.Path, l.Reason)
	}
	return b.String()
}

func sameText(t *testing.T, what, want, got string) {
	t.Helper()
	if diff := cmp.Diff(strings.Split(want, "\n"), strings.Split(got, "\n")); diff != "" {
		t.Errorf("%s mismatch (-want +got):\n%s", what, diff)
	}
}

func sameValue(t *testing.T, want, got string) {
	t.Helper()
	var a, b any
	if err := json.Unmarshal([]byte(want), &a); err != nil {
		t.Fatalf("expected side: %v\n%s", err, want)
	}
	if err := json.Unmarshal([]byte(got), &b); err != nil {
		t.Fatalf("%v\n%s", err, got)
	}
	if diff := cmp.Diff(a, b); diff != "" {
		t.Errorf("mismatch (-want +got):\n%s\n%s", diff, got)
	}
}

// TestResponsesRequestRoundTrip: a request comes out of the neutral model as it went in.
func TestResponsesRequestRoundTrip(t *testing.T) {
	t.Parallel()
	responsesFiles(t, "request", func(t *testing.T, c map[string]string) {
		t.Helper()
		req, err := Responses().Requests().DecodeRequest([]byte(c["in.json"]))
		if err != nil {
			t.Fatal(err)
		}
		var lost canonical.Losses
		got, err := Responses().Requests().EncodeRequest(req, &lost)
		if err != nil {
			t.Fatal(err)
		}
		want := c["want.json"]
		if want == "" {
			want = c["in.json"]
		}
		sameValue(t, want, string(got))
		sameText(t, "losses", c["lost"], lossText(lost.List))
	})
}

// TestResponsesRequestFromChat: what a Chat client sends, for an upstream that speaks Responses.
func TestResponsesRequestFromChat(t *testing.T) {
	t.Parallel()
	responsesFiles(t, "from", func(t *testing.T, c map[string]string) {
		t.Helper()
		req, err := Chat().Requests().DecodeRequest([]byte(c["chat.json"]))
		if err != nil {
			t.Fatal(err)
		}
		var lost canonical.Losses
		got, err := Responses().Requests().EncodeRequest(req, &lost)
		if err != nil {
			t.Fatal(err)
		}
		sameValue(t, c["want.json"], string(got))
		sameText(t, "losses", c["lost"], lossText(lost.List))
	})
}

// TestResponsesAnswerRoundTrip: an answer comes out of the neutral model as it went in; with a request of the client,
// the request's members are repeated.
func TestResponsesAnswerRoundTrip(t *testing.T) {
	t.Parallel()
	responsesFiles(t, "response", func(t *testing.T, c map[string]string) {
		t.Helper()
		resp, err := Responses().Responses().DecodeResponse([]byte(c["in.json"]))
		if err != nil {
			t.Fatal(err)
		}
		var req *canonical.Request
		if c["request.json"] != "" {
			if req, err = Responses().Requests().DecodeRequest([]byte(c["request.json"])); err != nil {
				t.Fatal(err)
			}
		}
		var lost canonical.Losses
		got, err := Responses().Responses().EncodeResponse(resp, req, &lost)
		if err != nil {
			t.Fatal(err)
		}
		want := c["want.json"]
		if want == "" {
			want = c["in.json"]
		}
		sameValue(t, want, string(got))
		sameText(t, "losses", c["lost"], lossText(lost.List))
	})
}

// TestResponsesStreams: what the events of a server mean, and what a client of the same dialect gets for them.
func TestResponsesStreams(t *testing.T) {
	t.Parallel()
	responsesFiles(t, "stream", func(t *testing.T, c map[string]string) {
		t.Helper()
		var events, out strings.Builder
		var told [][]byte
		enc := Responses().EncodeStream(nil)
		yield := func(ev canonical.Event) error {
			events.WriteString(neutralText(&ev))
			return enc.Encode(&ev, func(ev adapters.Event) error {
				told = append(told, bytes.Clone(ev.Data))
				return nil
			})
		}
		dec := Responses().DecodeStream()
		for line := range strings.Lines(c["in"]) {
			if err := dec.Decode(adapters.Event{Data: []byte(line)}, yield); err != nil {
				t.Fatal(err)
			}
		}
		switch err := dec.End(yield); {
		case errors.Is(err, adapters.ErrStreamCut):
			events.WriteString("cut\n")
		case err != nil:
			t.Fatal(err)
		}
		sameText(t, "neutral events", c["events"], events.String())
		for _, data := range told {
			out.Write(append(data, '\n'))
		}
		if c["out"] != "" {
			sameText(t, "events", c["out"], out.String())
		}
		if !strings.HasSuffix(events.String(), "cut\n") {
			checkLifecycle(t, told)
		}
	})
}

// neutralText is one line for a neutral event.
func neutralText(ev *canonical.Event) string {
	switch ev.Kind {
	case canonical.EventStart:
		return fmt.Sprintf("start %s %s %d\n", []byte(ev.ID), []byte(ev.Model), ev.Created)
	case canonical.EventBlockStart:
		return fmt.Sprintf("block %d %s\n", ev.Index, partText(ev.Part))
	case canonical.EventDelta:
		word := "delta"
		if ev.Break {
			word = "break"
		}
		return fmt.Sprintf("%s %d %s%s\n", word, ev.Index, []byte(ev.Delta), ev.Citation)
	case canonical.EventBlockStop:
		return fmt.Sprintf("end %d%s\n", ev.Index, lastText(ev.Part))
	case canonical.EventUsage:
		return fmt.Sprintf("usage %s\n", usageText(ev.Usage))
	case canonical.EventStop:
		return fmt.Sprintf("stop %d %q %s\n", ev.Stop.Reason, ev.Stop.Wire, usageText(ev.Usage))
	case canonical.EventError:
		return fmt.Sprintf("error %s %s %s\n", ev.Error.Type, []byte(ev.Error.Code), []byte(ev.Error.Message))
	default:
		return "ping\n"
	}
}

func usageText(u *canonical.Usage) string {
	if u == nil {
		return "no usage"
	}
	return fmt.Sprintf("in %d out %d cached %d reasoning %d", u.Input, u.Output, u.CacheRead, u.Reasoning)
}

func partText(p *canonical.Part) string {
	kind := map[canonical.PartKind]string{
		canonical.PartText: "text", canonical.PartThinking: "thinking", canonical.PartRedacted: "redacted",
		canonical.PartToolCall: "call", canonical.PartRefusal: "refusal", canonical.PartOpaque: "opaque",
	}[p.Kind]
	if p.Verbatim {
		kind += " verbatim"
	}
	s := kind + " " + string(p.ID)
	if p.Call != nil {
		s += fmt.Sprintf(" %s %s custom=%t", []byte(p.Call.ID), []byte(p.Call.Name), p.Call.Custom)
	}
	return s + string(p.Raw)
}

func lastText(p *canonical.Part) (s string) {
	if p == nil {
		return ""
	}
	if p.Encrypted != nil {
		s += " encrypted " + string(p.Encrypted)
	}
	if p.Call != nil {
		s += " args " + string(p.Call.Args.String)
	}
	return s
}

// checkLifecycle holds a stream to the rules that clients rely on.
func checkLifecycle(t *testing.T, events [][]byte) {
	t.Helper()
	type object = map[string]any
	items := map[float64]object{}
	done := map[float64]any{}
	texts := map[string]string{}
	var final object
	for seq, data := range events {
		var ev object
		if err := json.Unmarshal(data, &ev); err != nil {
			t.Fatalf("event %d: %v\n%s", seq, err, data)
		}
		name, _ := ev["type"].(string)
		if ev["sequence_number"] != float64(seq) {
			t.Errorf("event %d has sequence number %v", seq, ev["sequence_number"])
		}
		if _, there := ev["error"]; there {
			t.Errorf("event %d has a member that ends streams for openai-go: %s", seq, data)
		}
		if final != nil {
			t.Errorf("event %s after the terminal one", name)
		}
		index, _ := ev["output_index"].(float64)
		key := fmt.Sprint(index, ev["content_index"], ev["summary_index"], strings.Contains(name, "arg"))
		switch {
		case seq < 2:
			if want := []string{"response.created", "response.in_progress"}[seq]; name != want {
				t.Errorf("event %d is %s, want %s", seq, name, want)
			}
		case name == "response.output_item.added":
			if int(index) != len(items) {
				t.Errorf("item added with index %v, want %d", index, len(items))
			}
			items[index], _ = ev["item"].(object)
		case name == "response.output_item.done":
			item, _ := ev["item"].(object)
			if done[index] != nil || item["id"] != items[index]["id"] || item["type"] != items[index]["type"] {
				t.Errorf("item %v done as %v, added as %v", index, item, items[index])
			}
			done[index] = ev["item"]
		case slices.Contains([]string{"response.completed", "response.incomplete", "response.failed"}, name):
			final, _ = ev["response"].(object)
		default:
			if items[index] == nil || done[index] != nil || ev["item_id"] != items[index]["id"] {
				t.Errorf("%s belongs to no open item: %s", name, data)
			}
			if delta, ok := ev["delta"].(string); ok {
				texts[key] += delta
			}
			for _, member := range []string{"text", "refusal", "arguments", "input"} {
				if whole, ok := ev[member].(string); ok && strings.HasSuffix(name, ".done") && whole != texts[key] {
					t.Errorf("%s says %q, the deltas %q", name, whole, texts[key])
				}
			}
		}
	}
	if final == nil {
		t.Fatalf("no terminal event in %q", events)
	}
	want := []any{}
	for i := range len(items) {
		if done[float64(i)] != nil {
			want = append(want, done[float64(i)])
		}
	}
	if final["status"] != statusFailed && len(want) != len(items) {
		t.Errorf("%d items added, %d done", len(items), len(want))
	}
	if diff := cmp.Diff(any(want), final["output"]); diff != "" {
		t.Errorf("final output mismatch (-done +final):\n%s", diff)
	}
}
