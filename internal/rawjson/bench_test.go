package rawjson

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"testing"
)

// words makes English-looking text of n bytes or a little more, with line ends and quotes now and then.
func words(rng *rand.Rand, n int) string {
	list := []string{
		"the", "file", "path", "to", "read", "command", "returns", "a", "description", "of", "what", "should",
		"be", "written", "in", "active", "voice", "optional", "timeout", "milliseconds", "you", "must", "never",
		"\n", "\"quoted\"", "however", "absolute",
	}
	var out []byte
	for len(out) < n {
		out = append(out, list[rng.IntN(len(list))]...)
		out = append(out, ' ')
	}
	return string(out)
}

type object = map[string]any

// chatBody is a body as chat clients send it: about 1 KB of plain conversation.
func chatBody() []byte {
	rng := rand.New(rand.NewPCG(1, 2))
	return marshal(object{
		"model": "claude-sonnet-4-5", "max_tokens": 1024, "stream": true, "temperature": 0.7,
		"system": words(rng, 180),
		"messages": []object{
			{"role": "user", "content": words(rng, 200)},
			{"role": "assistant", "content": words(rng, 200)},
			{"role": "user", "content": []object{{"type": "text", "text": words(rng, 140)}}},
		},
		"metadata": object{"user_id": "user_0123456789abcdef"},
	})
}

// agentBody is a body as coding agents send it: 40 tools with schemas and 18 messages, about 60 KB.
func agentBody() []byte {
	rng := rand.New(rand.NewPCG(3, 4))
	var tools, messages []object
	for i := range 40 {
		props := object{}
		for p := range 5 {
			props[fmt.Sprintf("parameter_%d", p)] = object{"type": "string", "description": words(rng, 60)}
		}
		props["limit"] = object{"type": "integer", "minimum": 1, "maximum": 2000, "default": 100}
		props["mode"] = object{"type": "string", "enum": []string{"read", "write", "append"}}
		tools = append(tools, object{
			"name": fmt.Sprintf("tool_%d", i), "description": words(rng, 330),
			"input_schema": object{
				"type": "object", "properties": props, "required": []string{"parameter_0", "mode"},
				"additionalProperties": false, "$schema": "http://json-schema.org/draft-07/schema#",
			},
		})
	}
	for i := range 9 {
		id := fmt.Sprintf("toolu_%020d", i)
		messages = append(messages,
			object{"role": "assistant", "content": []object{
				{"type": "text", "text": words(rng, 100)},
				{"type": "tool_use", "id": id, "name": "tool_1", "input": object{"path": "/src/main.go", "limit": 20}},
			}},
			object{"role": "user", "content": []object{
				{"type": "tool_result", "tool_use_id": id, "content": words(rng, 700)},
			}})
	}
	return marshal(object{
		"model": "claude-sonnet-4-5", "max_tokens": 32000, "stream": true, "tools": tools, "messages": messages,
		"system": []object{
			{"type": "text", "text": words(rng, 3000), "cache_control": object{"type": "ephemeral"}},
		},
		"metadata": object{"user_id": "user_0123456789abcdef"},
	})
}

