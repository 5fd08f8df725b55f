package openai

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/ccproxy-go/ccproxy/adapters"
	"github.com/ccproxy-go/ccproxy/adapters/canonical"
)

// chatCase is a file of test data: a sentence that says what it guards, then named sections.
type chatCase map[string]string

// chatCases runs a test for each file of a directory.
func chatCases(t *testing.T, dir string, run func(t *testing.T, c chatCase)) {
	t.Helper()
	files, err := filepath.Glob(filepath.Join("testdata", "chat", dir, "*.txtar"))
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
			run(t, sections(string(data)))
		})
	}
}

func sections(data string) chatCase {
	c := chatCase{}
	var name string
	for line := range strings.Lines(data) {
		if n, ok := strings.CutPrefix(line, "-- "); ok && strings.HasSuffix(n, " --\n") {
			name = strings.TrimSuffix(n, " --\n")
			continue
		}
		c[name] += line
	}
	return c
}

// value decodes JSON for comparing; numbers stay as they are written.
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

func sameJSON(t *testing.T, want, got string) {
	t.Helper()
	if diff := cmp.Diff(value(t, want), value(t, got)); diff != "" {
		t.Errorf("mismatch (-want +got):\n%s\n%s", diff, got)
	}
}

var newID = regexp.MustCompile(`"(call_|chatcmpl-)[A-Z2-7]{26}"`)

func TestChatRequestRoundTrip(t *testing.T) {
	t.Parallel()
	chatCases(t, "request", func(t *testing.T, c chatCase) {
		t.Helper()
		req, err := Chat().Requests().DecodeRequest([]byte(c["in.json"]))
		if err != nil {
			t.Fatal(err)
		}
		var lost canonical.Losses
		got, err := Chat().Requests().EncodeRequest(req, &lost)
		if err != nil || len(lost.List) > 0 {
			t.Fatalf("EncodeRequest = %v, lost %v", err, lost.List)
		}
		want := c["want.json"]
		if want == "" {
			want = c["in.json"]
		}
		sameJSON(t, want, string(got))
	})
}

func TestChatResponseRoundTrip(t *testing.T) {
	t.Parallel()
	chatCases(t, "response", func(t *testing.T, c chatCase) {
		t.Helper()
		resp, err := Chat().Responses().DecodeResponse([]byte(c["in.json"]))
		if err != nil {
			t.Fatal(err)
		}
		var lost canonical.Losses
		got, err := Chat().Responses().EncodeResponse(resp, nil, &lost)
		if err != nil || len(lost.List) > 0 {
			t.Fatalf("EncodeResponse = %v, lost %v", err, lost.List)
		}
		want := c["want.json"]
		if want == "" {
			want = c["in.json"]
		}
		sameJSON(t, want, newID.ReplaceAllString(string(got), `"(new)"`))
	})
}

func TestChatErrors(t *testing.T) {
	t.Parallel()
	chatCases(t, "error", func(t *testing.T, c chatCase) {
		t.Helper()
		e, err := Chat().Responses().DecodeError([]byte(c["in"]))
		if err != nil {
			t.Fatal(err)
		}
		kind := e.Type
		if kind == "" {
			kind = "-"
		}
		if got := fmt.Sprintln(kind, e.Status); got != c["kind"] {
			t.Errorf("DecodeError: kind and status are %q, want %q", got, c["kind"])
		}
		sameJSON(t, c["want.json"], string(Chat().Responses().EncodeError(e)))
	})
}

