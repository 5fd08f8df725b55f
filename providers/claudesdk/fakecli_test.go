package claudesdk_test

import (
	"bufio"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"os/signal"
	"strconv"
	"strings"
	"sync"
	"time"
)

// fake is a CLI that speaks the protocol of the real one as it was observed (version 2.1.197), without a model: the
// last text of the user says what it does.
type fake struct {
	mode    string
	out     sync.Mutex
	in      chan map[string]any
	stopped chan struct{} // an interrupt
	answers chan map[string]any
	system  any
	appends any
	history []any
	number  int
	turns   int
	cost    float64
}

// fakeCLI runs the fake. Modes: "on", and for what goes wrong at the start "crash", "mute", "refuse" and "old".
func fakeCLI(mode string) int {
	switch mode {
	case "crash":
		fmt.Fprintln(os.Stderr, "error: unknown option '--strict-mcp-config'")
		return 1
	case "mute":
		select {}
	}
	f := &fake{
		mode: mode, in: make(chan map[string]any, 64), answers: make(chan map[string]any, 1),
		stopped: make(chan struct{}, 1),
	}
	go f.read()
	for m := range f.in {
		f.take(m)
	}
	return 0
}

func (f *fake) read() {
	defer close(f.in)
	r := bufio.NewReader(os.Stdin)
	for {
		line, err := r.ReadBytes('\n')
		var m map[string]any
		if json.Unmarshal(line, &m) == nil {
			request, _ := m["request"].(map[string]any)
			switch {
			case m["type"] == "control_response":
				f.answers <- m["response"].(map[string]any)
			case m["type"] == "control_request" && request["subtype"] == "interrupt":
				f.write(map[string]any{"type": "control_response", "response": map[string]any{
					"subtype": "success", "request_id": m["request_id"],
				}})
				select {
				case f.stopped <- struct{}{}:
				default:
				}
			default:
				f.in <- m
			}
		}
		if err != nil {
			return
		}
	}
}

func (f *fake) write(m map[string]any) {
	f.out.Lock()
	defer f.out.Unlock()
	if m["session_id"] == nil {
		m["session_id"] = "0f0e0d0c-0000-4000-8000-000000000001"
	}
	line, _ := json.Marshal(m)
	_, _ = os.Stdout.Write(append(line, '\n'))
}

func (f *fake) take(m map[string]any) {
	switch m["type"] {
	case "control_request":
		request := m["request"].(map[string]any)
		f.system, f.appends = request["systemPrompt"], request["appendSystemPrompt"]
		response := map[string]any{"subtype": "success", "request_id": m["request_id"], "response": map[string]any{"commands": []any{}}}
		if f.mode == "refuse" {
			response = map[string]any{"subtype": "error", "request_id": m["request_id"], "error": "no"}
		}
		f.write(map[string]any{"type": "control_response", "response": response})
	case "assistant":
		f.history = append(f.history, m["message"])
	case "user":
		f.history = append(f.history, m["message"])
		f.write(map[string]any{"type": "system", "subtype": "init", "cwd": "/x", "tools": []any{"Bash"}})
		if m["shouldQuery"] == false && f.mode != "old" {
			f.result(map[string]any{"num_turns": 0, "result": ""}, 0)
			return
		}
		f.answer(lastText(m["message"].(map[string]any)))
	}
}

func lastText(m map[string]any) string {
	text := ""
	for _, block := range m["content"].([]any) {
		if s, ok := block.(map[string]any)["text"].(string); ok {
			text = s
		}
	}
	return text
}

func (f *fake) result(over map[string]any, output int) {
	f.cost += float64(output) / 1000
	m := map[string]any{
		"type": "result", "subtype": "success", "is_error": false, "num_turns": 1, "duration_ms": 5, "stop_reason": "end_turn",
		"result": "", "total_cost_usd": f.cost,
		"usage": map[string]any{
			"input_tokens": 10 * max(f.turns, 1), "output_tokens": output, "cache_read_input_tokens": 3,
			"cache_creation_input_tokens": 2, "service_tier": "standard",
		},
	}
	maps.Copy(m, over)
	f.write(m)
}

func (f *fake) event(ev map[string]any) {
	f.write(map[string]any{"type": "stream_event", "event": ev, "parent_tool_use_id": nil})
}

func (f *fake) start() string {
	f.number++
	f.turns++
	id := "msg_" + strconv.Itoa(f.number)
	f.event(map[string]any{"type": "message_start", "message": map[string]any{
		"id": id, "type": "message", "role": "assistant", "model": f.model(), "content": []any{}, "stop_reason": nil,
		"stop_sequence": nil, "usage": map[string]any{"input_tokens": 10, "output_tokens": 1},
	}})
	return id
}

func (f *fake) model() string {
	for _, arg := range os.Args {
		if name, ok := strings.CutPrefix(arg, "--model="); ok {
			return name
		}
	}
	return ""
}

