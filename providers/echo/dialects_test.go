package echo_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/ccproxy-go/ccproxy/adapters"
	"github.com/ccproxy-go/ccproxy/adapters/anthropic"
	"github.com/ccproxy-go/ccproxy/adapters/canonical"
	"github.com/ccproxy-go/ccproxy/adapters/openai"
	"github.com/ccproxy-go/ccproxy/internal/sse"
)

// dialect is one way to talk to echo.
type dialect struct {
	codec adapters.Codec
	path  string
	ask   func(said, more string) string
	tools string // two tools as members of a request
	force string // one of them must be called
	back  string // a conversation that ends with two results
	id    string // what answers' ids begin with
}

func dialects() []dialect {
	const schema = `{"type":"object","properties":{}}`
	user := func(member, before string) func(said, more string) string {
		return func(said, more string) string {
			text, _ := json.Marshal(said)
			return fmt.Sprintf(`{"model":"any"%s,%q:[{"role":"user","content":%s}]%s}`, before, member, text, more)
		}
	}
	return []dialect{
		{
			codec: anthropic.Codec(), path: "/v1/messages", ask: user("messages", `,"max_tokens":100`), id: "msg_id1",
			tools: `,"tools":[{"name":"x","input_schema":` + schema + `},{"name":"weather","input_schema":` + schema + `}]`,
			force: `,"tool_choice":{"type":"tool","name":"weather"}`,
			back: `{"model":"any","max_tokens":9,"messages":[{"role":"user","content":"use tool x"},{"role":"assistant","content":[` +
				`{"type":"tool_use","id":"a","name":"x","input":{}},{"type":"tool_use","id":"b","name":"x","input":{}}]},` +
				`{"role":"user","content":[{"type":"tool_result","tool_use_id":"a","content":"use tool x"},` +
				`{"type":"tool_result","tool_use_id":"b","content":"two"}]}],"tools":[{"name":"x","input_schema":` + schema + `}]}`,
		},
		{
			codec: openai.Chat(), path: "/v1/chat/completions", ask: user("messages", ""), id: "chatcmpl-id1",
			tools: `,"tools":[{"type":"function","function":{"name":"x","parameters":` + schema + `}},` +
				`{"type":"function","function":{"name":"weather","parameters":` + schema + `}}]`,
			force: `,"tool_choice":{"type":"function","function":{"name":"weather"}}`,
			back: `{"model":"any","messages":[{"role":"user","content":"use tool x"},{"role":"assistant","tool_calls":[` +
				`{"id":"a","type":"function","function":{"name":"x","arguments":"{}"}},` +
				`{"id":"b","type":"function","function":{"name":"x","arguments":"{}"}}]},` +
				`{"role":"tool","tool_call_id":"a","content":"use tool x"},{"role":"tool","tool_call_id":"b","content":"two"}],` +
				`"tools":[{"type":"function","function":{"name":"x","parameters":` + schema + `}}]}`,
		},
		{
			codec: openai.Responses(), path: "/v1/responses", ask: user("input", ""), id: "resp_id1",
			tools: `,"tools":[{"type":"web_search"},{"type":"function","name":"x","parameters":` + schema + `},` +
				`{"type":"function","name":"weather","parameters":` + schema + `}]`,
			force: `,"tool_choice":{"type":"function","name":"weather"}`,
			back: `{"model":"any","input":[{"role":"user","content":"use tool x"},` +
				`{"type":"function_call","call_id":"a","name":"x","arguments":"{}"},` +
				`{"type":"function_call","call_id":"b","name":"x","arguments":"{}"},` +
				`{"type":"function_call_output","call_id":"a","output":"use tool x"},` +
				`{"type":"function_call_output","call_id":"b","output":"two"}],` +
				`"tools":[{"type":"function","name":"x","parameters":` + schema + `}]}`,
		},
	}
}

// said is what an answer comes to, whichever dialect it is in.
type said struct {
	ID, Model, Text, Tool, Args string
	Stop                        canonical.StopReason
	In, Out                     int64
}

