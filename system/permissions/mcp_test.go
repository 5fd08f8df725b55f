package permissions_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/modelcontextprotocol/go-sdk/mcp"
)

// withKey sends a key, as Claude Code does with the headers of its MCP configuration.
type withKey struct{ key string }

func (k withKey) RoundTrip(r *http.Request) (*http.Response, error) {
	r = r.Clone(r.Context())
	r.Header.Set("Authorization", "Bearer "+k.key)
	return http.DefaultTransport.RoundTrip(r)
}

// connect connects the official client.
func (r *rig) connect(t *testing.T, key string) (*mcp.ClientSession, error) {
	t.Helper()
	client := mcp.NewClient(&mcp.Implementation{Name: "test", Version: "1"}, nil)
	session, err := client.Connect(t.Context(), &mcp.StreamableClientTransport{
		Endpoint: r.url + "/mcp", HTTPClient: &http.Client{Transport: withKey{key}}, MaxRetries: -1,
	}, nil)
	if err == nil {
		t.Cleanup(func() { _ = session.Close() })
	}
	return session, err
}

// call calls the tool and returns what it said.
func call(ctx context.Context, s *mcp.ClientSession, args map[string]any) (map[string]any, error) {
	result, err := s.CallTool(ctx, &mcp.CallToolParams{Name: "check_permission", Arguments: args})
	if err != nil {
		return nil, err
	}
	if len(result.Content) != 1 || result.IsError {
		return nil, fmt.Errorf("the result is %+v", result)
	}
	text, ok := result.Content[0].(*mcp.TextContent)
	if !ok {
		return nil, fmt.Errorf("the content is %T", result.Content[0])
	}
	var out map[string]any
	err = json.Unmarshal([]byte(text.Text), &out)
	return out, err
}

func TestMCP(t *testing.T) { //nolint:paralleltest // the requests are told apart by their order
	tests := []struct {
		name, answer string
		want         map[string]any
	}{
		{name: "allow", answer: `{"allowed":true}`, want: map[string]any{
			"behavior": "allow", "updatedInput": map[string]any{"command": "ls", "n": 12345678901234567890.0},
		}},
		{name: "allow another input", answer: `{"allowed":true,"updated_input":{"command":"ls -a"}}`, want: map[string]any{
			"behavior": "allow", "updatedInput": map[string]any{"command": "ls -a"},
		}},
		{name: "deny", answer: `{"allowed":false}`, want: map[string]any{
			"behavior": "deny", "message": "The use of Bash was not permitted.",
		}},
		{name: "deny with a reason", answer: `{"allowed":false,"reason":"not on a Friday"}`, want: map[string]any{
			"behavior": "deny", "message": "not on a Friday",
		}},
	}
	r := newRig(t, nil)
	session, err := r.connect(t, askerKey)
	if err != nil {
		t.Fatal(err)
	}
	tools, err := session.ListTools(t.Context(), nil)
	if err != nil || len(tools.Tools) != 1 || tools.Tools[0].Name != "check_permission" {
		t.Fatalf("tools: %+v, %v", tools, err)
	}
	for _, tt := range tests { //nolint:paralleltest // as above
		t.Run(tt.name, func(t *testing.T) {
			var out map[string]any
			var err error
			var asking sync.WaitGroup
			asking.Go(func() {
				out, err = call(t.Context(), session, map[string]any{
					"tool_name": "Bash", "input": json.RawMessage(`{"command":"ls","n":12345678901234567890}`),
				})
			})
			request := r.first(t)
			if request["caller"] != "asker" || request["source"] != "mcp" || request["tool_name"] != "Bash" {
				t.Errorf("the request is %v", request)
			}
			path := fmt.Sprintf("/permissions/%v/respond", request["request_id"])
			if status, out := r.send(t, http.MethodPost, path, approverKey, tt.answer); status != http.StatusOK {
				t.Errorf("answer: %d %v", status, out)
			}
			asking.Wait()
			delete(out, "permission_id")
			if diff := cmp.Diff(tt.want, out); diff != "" || err != nil {
				t.Errorf("%v (-want +got):\n%s", err, diff)
			}
		})
	}
}

func TestMCPRefusals(t *testing.T) {
	t.Parallel()
	r := newRig(t, map[string]any{"timeout": "1s"})
	if _, err := r.connect(t, "no-such-key"); err == nil {
		t.Error("a client without a key is let in")
	}
	session, err := r.connect(t, askerKey)
	if err != nil {
		t.Fatal(err)
	}
	tests := []struct {
		name string
		args map[string]any
	}{
		{name: "nobody answers", args: map[string]any{"tool_name": "Bash", "input": map[string]any{}}},
		{name: "no tool", args: map[string]any{"input": map[string]any{}}},
		{name: "no object", args: map[string]any{"tool_name": "Bash", "input": []int{1}}},
		{name: "unknown id", args: map[string]any{"tool_name": "Bash", "permission_id": "x"}},
		{name: "wrong types", args: map[string]any{"tool_name": 1}},
		{name: "wait that is none", args: map[string]any{"tool_name": "Bash", "wait_seconds": -1}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			out, err := call(t.Context(), session, tt.args)
			if message, _ := out["message"].(string); err != nil || out["behavior"] != "deny" || message == "" {
				t.Errorf("%v, %v; want a refusal with a message", out, err)
			}
		})
	}
}

// TestMCPRetry has a client lose its call and call again: the person is asked once.
func TestMCPRetry(t *testing.T) {
	t.Parallel()
	r := newRig(t, nil)
	session, err := r.connect(t, askerKey)
	if err != nil {
		t.Fatal(err)
	}
	args := map[string]any{"tool_name": "Bash", "input": map[string]any{}, "tool_use_id": "toolu_1"}
	ctx, cancel := context.WithCancel(t.Context())
	var asking sync.WaitGroup
	asking.Go(func() {
		if _, err := call(ctx, session, args); !errors.Is(err, context.Canceled) {
			t.Errorf("the call that was given up: %v", err)
		}
	})
	id := r.first(t)["request_id"]
	cancel()
	asking.Wait()
	args["wait_seconds"] = 0
	out, err := call(t.Context(), session, args)
	if err != nil || out["behavior"] != "pending" || out["permission_id"] != id {
		t.Errorf("the second call is told %v, %v; want %v pending", out, err, id)
	}
	path := fmt.Sprintf("/permissions/%v/respond", id)
	if status, out := r.send(t, http.MethodPost, path, approverKey, `{"allowed":true}`); status != http.StatusOK {
		t.Errorf("answer: %d %v", status, out)
	}
	args["permission_id"] = id
	out, err = call(t.Context(), session, args)
	if err != nil || out["behavior"] != "allow" || out["permission_id"] != id {
		t.Errorf("the third call is told %v, %v", out, err)
	}
}

// TestDrainRefuses has a proxy go out of service while a question waits.
func TestDrainRefuses(t *testing.T) {
	t.Parallel()
	r := newRig(t, nil)
	session, err := r.connect(t, askerKey)
	if err != nil {
		t.Fatal(err)
	}
	var out map[string]any
	var asking sync.WaitGroup
	asking.Go(func() {
		out, err = call(t.Context(), session, map[string]any{"tool_name": "Bash", "input": map[string]any{}})
	})
	r.first(t)
	if err := r.proxy.Drain(t.Context()); err != nil {
		t.Error(err)
	}
	asking.Wait()
	if err != nil || out["behavior"] != "deny" {
		t.Errorf("%v, %v; want a refusal", out, err)
	}
}
