package anthropic

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/ccproxy-go/ccproxy/adapters/canonical"
	"github.com/ccproxy-go/ccproxy/adapters/internal/envelope"
)

func tok(s string) canonical.Token { return canonical.NewToken(s) }

func text(s string) canonical.Part {
	return canonical.Part{Kind: canonical.PartText, Text: tok(s), Path: "p"}
}

func call(id, name, args string) canonical.Part {
	return canonical.Part{Kind: canonical.PartToolCall, Path: "p", Call: &canonical.ToolCall{
		ID: tok(id), Name: tok(name), Args: canonical.Args{String: tok(args)},
	}}
}

func result(id, answer string) canonical.Part {
	return canonical.Part{Kind: canonical.PartToolResult, Path: "p", Result: &canonical.ToolResult{
		CallID: tok(id), Plain: true, Parts: []canonical.Part{text(answer)},
	}}
}

func message(role canonical.Role, parts ...canonical.Part) canonical.Message {
	return canonical.Message{Role: role, Parts: parts, Path: "m"}
}

func chat(messages ...canonical.Message) canonical.Request {
	return canonical.Request{Source: "openai.chat_completions", Model: "claude-sonnet-4-5", Messages: messages}
}

// with changes a request and gives it back.
func with(r canonical.Request, change func(*canonical.Request)) canonical.Request {
	change(&r)
	return r
}

func media(kind canonical.PartKind, m canonical.Media) canonical.Part {
	return canonical.Part{Kind: kind, Media: &m, Path: "p"}
}

func effort(model, word string) func(*canonical.Request) {
	return func(r *canonical.Request) {
		r.Model = model
		r.Thinking = &canonical.Thinking{Effort: tok(word)}
	}
}

const (
	user      = canonical.RoleUser
	assistant = canonical.RoleAssistant
	system    = canonical.RoleSystem
	developer = canonical.RoleDeveloper
	tool      = canonical.RoleTool
)

// foreignCase is a request of another dialect. The wanted JSON is the body without model and, where it is the default,
// max_tokens.
type foreignCase struct {
	name   string
	req    canonical.Request
	want   string
	losses []string
}

