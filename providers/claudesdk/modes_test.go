package claudesdk_test

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/ccproxy-go/ccproxy"
	"github.com/ccproxy-go/ccproxy/providers/claudesdk"
)

// kinds are the types of the blocks of an answer.
func kinds(a *answer) []string {
	var list []string
	for _, block := range a.Content {
		list = append(list, block.Type)
	}
	return list
}

const (
	formattedUse    = "\n<tool_use_sdk>\n{\n  \"id\": \"toolu_1\",\n  \"name\": \"Bash\",\n  \"input\": {\n    \"command\": \"touch it\"\n  }\n}\n</tool_use_sdk>\n"
	formattedResult = "\n<tool_result_sdk>\n{\n  \"tool_use_id\": \"toolu_1\",\n  \"content\": \"made \\u003c/tool_result_sdk\\u003e\",\n  \"is_error\": false\n}\n</tool_result_sdk>\n"
)

func TestMessageModes(t *testing.T) {
	t.Parallel()
	tests := []struct {
		mode string
		want []string
		text string
	}{
		{"ignore", []string{"text", "text"}, "Let me look.allow true not supported"},
		{"forward", []string{"system_message", "text", "tool_use_sdk", "tool_result_sdk", "text", "result_message"}, "Let me look.allow true not supported"},
		{"formatted", []string{"text", "text", "text", "text", "text"}, "\n<system_message>\n"},
	}
	for _, tt := range tests {
		t.Run(tt.mode, func(t *testing.T) {
			t.Parallel()
			p := start(t, map[string]any{"message_mode": tt.mode, "permission_default": "allow", "include_system_messages": true})
			w := ask(t, p, messages, "", body(t, nil, "tool touch it"))
			a := readAnswer(t, w.Body.Bytes())
			if diff := cmp.Diff(tt.want, kinds(&a)); diff != "" {
				t.Fatalf("blocks (-want +got):\n%s\n%s", diff, w.Body)
			}
			text := textOf(t, w.Body.Bytes())
			if !strings.HasPrefix(text, tt.text) || strings.Contains(w.Body.String(), "SUBAGENT") {
				t.Errorf("text %q", text)
			}
			if tt.mode == "formatted" && !strings.HasSuffix(text, "Let me look."+formattedUse+formattedResult+"allow true not supported") {
				t.Errorf("formatted text %q", text)
			}
			if tt.mode == "forward" && (a.Content[2].Source != "claude_agent_sdk" || string(a.Content[2].Input) != `{"command":"touch it"}` || a.Content[3].ToolUseID != "toolu_1") {
				t.Errorf("forwarded blocks: %s", w.Body)
			}
			if a.StopReason != "end_turn" || a.Usage["output_tokens"] != 12.0 || a.Usage["input_tokens"] != 20.0 {
				t.Errorf("end: %s %v", a.StopReason, a.Usage)
			}
			stream := ask(t, p, messages, "", body(t, map[string]any{"stream": true}, "tool touch it")).Body.String()
			checkBlocks(t, stream)
			for _, path := range []string{chat, responses} {
				w := ask(t, p, path, "", `{"model":"m","stream":true,"messages":[{"role":"user","content":"tool touch it"}],"input":"tool touch it"}`)
				if w.Code != http.StatusOK || !strings.Contains(w.Body.String(), "Let me look.") || strings.Contains(w.Body.String(), `"error"`) && !strings.Contains(w.Body.String(), `"error":null`) {
					t.Errorf("%s: %d %s", path, w.Code, w.Body)
				}
				if shows := strings.Contains(w.Body.String(), "<tool_use_sdk>"); shows != (tt.mode == "formatted") {
					t.Errorf("%s shows tools: %v", path, shows)
				}
			}
		})
	}
}

// checkBlocks checks that the blocks of a stream follow each other, each begun and ended once.
func checkBlocks(t *testing.T, stream string) {
	t.Helper()
	next, open, begun := 0, -1, 0
	for line := range strings.Lines(stream) {
		data, ok := strings.CutPrefix(line, "data: ")
		if !ok {
			continue
		}
		var ev struct {
			Type  string `json:"type"`
			Index int    `json:"index"`
		}
		if err := json.Unmarshal([]byte(data), &ev); err != nil {
			t.Fatal(err)
		}
		good := true
		switch ev.Type {
		case "message_start":
			begun++
			good = begun == 1
		case "content_block_start":
			good = open == -1 && ev.Index == next
			open, next = next, next+1
		case "content_block_delta":
			good = ev.Index == open
		case "content_block_stop":
			good = ev.Index == open
			open = -1
		}
		if !good {
			t.Fatalf("%s out of place in\n%s", data, stream)
		}
	}
	if open != -1 || next == 0 || !strings.HasSuffix(stream, "event: message_stop\ndata: {\"type\":\"message_stop\"}\n\n") {
		t.Errorf("no end: %s", stream)
	}
}