func saidBy(resp *canonical.Response) said {
	s := said{ID: resp.ID.String(), Model: resp.Model.String(), Stop: resp.Choices[0].Stop.Reason}
	if resp.Usage != nil {
		s.In, s.Out = resp.Usage.Input, resp.Usage.Output
	}
	for _, p := range resp.Choices[0].Parts {
		s.Text += p.Text.String()
		if p.Call != nil {
			s.Tool, s.Args = p.Call.Name.String(), string(p.Call.Args.Object)+p.Call.Args.String.String()
		}
	}
	return s
}

// streamed asks for a stream and reads it as a client of the dialect.
func (d dialect) streamed(rec *httptest.ResponseRecorder) (said, error) {
	in := sse.NewReader(rec.Body, 0)
	resp, err := adapters.Collect(d.codec.DecodeStream(), func(yield func(adapters.Event, error) bool) {
		for {
			ev, err := in.Next()
			if errors.Is(err, io.EOF) {
				return
			}
			if !yield(adapters.Event{Type: string(ev.Type), Data: ev.Data}, err) || err != nil {
				return
			}
		}
	})
	if err != nil {
		return said{}, err
	}
	return saidBy(resp), nil
}

// Every dialect is answered in itself: text, calls of tools and the echo of their results, whole and streamed.
func TestDialects(t *testing.T) {
	t.Parallel()
	p := start(t, nil)
	for _, d := range dialects() {
		for _, tt := range []struct {
			name, body string
			want       said
		}{
			{"text", d.ask("Hi \"you\" there", ""), said{Text: "Hi \"you\" there", Stop: canonical.StopEnd, In: 4, Out: 4}},
			{
				"tool", d.ask(`use tool weather with {"city":"Bern, Wil"}`, d.tools),
				said{Tool: "weather", Args: `{"city":"Bern, Wil"}`, Stop: canonical.StopToolUse, Out: 5},
			},
			{"forced", d.ask("Hello", d.tools+d.force), said{Tool: "weather", Args: `{}`, Stop: canonical.StopToolUse, Out: 1}},
			{"results", d.back, said{Text: "use tool x\ntwo", Stop: canonical.StopEnd, Out: 4}},
		} {
			t.Run(string(d.codec.Format())+" "+tt.name, func(t *testing.T) {
				t.Parallel()
				tt.want.ID, tt.want.Model = d.id, "any"
				rec := post(t, p, d.path, tt.body)
				resp, err := d.codec.Responses().DecodeResponse(rec.Body.Bytes())
				if err != nil || rec.Code != http.StatusOK {
					t.Fatalf("got %d %s: %v", rec.Code, rec.Body, err)
				}
				got := saidBy(resp)
				if tt.want.In == 0 { // how large tools are in a dialect is no concern here
					tt.want.In = got.In
				}
				if diff := cmp.Diff(tt.want, got); diff != "" || got.In == 0 {
					t.Errorf("answer (-want +got):\n%s", diff)
				}
				body := strings.Replace(tt.body, "{", `{"stream":true,`, 1)
				if d.codec.Format() == adapters.OpenAIChatCompletions {
					body = strings.Replace(body, "{", `{"stream_options":{"include_usage":true},`, 1)
				}
				if got, err = d.streamed(post(t, p, d.path, body)); err != nil {
					t.Fatal(err)
				}
				if diff := cmp.Diff(tt.want, got); diff != "" {
					t.Errorf("stream (-want +got):\n%s", diff)
				}
			})
		}
	}
}

// A free-form tool gets the words themselves.
func TestCustomTool(t *testing.T) {
	t.Parallel()
	p := start(t, nil)
	d := dialects()[2]
	rec := post(t, p, d.path, d.ask("use tool patch with *** Begin", `,"tools":[{"type":"custom","name":"patch"}]`))
	resp, err := d.codec.Responses().DecodeResponse(rec.Body.Bytes())
	if err != nil {
		t.Fatal(err)
	}
	call := resp.Choices[0].Parts[0].Call
	if call == nil || !call.Custom || call.Args.String.String() != "*** Begin" {
		t.Errorf("got %s", rec.Body)
	}
}

