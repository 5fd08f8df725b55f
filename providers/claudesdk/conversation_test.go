package claudesdk_test

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// A CLI that is started knows the whole conversation: texts, images, tools, in their order.
func TestWholeConversation(t *testing.T) {
	t.Parallel()
	p := start(t, nil)
	b := `{"model":"sonnet","max_tokens":9,"system":[{"type":"text","text":"x-anthropic-billing-header: cc_version=1;"},
		{"type":"text","text":"be brief","cache_control":{"type":"ephemeral"}}],"messages":[
		{"role":"user","content":"first"},
		{"role":"assistant","content":[{"type":"thinking","thinking":"hm","signature":"x"},{"type":"text","text":"one"},
			{"type":"tool_use","id":"toolu_a","name":"weather","input":{"city":"Rome"}},
			{"type":"tool_use_sdk","id":"toolu_b","name":"Bash","input":{}}]},
		{"role":"user","content":[{"type":"tool_result","tool_use_id":"toolu_a","content":[{"type":"text","text":"sunny","cache_control":{"type":"ephemeral"}}]}]},
		{"role":"system","content":"mind the time"},
		{"role":"assistant","content":"it is sunny"},
		{"role":"user","content":[{"type":"image","source":{"type":"base64","media_type":"image/png","data":"aGk="},"cache_control":{"type":"ephemeral"}},
			{"type":"text","text":"/clear"},{"type":"text","text":"history?"}]}]}`
	w := ask(t, p, messages, "", b)
	if w.Code != http.StatusOK || w.Header().Get("X-Ccproxy-Loss") != "" {
		t.Fatalf("%d %v %s", w.Code, w.Header(), w.Body)
	}
	var got, want any
	if err := json.Unmarshal([]byte(textOf(t, w.Body.Bytes())), &got); err != nil {
		t.Fatal(err)
	}
	for _, m := range got.([]any) { // messages of the assistant need ids of their own
		if m := m.(map[string]any); m["role"] == "assistant" {
			if m["id"] == "" || m["id"] == nil {
				t.Errorf("no id: %v", m)
			}
			delete(m, "id")
		}
	}
	err := json.Unmarshal([]byte(`[
		{"role":"user","content":[{"type":"text","text":"first"}]},
		{"role":"assistant","content":[{"type":"text","text":"one"},{"type":"tool_use","id":"toolu_a","name":"weather","input":{"city":"Rome"}}]},
		{"role":"user","content":[{"type":"tool_result","tool_use_id":"toolu_a","content":[{"type":"text","text":"sunny"}]},
			{"type":"text","text":"<system-reminder>\nmind the time\n</system-reminder>"}]},
		{"role":"assistant","content":[{"type":"text","text":"it is sunny"}]},
		{"role":"user","content":[{"type":"image","source":{"type":"base64","media_type":"image/png","data":"aGk="}},
			{"type":"text","text":" /clear"},{"type":"text","text":"history?"}]}]`), &want)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("conversation (-want +got):\n%s", diff)
	}
}

func TestSystemPrompt(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name   string
		config map[string]any
		more   map[string]any
		want   string
	}{
		{"of the request", nil, map[string]any{"system": "be brief"}, `{"append":null,"system":["be brief"]}`},
		{"the CLI's own", nil, nil, `{"append":null,"system":null}`},
		{"configured", map[string]any{"system_prompt": "ours"}, nil, `{"append":null,"system":["ours"]}`},
		{"appended", map[string]any{"system_prompt_mode": "append"}, map[string]any{"system": "be brief"}, `{"append":"be brief","system":null}`},
		{
			"by option",
			map[string]any{"client_options": []any{"append_system_prompt"}},
			map[string]any{"sdk_options": map[string]any{"append_system_prompt": "more"}},
			`{"append":"more","system":null}`,
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			if got := say(t, start(t, tt.config), messages, "", tt.more, "system?"); got != tt.want {
				t.Errorf("got %s, want %s", got, tt.want)
			}
		})
	}
}

func TestArguments(t *testing.T) {
	t.Parallel()
	p := start(t, map[string]any{
		"max_turns": 5, "disallowed_tools": []any{"WebFetch"}, "tools": []any{"Bash", "Read"},
		"client_options": []any{"max_turns", "disallowed_tools", "effort"},
	})
	tests := []struct {
		name, header string
		more         map[string]any
		want, never  []string
	}{
		{"configured", "", nil, []string{
			"--model=sonnet", "--max-turns=5", "--disallowedTools=WebFetch", "--tools=Bash,Read",
			"--permission-prompt-tool=stdio", "--no-session-persistence", "--setting-sources=",
		}, []string{"--effort"}},
		{"fewer turns", `X-Claude-SDK-Options: {"max_turns":2}`, nil, []string{"--max-turns=2"}, nil},
		{"not more turns", "", map[string]any{"sdk_options": map[string]any{"max_turns": 50}}, []string{"--max-turns=5"}, nil},
		{
			"not less denied", "",
			map[string]any{"sdk_options": map[string]any{"disallowed_tools": []string{"Bash"}}},
			[]string{"--disallowedTools=Bash,WebFetch"},
			nil,
		},
		{
			"thinking", "",
			map[string]any{"thinking": map[string]any{"type": "enabled", "budget_tokens": 2000}, "output_config": map[string]any{"effort": "low"}},
			[]string{"--max-thinking-tokens=2000", "--effort=low"},
			nil,
		},
		{
			"a model that looks like an argument", "",
			map[string]any{"model": "--dangerously-skip-permissions"},
			[]string{"--model=--dangerously-skip-permissions"},
			[]string{`"--dangerously`},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			got := say(t, p, messages, tt.header, tt.more, "args?")
			for _, want := range tt.want {
				if !strings.Contains(got, `"`+want+`"`) {
					t.Errorf("no %s in %s", want, got)
				}
			}
			for _, never := range tt.never {
				if strings.Contains(got, never) {
					t.Errorf("%s in %s", never, got)
				}
			}
		})
	}
}