// asked is a plugin with the service permissions.
type asked struct {
	allow   bool
	message string
	err     error
	tools   chan string   // what it was asked
	wait    bool          // until the question ends
	ended   chan error    // is told why
	release chan struct{} // closed when it may answer
	broken  bool
}

func (a *asked) Initialize(_ context.Context, pc *ccproxy.PluginContext) error {
	return pc.Provide(claudesdk.ServicePermissions, a)
}

func (a *asked) Shutdown(context.Context) error { return nil }

func (a *asked) Check(ctx context.Context, tool, toolUseID string, input json.RawMessage) (bool, string, error) {
	if a.tools != nil {
		caller, _ := ccproxy.CallerFrom(ctx)
		a.tools <- tool + string(input) + toolUseID + caller.ID
	}
	if a.broken {
		panic("broken")
	}
	if a.wait {
		<-ctx.Done()
		if a.ended != nil {
			a.ended <- ctx.Err()
		}
		return true, "", ctx.Err()
	}
	if a.release != nil {
		<-a.release
	}
	return a.allow, a.message, a.err
}

func (a *asked) factory() ccproxy.Factory {
	m := ccproxy.Manifest{Name: "asked", Description: "decides", Provides: []string{claudesdk.ServicePermissions}}
	return ccproxy.NewFactory(m, func() ccproxy.Plugin { return a })
}

func TestPermissions(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name    string
		config  map[string]any
		service *asked
		want    string
	}{
		{"denied by default", nil, nil, "deny false not supported"},
		{"allowed by configuration", map[string]any{"permission_default": "allow"}, nil, "allow true not supported"},
		{"allowed by service", nil, &asked{allow: true}, "allow true not supported"},
		{"denied by service", map[string]any{"permission_default": "allow"}, &asked{message: "not today"}, "deny false not supported"},
		{"service fails", map[string]any{"permission_default": "allow"}, &asked{allow: true, err: errors.New("broken")}, "deny false not supported"},
		{"nobody answers", map[string]any{"permission_timeout": "1s"}, &asked{wait: true}, "deny false not supported"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			var others []ccproxy.Factory
			if tt.service != nil {
				tt.service.tools = make(chan string, 1)
				others = append(others, tt.service.factory())
			}
			text := say(t, start(t, tt.config, others...), messages, "", nil, "tool rm it")
			if !strings.HasSuffix(text, tt.want) {
				t.Errorf("got %q, want %q", text, tt.want)
			}
			if tt.service == nil {
				return
			}
			if tt.service.wait && !strings.Contains(text, "Nobody answered in time whether Bash may be used.") {
				t.Errorf("the model was not told that nobody answered: %s", text)
			}
			if got := <-tt.service.tools; got != `Bash{"command":"rm it"}toolu_1` {
				t.Errorf("asked for %s", got)
			}
			if tt.service.message != "" && !strings.Contains(text, "not today") {
				t.Errorf("the model was not told why: %s", text)
			}
		})
	}
}

func TestAnswers(t *testing.T) {
	t.Parallel()
	p := start(t, nil)
	tests := []struct {
		order, text, stop string
		kinds             []string
	}{
		{"think", "thought", "end_turn", []string{"thinking", "text"}},
		{"whole not streamed", "not streamed", "end_turn", []string{"text"}},
		{"byitself ok", "ok", "end_turn", []string{"text"}},
		{"junk", "fine", "end_turn", []string{"text"}},
		{"subtype error_max_turns", "", "pause_turn", nil},
	}
	for _, tt := range tests {
		t.Run(tt.order, func(t *testing.T) {
			t.Parallel()
			w := ask(t, p, messages, "", body(t, nil, tt.order))
			a := readAnswer(t, w.Body.Bytes())
			if got := textOf(t, w.Body.Bytes()); got != tt.text || a.StopReason != tt.stop {
				t.Errorf("%d %q %q: %s", w.Code, got, a.StopReason, w.Body)
			}
			if diff := cmp.Diff(tt.kinds, kinds(&a)); diff != "" {
				t.Errorf("blocks (-want +got):\n%s", diff)
			}
		})
	}
}