// Who may not call a tool gets none.
func TestToolChoice(t *testing.T) {
	t.Parallel()
	p := start(t, nil)
	d := dialects()[1]
	for more, want := range map[string]string{
		`,"tool_choice":"none"`: "", `,"tool_choice":"required"`: "x", `,"tool_choice":"auto"`: "weather", "": "weather",
	} {
		text := "use tool weather"
		if want == "x" {
			text = "Hello"
		}
		rec := post(t, p, d.path, d.ask(text, d.tools+more))
		resp, err := d.codec.Responses().DecodeResponse(rec.Body.Bytes())
		if err != nil {
			t.Fatal(err)
		}
		if got := saidBy(resp); got.Tool != want {
			t.Errorf("%s: tool %q, want %q", more, got.Tool, want)
		}
	}
}

// Failures come when they are ordered, in the client's own dialect.
func TestOrderedFailures(t *testing.T) {
	t.Parallel()
	p := start(t, nil)
	for _, d := range dialects() {
		t.Run(string(d.codec.Format()), func(t *testing.T) {
			t.Parallel()
			for _, text := range []string{"fail with 429", "fail with 429 please", "break with 429"} {
				rec := post(t, p, d.path, d.ask(text, ""))
				e, err := d.codec.Responses().DecodeError(rec.Body.Bytes())
				if err != nil || rec.Code != http.StatusTooManyRequests || e.Type != "rate_limit_error" {
					t.Errorf("%q: %d %s", text, rec.Code, rec.Body)
				}
			}
			for _, text := range []string{"fail with 200", "fail with grace", "please fail with 429"} {
				if rec := post(t, p, d.path, d.ask(text, "")); rec.Code != http.StatusOK {
					t.Errorf("%q: %d %s", text, rec.Code, rec.Body)
				}
			}
			rec := post(t, p, d.path, d.ask("break with 429", `,"stream":true`))
			if rec.Code != http.StatusOK || !strings.Contains(rec.Body.String(), `"break `) {
				t.Errorf("before the break: %d %s", rec.Code, rec.Body)
			}
			_, err := d.streamed(rec)
			var told *adapters.StreamError
			if !errors.As(err, &told) || !strings.Contains(told.Error(), "told to fail") {
				t.Errorf("the stream ends with %v", err)
			}
		})
	}
}

// What a dialect demands is asked for by its own names.
func TestDialectErrors(t *testing.T) {
	t.Parallel()
	p := start(t, nil)
	for _, tt := range []struct{ path, body, param string }{
		{"/v1/chat/completions", `{"model":"m","messages":[]}`, "messages"},
		{"/v1/chat/completions", `{"messages":[{"role":"user","content":"x"}]}`, "model"},
		{"/v1/chat/completions", `{"model":"m","messages":[{"role":"user","content":"x"}],"max_tokens":0}`, "max_tokens"},
		{"/v1/responses", `{"model":"m","input":[]}`, "input"},
		{"/v1/responses", `{"model":"m","instructions":"x"}`, "input"},
		{"/v1/responses", `{"model":"m","input":"x","max_output_tokens":0}`, "max_output_tokens"},
	} {
		rec := post(t, p, tt.path, tt.body)
		var e struct {
			Error struct{ Type, Message, Param string }
		}
		if json.Unmarshal(rec.Body.Bytes(), &e) != nil || rec.Code != http.StatusBadRequest ||
			e.Error.Type != "invalid_request_error" || e.Error.Param != tt.param {
			t.Errorf("%s: %d %s", tt.body, rec.Code, rec.Body)
		}
	}
	rec := post(t, p, "/v1/embeddings", `{"model":"m","input":"x"}`)
	if rec.Code < 400 {
		t.Errorf("embeddings: %d %s", rec.Code, rec.Body)
	}
}
