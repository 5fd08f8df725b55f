package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"strings"
)

// model is what all requests ask for and all answers come from.
const model = "claude-sonnet-4-6"

// request is a body in the Messages format, in the order in which clients write it.
type request struct {
	Model     string    `json:"model"`
	MaxTokens int       `json:"max_tokens"`
	Stream    bool      `json:"stream,omitempty"`
	Metadata  metadata  `json:"metadata"`
	System    []content `json:"system,omitempty"`
	Tools     []tool    `json:"tools,omitempty"`
	Messages  []turn    `json:"messages"`
}

type metadata struct {
	UserID string `json:"user_id"`
}

type turn struct {
	Role    string    `json:"role"`
	Content []content `json:"content"`
}

type content struct {
	Type         string            `json:"type"`
	Text         string            `json:"text,omitempty"`
	ID           string            `json:"id,omitempty"`
	Name         string            `json:"name,omitempty"`
	Input        map[string]string `json:"input,omitempty"`
	ToolUseID    string            `json:"tool_use_id,omitempty"`
	Content      string            `json:"content,omitempty"`
	CacheControl map[string]string `json:"cache_control,omitempty"`
}

type tool struct {
	Name        string `json:"name"`
	Description string `json:"description"`
	InputSchema schema `json:"input_schema"`
}

type schema struct {
	Type        string            `json:"type"`
	Description string            `json:"description,omitempty"`
	Properties  map[string]schema `json:"properties,omitempty"`
	Items       *schema           `json:"items,omitempty"`
	Enum        []string          `json:"enum,omitempty"`
	Minimum     *int              `json:"minimum,omitempty"`
	Required    []string          `json:"required,omitempty"`
}

// plainBody is one question with a long text, size bytes in all.
func plainBody(size int) []byte {
	p := newProse(1)
	req := request{
		Model: model, MaxTokens: 1024, Metadata: metadata{UserID: "user-1"},
		System:   []content{{Type: "text", Text: p.text(size / 8)}},
		Messages: []turn{{Role: "user", Content: []content{{Type: "text"}}}},
	}
	// Escapes take more bytes than what they stand for, so the last few are found by filling up.
	text := p.text(size)
	fits := func(n int) bool {
		req.Messages[0].Content[0].Text = text[:n]
		return len(encode(req)) <= size
	}
	low, high := 0, len(text)
	for low < high {
		if mid := (low + high + 1) / 2; fits(mid) {
			low = mid
		} else {
			high = mid - 1
		}
	}
	req.Messages[0].Content[0].Text = text[:low]
	return encode(req)
}

// streamBody is a small question whose answer shall be a stream.
func streamBody() []byte {
	return encode(request{
		Model: model, MaxTokens: 4096, Stream: true, Metadata: metadata{UserID: "user-1"},
		Messages: []turn{{Role: "user", Content: []content{{Type: "text", Text: newProse(2).text(400)}}}},
	})
}

// agentBody is what a coding agent sends in the middle of its work: a system prompt, 30 tools with their schemas,
// and 20 turns of tool calls and file contents; about 80 KB.
func agentBody() []byte { return agent(30, 10, 2600) }

// toolsBody is the same with more tools and more turns that say less: 40 tools, 20 rounds of a call and its result.
func toolsBody() []byte { return agent(40, 20, 420) }

// agent makes a conversation of rounds of calls, whose results have so many bytes of code.
func agent(tools, rounds, code int) []byte {
	p := newProse(3)
	cached := map[string]string{"type": "ephemeral"}
	req := request{
		Model: model, MaxTokens: 32000, Metadata: metadata{UserID: "user_1_account_2_session_3"},
		System: []content{
			{Type: "text", Text: "You are a coding agent.", CacheControl: cached},
			{Type: "text", Text: p.text(9000), CacheControl: cached},
		},
	}
	for i := range tools {
		req.Tools = append(req.Tools, p.tool(i))
	}
	req.Messages = append(req.Messages, turn{Role: "user", Content: []content{{Type: "text", Text: p.text(1200)}}})
	for i := range rounds {
		id := fmt.Sprintf("toolu_%024d", i)
		req.Messages = append(req.Messages,
			turn{Role: "assistant", Content: []content{
				{Type: "text", Text: p.text(300)},
				{Type: "tool_use", ID: id, Name: req.Tools[i].Name, Input: map[string]string{
					"path": "internal/" + p.word() + "/" + p.word() + ".go", "pattern": p.text(80),
				}},
			}},
			turn{Role: "user", Content: []content{{Type: "tool_result", ToolUseID: id, Content: p.code(code)}}},
		)
	}
	last := req.Messages[len(req.Messages)-1].Content
	last[0].CacheControl = cached
	return encode(req)
}

// encode writes JSON as the SDKs of JavaScript and Python do, which leave < and > alone.
func encode(v any) []byte {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		return nil // plain structs, maps and strings can be encoded
	}
	return bytes.TrimSuffix(b.Bytes(), []byte("\n"))
}

// prose makes text that is the same in every run.
type prose struct{ rng *rand.Rand }

func newProse(seed uint64) prose {
	return prose{rand.New(rand.NewPCG(seed, 0))} //nolint:gosec // it must repeat, not surprise
}

func (p prose) word() string {
	n := 2 + p.rng.IntN(8)
	b := make([]byte, n)
	for i := range b {
		b[i] = "etaoinshrdlucmfwypvbgkjqxz"[min(p.rng.IntN(26), p.rng.IntN(26))]
	}
	return string(b)
}

// text is n bytes of sentences, in lines and with a quote here and there.
func (p prose) text(n int) string {
	var b strings.Builder
	for b.Len() < n {
		b.WriteString(p.word())
		switch p.rng.IntN(24) {
		case 0:
			b.WriteString(".\n")
		case 1:
			b.WriteString(" \"" + p.word() + "\", ")
		default:
			b.WriteByte(' ')
		}
	}
	return b.String()[:n]
}

// code is about n bytes that look like the lines of a program, as tools return them: numbered, indented, quoted.
func (p prose) code(n int) string {
	var b strings.Builder
	for line := 1; b.Len() < n; line++ {
		fmt.Fprintf(&b, "%6d\t%s", line, strings.Repeat("\t", p.rng.IntN(4)))
		switch p.rng.IntN(4) {
		case 0:
			fmt.Fprintf(&b, "if %s.%s != \"%s\" {\n", p.word(), p.word(), p.word())
		case 1:
			fmt.Fprintf(&b, "// %s\n", strings.ReplaceAll(p.text(60), "\n", " "))
		default:
			fmt.Fprintf(&b, "%s, err := %s.%s(ctx, %s, %s[%s:])\n",
				p.word(), p.word(), p.word(), p.word(), p.word(), p.word())
		}
	}
	return b.String()
}

func (p prose) tool(i int) tool {
	limit := 1
	return tool{
		Name: fmt.Sprintf("%s_%s_%d", p.word(), p.word(), i), Description: p.text(420),
		InputSchema: schema{
			Type: "object", Required: []string{"path", "mode"},
			Properties: map[string]schema{
				"path":  {Type: "string", Description: p.text(90)},
				"mode":  {Type: "string", Enum: []string{"read", "write", "append"}, Description: p.text(60)},
				"limit": {Type: "integer", Description: p.text(40), Minimum: &limit},
				"edits": {Type: "array", Description: p.text(50), Items: &schema{
					Type: "object", Required: []string{"old", "new"}, Properties: map[string]schema{
						"old": {Type: "string", Description: p.text(40)},
						"new": {Type: "string", Description: p.text(40)},
						"all": {Type: "boolean"},
					},
				}},
			},
		},
	}
}