func foreignConversations() []foreignCase {
	hi := message(user, text("hi"))
	hiJSON := `"messages":[{"role":"user","content":[{"type":"text","text":"hi"}]}]`
	return []foreignCase{
		{
			"plain", chat(canonical.Message{Role: user, Plain: true, Parts: []canonical.Part{text("hi")}}),
			`"messages":[{"role":"user","content":"hi"}]`, nil,
		},
		{"leading system messages", chat(
			canonical.Message{Role: system, Top: true, Parts: []canonical.Part{text("a")}},
			message(system, text("b"), text(" ")), message(developer, text("c")), hi,
		), `"system":[{"type":"text","text":"a"},{"type":"text","text":"b"},{"type":"text","text":"c"}],` + hiJSON, nil},
		{"one system message", chat(message(developer, text("a\nb")), hi), `"system":"a\nb",` + hiJSON, nil},
		{
			"system message later", chat(hi, message(system, text("now"))),
			`"messages":[{"role":"user","content":[{"type":"text","text":"hi"}]},
			{"role":"user","content":[{"type":"text","text":"<system>\nnow\n</system>"}]}]`,
			[]string{"p: system text inside of the conversation: sent as the user's"},
		},
		{
			"parallel results and a word between", chat(hi,
				message(assistant, text("ok"), call("a", "f", `{"x":"\u00e9\n"}`)), message(assistant, call("b", "f", "")),
				message(tool, result("a", "1")), message(user, text("look")), message(tool, result("b", "2"))),
			`"messages":[{"role":"user","content":[{"type":"text","text":"hi"}]},
			{"role":"assistant","content":[{"type":"text","text":"ok"},
				{"type":"tool_use","id":"a","name":"f","input":{"x":"\u00e9\n"}},
				{"type":"tool_use","id":"b","name":"f","input":{}}]},
			{"role":"user","content":[{"type":"tool_result","tool_use_id":"a","content":"1"},
				{"type":"tool_result","tool_use_id":"b","content":"2"},{"type":"text","text":"look"}]}]`, nil,
		},
		{
			"arguments that are no object", chat(message(assistant, call("a", "f", `{"x":`))),
			`"messages":[{"role":"assistant","content":[
				{"type":"tool_use","id":"a","name":"f","input":{"arguments":"{\"x\":"}}]}]`,
			[]string{"p.function.arguments: no JSON object: sent as text in one"},
		},
		{
			"arguments that try to get out", chat(message(assistant, call("a", "f", `{}},{"x":{}`))),
			`"messages":[{"role":"assistant","content":[
				{"type":"tool_use","id":"a","name":"f","input":{"arguments":"{}},{\"x\":{}"}}]}]`,
			[]string{"p.function.arguments: no JSON object: sent as text in one"},
		},
		{
			"arguments with names that differ in case", chat(message(assistant, call("a", "f", `{"a":1,"A":2}`))),
			`"messages":[{"role":"assistant","content":[{"type":"tool_use","id":"a","name":"f","input":{"a":1,"A":2}}]}]`, nil,
		},
		{"free-form call", chat(message(assistant, func() canonical.Part {
			p := call("a", "patch", "*** Begin\n")
			p.Call.Custom = true
			return p
		}())), `"messages":[{"role":"assistant","content":[
			{"type":"tool_use","id":"a","name":"patch","input":{"input":"*** Begin\n"}}]}]`, nil},
		{"failed result with an image", chat(message(tool, canonical.Part{
			Kind: canonical.PartToolResult,
			Result: &canonical.ToolResult{CallID: tok("a"), IsError: true, Parts: []canonical.Part{
				text("see"), media(canonical.PartImage, canonical.Media{URL: tok("data:image/jpg;base64,AAAA")}),
			}},
		})), `"messages":[{"role":"user","content":[{"type":"tool_result","tool_use_id":"a","is_error":true,"content":[
			{"type":"text","text":"see"},
			{"type":"image","source":{"type":"base64","media_type":"image/jpeg","data":"AAAA"}}]}]}]`, nil},
		{
			"media", chat(message(user,
				media(canonical.PartImage, canonical.Media{URL: tok("https://example.com/i.png"), Detail: tok("low")}),
				media(canonical.PartDocument, canonical.Media{URL: tok("data:application/pdf;base64,JVBE"), Filename: tok("a.pdf")}),
				media(canonical.PartDocument, canonical.Media{MIME: tok("text/plain"), Data: tok("aMOk")}),
				media(canonical.PartDocument, canonical.Media{MIME: tok("application/zip"), Data: tok("UEs=")}),
				media(canonical.PartImage, canonical.Media{FileID: tok("file-1")}),
				canonical.Part{Kind: canonical.PartAudio, Path: "p"},
				canonical.Part{Kind: canonical.PartOpaque, Type: "item_reference", Path: "p"})),
			`"messages":[{"role":"user","content":[
			{"type":"image","source":{"type":"url","url":"https://example.com/i.png"}},
			{"type":"document","source":{"type":"base64","media_type":"application/pdf","data":"JVBE"},"title":"a.pdf"},
			{"type":"document","source":{"type":"text","media_type":"text/plain","data":"hä"}}]}]`,
			[]string{
				"p.image_url.detail: images have no detail", "p: dropped: neither PDF nor text", "p: dropped: another vendor's file",
				"p: dropped: the vendor hears no sound", "p: dropped: item_reference has no equivalent",
			},
		},
		{
			"ids", chat(message(assistant, call("functions.f:0", "f", "{}")), message(tool, result("functions.f:0", "1"))),
			`"messages":[{"role":"assistant","content":[{"type":"tool_use","id":"ID","name":"f","input":{}}]},
			{"role":"user","content":[{"type":"tool_result","tool_use_id":"ID","content":"1"}]}]`,
			[]string{"p.id: the id of the call is made to fit", "p.tool_call_id: the id of the call is made to fit"},
		},
		{
			"thinking", chat(message(assistant,
				canonical.Part{Kind: canonical.PartThinking, Text: tok("mine"), Signature: tok("Sig")},
				canonical.Part{Kind: canonical.PartThinking, Text: tok("theirs"), Encrypted: tok("E"), Path: "p"},
				canonical.Part{Kind: canonical.PartRedacted, Signature: tok("Data")}, text("a"), text(""))),
			`"messages":[{"role":"assistant","content":[{"type":"thinking","thinking":"mine","signature":"Sig"},
			{"type":"redacted_thinking","data":"Data"},{"type":"text","text":"a"}]}]`,
			[]string{"p: dropped: thinking without a signature of the vendor"},
		},
		{
			"nothing but thinking", chat(message(assistant,
				canonical.Part{Kind: canonical.PartThinking, Summary: []canonical.Token{tok("a"), tok("b")}, Path: "p"})),
			`"messages":[{"role":"assistant","content":[{"type":"text","text":"a\n\nb"}]}]`,
			[]string{"p: thinking without a signature of the vendor: sent as text"},
		},
		{
			"refusal and name", chat(canonical.Message{
				Role: assistant, Name: tok("bob"), Path: "m",
				Parts: []canonical.Part{{Kind: canonical.PartRefusal, Text: tok("no"), Path: "m.refusal"}},
			}), `"messages":[{"role":"assistant","content":[{"type":"text","text":"no"}]}]`,
			[]string{"m.name: messages have no names", "m.refusal: a refusal, sent as text"},
		},
	}
}