func TestChatStreams(t *testing.T) {
	t.Parallel()
	chatCases(t, "stream", func(t *testing.T, c chatCase) {
		t.Helper()
		var events, out strings.Builder
		enc := Chat().EncodeStream(nil)
		yield := func(ev canonical.Event) error {
			events.WriteString(eventText(&ev))
			return enc.Encode(&ev, func(ev adapters.Event) error {
				fmt.Fprintf(&out, "%s\n", ev.Data)
				return nil
			})
		}
		dec := Chat().DecodeStream()
		var err error
		for line := range strings.Lines(c["in"]) {
			if err = dec.Decode(adapters.Event{Data: []byte(line)}, yield); err != nil {
				break
			}
		}
		if err == nil {
			err = dec.End(yield)
		}
		if errors.Is(err, adapters.ErrStreamCut) {
			events.WriteString("cut\n")
		} else if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(c["events"], newID.ReplaceAllString(events.String(), "(new)")); diff != "" {
			t.Errorf("events mismatch (-want +got):\n%s", diff)
		}
		if want := c["out"]; want != "" {
			if diff := cmp.Diff(strings.Split(want, "\n"), strings.Split(out.String(), "\n")); diff != "" {
				t.Errorf("chunks mismatch (-want +got):\n%s", diff)
			}
		}
		if len(enc.Losses()) > 0 {
			t.Errorf("lost %v", enc.Losses())
		}
	})
}

var (
	partNames = map[canonical.PartKind]string{
		canonical.PartText: "text", canonical.PartThinking: "thinking", canonical.PartRedacted: "redacted",
		canonical.PartToolCall: "call", canonical.PartRefusal: "refusal", canonical.PartOpaque: "opaque",
	}
	stopNames = map[canonical.StopReason]string{
		canonical.StopUnknown: "unknown", canonical.StopEnd: "end", canonical.StopMaxTokens: "max_tokens",
		canonical.StopToolUse: "tool_use", canonical.StopRefusal: "refusal",
	}
)

// eventText gives an event as the test data has it.
func eventText(ev *canonical.Event) string {
	index := fmt.Sprint(ev.Index)
	if ev.Choice > 0 {
		index = fmt.Sprintf("%d.%d", ev.Choice, ev.Index)
	}
	switch ev.Kind {
	case canonical.EventStart:
		return fmt.Sprintf("start %s %s %d\n", []byte(ev.ID), []byte(ev.Model), ev.Created)
	case canonical.EventBlockStart:
		return "block " + index + " " + startText(ev.Part) + "\n"
	case canonical.EventDelta:
		return fmt.Sprintf("delta %s %s%s\n", index, []byte(ev.Delta), ev.Citation)
	case canonical.EventBlockStop:
		return "end " + index + endText(ev.Part) + "\n"
	case canonical.EventStop:
		s := fmt.Sprintf("stop %s %s", stopNames[ev.Stop.Reason], ev.Stop.Wire)
		if u := ev.Usage; u != nil {
			s += fmt.Sprintf(" usage %d %d %d %d", u.Input, u.Output, u.CacheRead, u.Reasoning)
		}
		for _, more := range ev.More {
			s += fmt.Sprintf("\nmore %s %s", stopNames[more.Reason], more.Wire)
		}
		return s + "\n"
	case canonical.EventError:
		return fmt.Sprintf("error %s %s\n", ev.Error.Type, []byte(ev.Error.Message))
	default:
		return fmt.Sprintf("event %d\n", ev.Kind)
	}
}

func startText(p *canonical.Part) string {
	switch {
	case p.Call != nil && p.Call.Custom:
		return fmt.Sprintf("custom %s %s", []byte(p.Call.ID), []byte(p.Call.Name))
	case p.Call != nil:
		return fmt.Sprintf("call %s %s", []byte(p.Call.ID), []byte(p.Call.Name))
	case p.Signature != nil:
		return fmt.Sprintf("%s %s", partNames[p.Kind], []byte(p.Signature))
	default:
		return partNames[p.Kind]
	}
}

func endText(p *canonical.Part) (s string) {
	if p.Signature != nil {
		s += fmt.Sprintf(" signature %s", []byte(p.Signature))
	}
	if p.Encrypted != nil {
		s += fmt.Sprintf(" encrypted %s id %s", []byte(p.Encrypted), []byte(p.ID))
	}
	if p.Call != nil && p.Call.Args.String != nil {
		s += fmt.Sprintf(" args %s", []byte(p.Call.Args.String))
	}
	return s
}