func (f *fake) open(index int, block map[string]any) {
	f.event(map[string]any{"type": "content_block_start", "index": index, "content_block": block})
}

func (f *fake) delta(index int, kind, key, text string) {
	f.event(map[string]any{"type": "content_block_delta", "index": index, "delta": map[string]any{"type": kind, key: text}})
}

func (f *fake) close(index int) {
	f.event(map[string]any{"type": "content_block_stop", "index": index})
}

func (f *fake) stop(reason string) {
	f.event(map[string]any{
		"type": "message_delta", "delta": map[string]any{"stop_reason": reason, "stop_sequence": nil},
		"usage": map[string]any{"output_tokens": 5},
	})
	f.event(map[string]any{"type": "message_stop"})
}

func (f *fake) assistant(id string, block map[string]any) {
	f.write(map[string]any{"type": "assistant", "parent_tool_use_id": nil, "message": map[string]any{
		"id": id, "type": "message", "role": "assistant", "model": f.model(), "content": []any{block},
	}})
}

// say streams a text as one message of the model.
func (f *fake) say(text string) {
	id := f.start()
	f.open(0, map[string]any{"type": "text", "text": ""})
	for word := range strings.SplitAfterSeq(text, " ") {
		f.delta(0, "text_delta", "text", word)
	}
	f.assistant(id, map[string]any{"type": "text", "text": text})
	f.close(0)
	f.stop("end_turn")
	f.history = append(f.history, map[string]any{"role": "assistant", "content": []any{map[string]any{"type": "text", "text": text}}})
}

func (f *fake) sayJSON(v any) {
	b, _ := json.Marshal(v)
	f.say(string(b))
}

func (f *fake) answer(text string) {
	f.turns = 0
	order, rest, _ := strings.Cut(text, " ")
	switch order {
	case "history?":
		f.sayJSON(f.history)
	case "args?":
		f.sayJSON(os.Args[1:])
	case "env?":
		f.say(fmt.Sprintf("[%s]", os.Getenv(rest)))
	case "cwd?":
		dir, _ := os.Getwd()
		list, err := os.ReadDir(dir)
		f.say(fmt.Sprint(dir, " ", len(list), " ", err))
	case "system?":
		f.sayJSON(map[string]any{"system": f.system, "append": f.appends})
	case "pid?":
		f.say(strconv.Itoa(os.Getpid()))
	case "think":
		f.think()
	case "tool":
		f.tool(rest)
		return
	case "askanddie":
		f.start()
		f.question("p1")
		os.Exit(3)
	case "askforever":
		f.start()
		f.question("p1")
		<-f.stopped
		f.note("stopped, then " + fmt.Sprint((<-f.answers)["error"]))
		f.result(map[string]any{"subtype": "error_during_execution", "is_error": true}, 0)
		return
	case "askandcancel":
		f.start()
		f.question("p1")
		f.write(map[string]any{"type": "control_cancel_request", "request_id": "p1"})
		f.question("p2")
		f.say(fmt.Sprint("p1 is given up, the answer is to ", (<-f.answers)["request_id"]))
	case "asktwice":
		f.start()
		f.question("p1")
		f.question("p2")
		first, second := (<-f.answers)["request_id"], (<-f.answers)["request_id"]
		f.say(fmt.Sprintf("%v and %v", min(first.(string), second.(string)), max(first.(string), second.(string))))
	case "slow":
		f.slow(rest)
		return
	case "die":
		f.start()
		f.open(0, map[string]any{"type": "text", "text": ""})
		f.delta(0, "text_delta", "text", "half ")
		os.Exit(3)
	case "vanish":
		os.Exit(3)
	case "hang":
		if rest == "late" {
			f.start()
		}
		<-f.stopped
		f.result(map[string]any{"subtype": "error_during_execution", "is_error": true}, 0)
		return
	case "fail":
		f.fail(rest)
		return
	case "workandfail":
		f.start()
		f.open(0, map[string]any{"type": "tool_use", "id": "toolu_1", "name": "Bash", "input": map[string]any{}})
		f.close(0)
		f.stop("tool_use")
		f.fail(rest)
		return
	case "subtype":
		f.start()
		f.result(map[string]any{"subtype": rest, "is_error": rest != "error_max_turns"}, 1)
		return
	case "whole":
		f.assistant("msg_w", map[string]any{"type": "text", "text": rest})
		f.history = append(f.history, map[string]any{"role": "assistant", "content": []any{map[string]any{"type": "text", "text": rest}}})
	case "byitself":
		f.result(map[string]any{"result": rest, "num_turns": 0}, 0)
		return
	case "junk":
		_, _ = os.Stdout.WriteString("warning: something\n\n{\"type\":\"brand_new\",\"event\":1}\n[1]\n")
		f.say("fine")
	case "child":
		f.say(f.child())
	case "chatty": // says something that nobody asked for, after the answer
		f.say("fine")
		f.result(nil, 5)
		f.say("by the way")
	default:
		f.say("You said: " + text)
	}
	f.result(nil, 5)
}