func foreignSettings() []foreignCase {
	hi := message(user, text("hi"))
	hiJSON := `"messages":[{"role":"user","content":[{"type":"text","text":"hi"}]}]`
	oneTool := []canonical.Tool{{Name: tok("f"), Path: "tools[0]"}}
	toolJSON := `,"tools":[{"name":"f","input_schema":{"type":"object"}}]`
	no := false
	return []foreignCase{
		{
			"tools", with(chat(hi), func(r *canonical.Request) {
				r.Tools = []canonical.Tool{
					{Name: tok("a"), Description: tok("d"), Schema: canonical.Raw(`{"properties":{"x":{"$ref":"#/$defs/y"}}}`), Strict: canonical.Raw("true"), Path: "tools[0]"},
					{Name: tok("b"), Schema: canonical.Raw("null")},
					{Name: tok("c"), Schema: canonical.Raw("{ }")},
					{Name: tok("p"), Description: tok("Patches."), Custom: true, Path: "tools[3]", Grammar: canonical.Raw(`{"type":"grammar","syntax":"lark","definition":"start: \"x\""}`)},
					{Type: "web_search", Raw: canonical.Raw(`{"type":"web_search"}`), Path: "tools[4]"},
				}
				r.Choice = &canonical.ToolChoice{Mode: "tool", Name: tok("a"), Path: "tool_choice"}
			}), hiJSON + `,"tools":[
			{"name":"a","description":"d","input_schema":{"type":"object","properties":{"x":{"$ref":"#/$defs/y"}}}},
			{"name":"b","input_schema":{"type":"object"}},{"name":"c","input_schema":{"type":"object"}},
			{"name":"p","description":"Patches.\n\nThe input must match this grammar (lark):\n\nstart: \"x\"",
			"input_schema":{"type":"object","properties":{"input":{"type":"string","description":"The whole input of the tool, as plain text."}},
			"required":["input"],"additionalProperties":false}}],"tool_choice":{"type":"tool","name":"a"}`,
			[]string{
				"tools[0].function.strict: not enforced", "tools[3]: a free-form tool became one that takes an object with a text",
				"tools[3].custom.format: the grammar is described, not enforced",
				"tools[4]: dropped: the vendor has no tool web_search",
			},
		},
		{
			"serial calls", with(chat(hi), func(r *canonical.Request) { r.Tools, r.ParallelTools = oneTool, &no }),
			hiJSON + toolJSON + `,"tool_choice":{"type":"auto","disable_parallel_tool_use":true}`, nil,
		},
		{"no calls", with(chat(hi), func(r *canonical.Request) {
			r.Tools, r.ParallelTools, r.Choice = oneTool, &no, &canonical.ToolChoice{Mode: "none"}
		}), hiJSON + toolJSON + `,"tool_choice":{"type":"none"}`, nil},
		{"choice without tools", with(chat(hi), func(r *canonical.Request) {
			r.ParallelTools, r.Choice = &no, &canonical.ToolChoice{Mode: "auto"}
		}), hiJSON, nil},
		{"choice among some", with(chat(hi), func(r *canonical.Request) {
			r.Tools = oneTool
			r.Choice = &canonical.ToolChoice{Path: "tool_choice", Raw: canonical.Raw(`{"type":"allowed_tools","mode":"required","tools":[]}`)}
		}), hiJSON + toolJSON + `,"tool_choice":{"type":"any"}`, []string{"tool_choice: sent as any"}},
		{"choice of a tool that was dropped", with(chat(hi), func(r *canonical.Request) {
			r.Tools = oneTool
			r.Choice = &canonical.ToolChoice{Mode: "tool", Name: tok("gone"), Path: "tool_choice"}
		}), hiJSON + toolJSON, []string{"tool_choice: dropped: there is no such tool"}},
		{
			"effort on a model with budgets", with(chat(hi), effort("claude-sonnet-4-5", "low")),
			`"max_tokens":32000,` + hiJSON + `,"thinking":{"type":"enabled","budget_tokens":2048}`, nil,
		},
		{
			"effort within a limit", with(chat(hi), func(r *canonical.Request) {
				effort("claude-sonnet-4-5", "medium")(r)
				r.MaxTokens, r.Temperature, r.TopP = canonical.Raw("8000"), canonical.Raw("0.2"), canonical.Raw("0.97")
			}), `"max_tokens":8000,` + hiJSON + `,"thinking":{"type":"enabled","budget_tokens":4000},"top_p":0.97`,
			[]string{"temperature: dropped: not while the model thinks"},
		},
		{"effort without room", with(chat(hi), func(r *canonical.Request) {
			effort("claude-sonnet-4-5", "low")(r)
			r.MaxTokens, r.Temperature = canonical.Raw("2000"), canonical.Raw("1.5")
		}), `"max_tokens":2000,` + hiJSON + `,"temperature":1`, []string{
			"reasoning_effort: dropped: the limit of tokens leaves no room for thinking", "temperature: lowered to 1, the highest",
		}},
		{
			"no effort", with(chat(hi), effort("claude-sonnet-4-5", "none")),
			hiJSON + `,"thinking":{"type":"disabled"}`, nil,
		},
		{
			"effort on a current model", with(chat(hi), func(r *canonical.Request) {
				effort("claude-opus-4-8", "minimal")(r)
				r.Source, r.Thinking.Summary, r.TopP = "openai.responses", tok("auto"), canonical.Raw("0.5")
			}), hiJSON + `,"thinking":{"type":"adaptive","display":"summarized"},"output_config":{"effort":"low"}`,
			[]string{"top_p: dropped: the model refuses it"},
		},
		{
			"no effort on a current model", with(chat(hi), effort("claude-sonnet-5", "none")),
			hiJSON + `,"thinking":{"type":"disabled"}`, nil,
		},
		{
			"effort and a forced call", with(chat(hi), func(r *canonical.Request) {
				effort("claude-opus-4-8", "high")(r)
				r.Tools, r.Choice = oneTool, &canonical.ToolChoice{Mode: "any"}
			}), hiJSON + toolJSON + `,"tool_choice":{"type":"any"},"output_config":{"effort":"high"}`,
			[]string{"reasoning_effort: dropped: the model cannot think where a call is forced"},
		},
		{
			"effort while calls are answered", with(chat(hi, message(assistant, call("a", "f", "{}")), message(tool, result("a", "1"))),
				effort("claude-sonnet-4-5", "high")),
			`"messages":[{"role":"user","content":[{"type":"text","text":"hi"}]},
			{"role":"assistant","content":[{"type":"tool_use","id":"a","name":"f","input":{}}]},
			{"role":"user","content":[{"type":"tool_result","tool_use_id":"a","content":"1"}]}]`,
			[]string{"reasoning_effort: dropped: the calls being answered came without signed thinking"},
		},
		{"schema for the answer", with(chat(hi), func(r *canonical.Request) {
			r.Format = &canonical.Format{Type: "json_schema", Name: tok("n"), Schema: canonical.Raw(`{"type":"object"}`), Strict: canonical.Raw("true")}
		}), hiJSON + `,"output_config":{"format":{"type":"json_schema","schema":{"type":"object"}}}`, nil},
		{
			"any object for the answer", with(chat(message(system, text("s")), hi), func(r *canonical.Request) {
				r.Format = &canonical.Format{Type: "json_object"}
			}), `"system":[{"type":"text","text":"s"},{"type":"text","text":"` + jsonInstruction + `"}],` + hiJSON,
			[]string{"response_format: asked for in the system prompt, not enforced"},
		},
		{"what means the same", with(chat(hi), func(r *canonical.Request) {
			r.MaxTokens, r.TopP, r.TopK = canonical.Raw("10"), canonical.Raw("0.5"), canonical.Raw("3")
			r.Stop, r.User, r.ServiceTier = []canonical.Token{tok("END"), tok("\n")}, tok("u"), tok("default")
			r.Stream, r.IncludeUsage = true, true
		}), `"max_tokens":10,` + hiJSON + `,"top_p":0.5,"top_k":3,"stop_sequences":["END"],"metadata":{"user_id":"u"},
			"service_tier":"standard_only","stream":true`, []string{"stop[1]: dropped: white space alone"}},
		{"what asks for nothing", with(chat(hi), func(r *canonical.Request) {
			r.N, r.Store, r.PresencePenalty, r.Logprobs = canonical.Raw("1"), canonical.Raw("false"), canonical.Raw("0"), canonical.Raw("false")
			r.Include = canonical.Raw(`["reasoning.encrypted_content"]`)
		}), hiJSON, nil},
		{"what has no equivalent", with(chat(hi), func(r *canonical.Request) {
			r.N, r.Seed, r.Metadata, r.PromptCacheKey = canonical.Raw("2"), canonical.Raw("7"), canonical.Raw(`{"a":"b"}`), tok("k")
			r.ServiceTier, r.PreviousResponseID = tok("flex"), tok("resp_1")
			r.Extra = []canonical.Field{{Name: "logit_bias", Raw: canonical.Raw("{}")}, {Name: "x", Raw: canonical.Raw("null")}}
			r.Messages[0].Extra = []canonical.Field{{Name: "y", Raw: canonical.Raw("1")}}
		}), hiJSON, []string{
			"m.y: no equivalent", "service_tier: dropped: no such tier", "seed: no equivalent", "n: no equivalent",
			"metadata: no equivalent", "previous_response_id: no equivalent", "prompt_cache_key: no equivalent",
			"logit_bias: no equivalent",
		}},
	}
}