// codeBody is a body as coding agents send it in the middle of their work, about 80 KB: 30 tools with short
// strings in their schemas, and 10 answers with the numbered lines of a program. Every 25 bytes have an escape.
func codeBody() []byte {
	rng := rand.New(rand.NewPCG(7, 8))
	property := func(kind string, n int) object { return object{"type": kind, "description": words(rng, n)} }
	var tools, messages []object
	for i := range 30 {
		edits := property("array", 50)
		edits["items"] = object{
			"type": "object", "required": []string{"old", "new"}, "properties": object{
				"old": property("string", 40), "new": property("string", 40), "all": object{"type": "boolean"},
			},
		}
		mode := property("string", 60)
		mode["enum"] = []string{"read", "write", "append"}
		tools = append(tools, object{
			"name": fmt.Sprintf("tool_%d", i), "description": words(rng, 400),
			"input_schema": object{
				"type": "object", "required": []string{"path", "mode"}, "properties": object{
					"path": property("string", 90), "limit": property("integer", 40), "mode": mode, "edits": edits,
				},
			},
		})
	}
	for i := range 10 {
		id := fmt.Sprintf("toolu_%024d", i)
		messages = append(messages,
			object{"role": "assistant", "content": []object{
				{"type": "text", "text": words(rng, 300)},
				{"type": "tool_use", "id": id, "name": "tool_1", "input": object{"path": "/src/main.go", "limit": 20}},
			}},
			object{"role": "user", "content": []object{
				{"type": "tool_result", "tool_use_id": id, "content": program(rng, 2600)},
			}})
	}
	return marshal(object{
		"model": "claude-sonnet-4-5", "max_tokens": 32000, "stream": true, "tools": tools, "messages": messages,
		"system":   []object{{"type": "text", "text": words(rng, 9000), "cache_control": object{"type": "ephemeral"}}},
		"metadata": object{"user_id": "user_0123456789abcdef"},
	})
}

// program makes n bytes of code or a little more, its lines numbered and indented.
func program(rng *rand.Rand, n int) string {
	var out []byte
	for line := 1; len(out) < n; line++ {
		out = fmt.Appendf(out, "%6d\t%s", line, "\t\t\t"[:rng.IntN(4)])
		switch rng.IntN(4) {
		case 0:
			out = fmt.Appendf(out, "if name%d.kind != %q {\n", rng.IntN(1000), words(rng, 5))
		case 1:
			out = fmt.Appendf(out, "// comment %d says why\n", rng.IntN(100_000))
		default:
			out = fmt.Appendf(out, "value%d, err := read(ctx, input[%d:])\n", rng.IntN(100), rng.IntN(100))
		}
	}
	return string(out)
}

// imageBody is a body with two images in base64, about 2 MB.
func imageBody() []byte {
	rng := rand.New(rand.NewPCG(5, 6))
	image := func() object {
		raw := make([]byte, 765_000)
		for i := range raw {
			raw[i] = byte(rng.Uint32())
		}
		return object{"type": "image", "source": object{
			"type": "base64", "media_type": "image/png", "data": base64.StdEncoding.EncodeToString(raw),
		}}
	}
	return marshal(object{
		"model": "claude-sonnet-4-5", "max_tokens": 1024, "stream": true,
		"messages": []object{{"role": "user", "content": []object{image(), image()}}},
	})
}

func marshal(v any) []byte {
	b, err := json.Marshal(v)
	if err != nil {
		panic(err)
	}
	return b
}

func indent(b []byte) []byte {
	var v any
	if err := json.Unmarshal(b, &v); err != nil {
		panic(err)
	}
	b, err := json.MarshalIndent(v, "", "  ")
	if err != nil {
		panic(err)
	}
	return b
}

var benchBodies = []struct {
	name string
	body []byte
}{
	{"chat1KB", chatBody()},
	{"agent60KB", agentBody()},
	{"agent60KBIndented", indent(agentBody())},
	{"agent80KBCode", codeBody()},
	{"images2MB", imageBody()},
}

func BenchmarkScan(b *testing.B) {
	known := []string{"model", "stream", "metadata", "max_tokens"}
	for _, bench := range benchBodies {
		b.Run(bench.name, func(b *testing.B) {
			var d Doc
			b.SetBytes(int64(len(bench.body)))
			b.ReportAllocs()
			for b.Loop() {
				if err := d.Scan(bench.body, Options{Known: known}); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// BenchmarkValid is what the standard library takes for the check alone.
func BenchmarkValid(b *testing.B) {
	for _, bench := range benchBodies {
		b.Run(bench.name, func(b *testing.B) {
			b.SetBytes(int64(len(bench.body)))
			b.ReportAllocs()
			for b.Loop() {
				if !json.Valid(bench.body) {
					b.Fatal("invalid")
				}
			}
		})
	}
}