func (f *fake) think() {
	f.start()
	f.open(0, map[string]any{"type": "thinking", "thinking": "", "signature": ""})
	f.delta(0, "thinking_delta", "thinking", "hm")
	f.delta(0, "signature_delta", "signature", "c2ln")
	f.close(0)
	f.open(1, map[string]any{"type": "text", "text": ""})
	f.delta(1, "text_delta", "text", "thought")
	f.close(1)
	f.stop("end_turn")
}

// tool uses a tool, asks for permission, and then answers with what came of it.
func (f *fake) tool(command string) {
	input := map[string]any{"command": command}
	id := f.start()
	f.open(0, map[string]any{"type": "text", "text": ""})
	f.delta(0, "text_delta", "text", "Let me look.")
	f.close(0)
	f.open(1, map[string]any{"type": "tool_use", "id": "toolu_1", "name": "Bash", "input": map[string]any{}})
	b, _ := json.Marshal(input)
	f.delta(1, "input_json_delta", "partial_json", string(b[:5]))
	f.delta(1, "input_json_delta", "partial_json", string(b[5:]))
	f.assistant(id, map[string]any{"type": "tool_use", "id": "toolu_1", "name": "Bash", "input": input})
	f.write(map[string]any{"type": "control_request", "request_id": "p1", "request": map[string]any{
		"subtype": "can_use_tool", "tool_name": "Bash", "input": input, "tool_use_id": "toolu_1",
	}})
	f.close(1)
	f.stop("tool_use")
	f.write(map[string]any{"type": "control_request", "request_id": "p2", "request": map[string]any{"subtype": "elicit"}})
	answers := map[any]map[string]any{}
	for range 2 {
		a := <-f.answers
		answers[a["request_id"]] = a
	}
	said, refused := answers["p1"]["response"].(map[string]any), answers["p2"]
	result := map[string]any{"type": "tool_result", "tool_use_id": "toolu_1", "content": "made </tool_result_sdk>", "is_error": false}
	if said["behavior"] != "allow" {
		result["content"], result["is_error"] = said["message"], true
	}
	f.write(map[string]any{"type": "user", "parent_tool_use_id": nil, "message": map[string]any{"role": "user", "content": []any{result}}})
	f.write(map[string]any{"type": "stream_event", "parent_tool_use_id": "toolu_1", "event": map[string]any{
		"type": "content_block_start", "index": 5, "content_block": map[string]any{"type": "text", "text": "SUBAGENT"},
	}})
	f.say(fmt.Sprintf("%v %v %v", said["behavior"], said["updatedInput"] != nil, refused["error"]))
	f.result(nil, 12)
}

// question asks whether a tool may be used, and does not wait for the answer.
func (f *fake) question(id string) {
	f.write(map[string]any{"type": "control_request", "request_id": id, "request": map[string]any{
		"subtype": "can_use_tool", "tool_name": "Bash", "input": map[string]any{"q": id}, "tool_use_id": "toolu_" + id,
	}})
}

// note writes to a file of the test's, for what no client is told.
func (f *fake) note(text string) { _ = os.WriteFile(os.Getenv("FAKE_NOTE"), []byte(text), 0o600) }

// slow streams until it is told to stop, or for so many words.
func (f *fake) slow(words string) {
	most, err := strconv.Atoi(words)
	if err != nil {
		most = 1 << 30
	}
	if words == "stubborn" {
		signal.Ignore(os.Interrupt, sigTerm)
	}
	f.start()
	f.open(0, map[string]any{"type": "text", "text": ""})
	for i := range most {
		f.delta(0, "text_delta", "text", "w"+strconv.Itoa(i)+" ")
		select {
		case <-time.After(2 * time.Millisecond):
		case <-f.stopped:
			if words == "stubborn" {
				continue
			}
			f.write(map[string]any{"type": "user", "message": map[string]any{
				"role": "user", "content": []any{map[string]any{"type": "text", "text": "[Request interrupted by user]"}},
			}})
			f.result(map[string]any{"subtype": "error_during_execution", "is_error": true}, 0)
			return
		}
	}
	f.close(0)
	f.stop("end_turn")
	f.result(nil, most)
}

func (f *fake) fail(status string) {
	code, _ := strconv.Atoi(status)
	text := "API Error: " + status + " bad thing happened"
	f.write(map[string]any{"type": "assistant", "message": map[string]any{
		"id": "x", "role": "assistant", "model": "<synthetic>", "content": []any{map[string]any{"type": "text", "text": text}},
	}})
	f.result(map[string]any{"is_error": true, "api_error_status": code, "result": text, "stop_reason": "stop_sequence"}, 0)
}