func TestForeignRequest(t *testing.T) {
	t.Parallel()
	for _, test := range append(foreignConversations(), foreignSettings()...) {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			var lost canonical.Losses
			got, err := Codec().Requests().EncodeRequest(&test.req, &lost)
			if err != nil {
				t.Fatal(err)
			}
			want := fmt.Sprintf(`{"model":%q,%s}`, test.req.Model, test.want)
			if !strings.Contains(want, `"max_tokens"`) {
				want = strings.Replace(want, `",`, fmt.Sprintf(`","max_tokens":%d,`, answerLimit(test.req.Model)), 1)
			}
			id := envelope.ClampID(tok("functions.f:0"), maxToolID, nil)
			sameJSON(t, strings.ReplaceAll(want, `"ID"`, string(id)), string(got))
			if diff := cmp.Diff(test.losses, lossStrings(lost.List)); diff != "" {
				t.Errorf("losses (-want +got):\n%s", diff)
			}
		})
	}
}

func lossStrings(list []canonical.Loss) []string {
	var out []string
	for _, l := range list {
		out = append(out, l.Path+": "+l.Reason)
	}
	return out
}

// A request may be encoded by several goroutines, and again for another upstream.
func TestForeignRequestIsNotChanged(t *testing.T) {
	t.Parallel()
	make1 := func() canonical.Request {
		return chat(message(user, media(canonical.PartImage, canonical.Media{URL: tok("data:image/png;base64,AA")})),
			message(tool, result("a", "")))
	}
	req := make1()
	if _, err := Codec().Requests().EncodeRequest(&req, nil); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(make1(), req); diff != "" {
		t.Errorf("the request changed (-want +got):\n%s", diff)
	}
}

func TestModelVersion(t *testing.T) {
	t.Parallel()
	for model, want := range map[string]int{
		"claude-sonnet-4-5-20250929": 405, "claude-sonnet-4-20250514": 400, "claude-3-7-sonnet-latest": 307,
		"claude-opus-4-8": 408, "claude-sonnet-5": 500, "us.anthropic.claude-opus-4-6-v1:0": 406, "deepseek-chat-3": 0,
		"claude-unheard-of": current, "claude-opus-4-1@20250805": 401, "anthropic/claude-haiku-4.5": 405,
	} {
		if got := modelVersion(model); got != want {
			t.Errorf("modelVersion(%q) = %d, want %d", model, got, want)
		}
	}
}
