package clients

import (
	"encoding/json"
	"strings"
	"testing"
)

// What an upstream signed or encrypted is byte for byte the same when the client brings it back in the next turn.
func TestClientNeedsOfTwoTurns(t *testing.T) {
	t.Parallel()
	const encrypted = `{"id":"resp_1","object":"response","created_at":1,"status":"completed","model":"m","output":[
{"id":"rs_1","type":"reasoning","summary":[{"type":"summary_text","text":"a"},{"type":"summary_text","text":"b"}],"encrypted_content":"gAAAsecret=="},
{"id":"fc_1","type":"function_call","call_id":"call_1","name":"ls","arguments":"{}","status":"completed"}]}`
	tests := []struct {
		name, way, answer string
		turn              string // the path of what the client brings back
		next              string // the next request, with the turn in the place of TURN
		want              []string
	}{
		{
			name: "4.15_signatures_in_chat", way: "AC", answer: claudeAnswer, turn: "choices.0.message",
			next: `{"model":"claude-sonnet-4-5","messages":[{"role":"user","content":"a"},TURN,
				{"role":"tool","tool_call_id":"toolu_1","content":"1"},{"role":"tool","tool_call_id":"toolu_2","content":"2"}]}`,
			want: []string{`{"type":"thinking","thinking":"hm","signature":"EqQB/+="}`, `"toolu_1"`},
		},
		{
			name: "10.20_signatures_in_responses", way: "AR", answer: claudeAnswer, turn: "output",
			next: `{"model":"claude-sonnet-4-5","input":[{"role":"user","content":"a"},TURN,
				{"type":"function_call_output","call_id":"toolu_1","output":"1"},{"type":"function_call_output","call_id":"toolu_2","output":"2"}]}`,
			want: []string{`{"type":"thinking","thinking":"hm","signature":"EqQB/+="}`, `"toolu_1"`},
		},
		{
			name: "4.15_encrypted_reasoning_in_claude_code", way: "RA", answer: encrypted, turn: "content",
			next: `{"model":"gpt-5","max_tokens":50,"messages":[{"role":"user","content":"a"},{"role":"assistant","content":[TURN]},
				{"role":"user","content":[{"type":"tool_result","tool_use_id":"call_1","content":"1"}]}]}`,
			want: []string{`"encrypted_content":"gAAAsecret=="`, `"call_1"`},
		},
		{
			name: "10.20_encrypted_reasoning_in_chat", way: "RC", answer: encrypted, turn: "choices.0.message",
			next: `{"model":"gpt-5","messages":[{"role":"user","content":"a"},TURN,{"role":"tool","tool_call_id":"call_1","content":"1"}]}`,
			want: []string{`"encrypted_content":"gAAAsecret=="`, `"call_1"`},
		},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			first := need{way: test.way, kind: "answer", body: test.answer}
			out, _ := first.convert(t)
			turn := raw(t, out, test.turn)
			back := need{
				way: test.way[1:] + test.way[:1], kind: "request",
				body: strings.Replace(test.next, "TURN", strings.Trim(turn, "[]"), 1), text: test.want,
			}
			again, lost := back.convert(t)
			back.check(t, again, lost)
		})
	}
}

// raw is the JSON of what stands at a path.
func raw(t *testing.T, body []byte, path string) string {
	t.Helper()
	v, ok := at(value(t, body), path)
	if !ok {
		t.Fatalf("%s is not there: %s", path, body)
	}
	var b strings.Builder
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(b.String())
}