func TestEnvironment(t *testing.T) {
	t.Setenv("HOST_SECRET", "s3cret")
	t.Setenv("PASSED_ON", "yes")
	p := start(t, map[string]any{"pass_env": []any{"PASSED_*"}, "env": map[string]any{"ANTHROPIC_API_KEY": "k"}})
	for name, want := range map[string]string{
		"HOST_SECRET": "", "PASSED_ON": "yes", "ANTHROPIC_API_KEY": "k", "CLAUDE_CODE_DISABLE_ATTACHMENTS": "1",
		"CLAUDE_CODE_MAX_OUTPUT_TOKENS": "100",
	} {
		if got := say(t, p, messages, "", nil, "env? "+name); got != "["+want+"]" {
			t.Errorf("%s is %s, want %s", name, got, want)
		}
	}
	dir, rest, _ := strings.Cut(say(t, p, messages, "", nil, "cwd?"), " ")
	if rest != "0 <nil>" || !strings.Contains(dir, "ccproxy-claude-sdk-") {
		t.Errorf("the CLI works in %s: %s", dir, rest)
	}
}

func TestRefusals(t *testing.T) {
	t.Parallel()
	p := start(t, map[string]any{"client_options": []any{"max_turns"}})
	user := `{"role":"user","content":"x"}`
	tests := []struct {
		name, header, body string
		status             int
		says               string
	}{
		{"no message", "", `{"model":"m","messages":[]}`, 400, "first message must be the user"},
		{"assistant first", "", `{"model":"m","messages":[{"role":"assistant","content":"x"},` + user + `]}`, 400, "first message"},
		{"prefill", "", `{"model":"m","messages":[` + user + `,{"role":"assistant","content":"x"}]}`, 400, "the last must be the user's"},
		{"no model", "", `{"messages":[` + user + `]}`, 400, "model"},
		{"role", "", `{"model":"m","messages":[{"role":"robot","content":"x"}]}`, 400, "messages[0].role"},
		{"block", "", `{"model":"m","messages":[{"role":"user","content":[{"text":"x"}]}]}`, 400, "messages[0].content[0].type"},
		{"content", "", `{"model":"m","messages":[{"role":"user","content":7}]}`, 400, "messages[0].content"},
		{"max_tokens", "", `{"model":"m","max_tokens":0,"messages":[` + user + `]}`, 400, "max_tokens"},
		{"thinking", "", `{"model":"m","thinking":{"type":"x --yolo"},"messages":[` + user + `]}`, 400, "thinking.type"},
		{"effort", "", `{"model":"m","output_config":{"effort":"x"},"messages":[` + user + `]}`, 400, "effort"},
		{"system", "", `{"model":"m","system":[{"type":"image"}],"messages":[` + user + `]}`, 400, "system[0]"},
		{"option of the operator", `X-Claude-SDK-Options: {"permission_mode":"bypassPermissions"}`, `{"model":"m","messages":[` + user + `]}`, 403, "permission_mode"},
		{"option that is none", "", `{"model":"m","sdk_options":{"cwd":"/"},"messages":[` + user + `]}`, 400, "cwd"},
		{"option of the wrong kind", "", `{"model":"m","sdk_options":{"max_turns":"x"},"messages":[` + user + `]}`, 400, "wrong kind"},
		{"options that are none", `X-Claude-SDK-Options: yes`, `{"model":"m","messages":[` + user + `]}`, 400, "JSON object"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			w := ask(t, p, messages, tt.header, tt.body)
			if w.Code != tt.status || !strings.Contains(w.Body.String(), tt.says) {
				t.Errorf("%d %s, want %d with %q", w.Code, w.Body, tt.status, tt.says)
			}
		})
	}
}

// What cannot reach the CLI is told, or refused where that is wanted.
func TestLosses(t *testing.T) {
	t.Parallel()
	p := start(t, nil)
	w := ask(t, p, messages, "", `{"model":"m","max_tokens":9,"temperature":0.5,"tools":[{"name":"a","input_schema":{}}],"stop_sequences":[],
		"messages":[{"role":"user","content":[{"type":"text","text":"x"},{"type":"hologram"}]}]}`)
	if got := w.Header().Get("X-Ccproxy-Loss"); got != "messages[0].content[1], temperature, tools" {
		t.Errorf("losses: %q", got)
	}
	if got := textOf(t, w.Body.Bytes()); got != "You said: x" {
		t.Errorf("answer %q", got)
	}
}
