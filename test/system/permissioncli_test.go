package system

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"os"
)

// cliVariable is the environment variable that makes this program the CLI of claude_sdk. It has the address of the
// test, which is told what happens to the CLI, and knows by the end of the connection when that has ended.
const cliVariable = "CCPROXY_SYSTEM_CLI"

// fakeCLI asks for each message of the user whether it may use a tool, and then says what it was answered. What the
// test sends it makes it die.
type fakeCLI struct {
	test net.Conn
	out  *json.Encoder
}

type cliObject = map[string]any

// runCLI is the whole life of a CLI.
func runCLI(address string) error {
	conn, err := net.Dial("tcp", address)
	if err != nil {
		return err
	}
	go func() {
		if n, _ := conn.Read(make([]byte, 1)); n > 0 {
			os.Exit(3)
		}
	}()
	f := &fakeCLI{test: conn, out: json.NewEncoder(os.Stdout)}
	lines := bufio.NewReader(os.Stdin)
	for {
		line, err := lines.ReadBytes('\n')
		if err == io.EOF {
			f.tell("ends")
			return conn.Close()
		}
		if err != nil {
			return err
		}
		f.take(line)
	}
}

// tell tells the test.
func (f *fakeCLI) tell(text string) { fmt.Fprintln(f.test, text) }

func (f *fakeCLI) write(messages ...cliObject) {
	for _, m := range messages {
		_ = f.out.Encode(m)
	}
}

func (f *fakeCLI) take(line []byte) {
	var m struct {
		Type      string `json:"type"`
		RequestID string `json:"request_id"`
		Request   struct {
			Subtype string `json:"subtype"`
		} `json:"request"`
		Message struct {
			Content []struct {
				Text string `json:"text"`
			} `json:"content"`
		} `json:"message"`
		Response struct {
			Error    string `json:"error"`
			Response struct {
				Behavior     string          `json:"behavior"`
				Message      string          `json:"message"`
				UpdatedInput json.RawMessage `json:"updatedInput"`
			} `json:"response"`
		} `json:"response"`
	}
	if err := json.Unmarshal(line, &m); err != nil {
		f.tell(err.Error())
		return
	}
	switch {
	case m.Type == "control_request":
		f.write(cliObject{"type": "control_response", "response": cliObject{"subtype": "success", "request_id": m.RequestID}})
		if m.Request.Subtype == "interrupt" {
			f.tell("is interrupted")
			f.write(cliObject{"type": "result", "subtype": "error_during_execution", "is_error": true, "num_turns": 1})
		}
	case m.Type == "user":
		f.ask(m.Message.Content[0].Text)
	case m.Type == "control_response" && m.Response.Error == "":
		a := m.Response.Response
		f.answer(a.Behavior + ": " + a.Message + string(a.UpdatedInput))
	}
}

// modelEvent is an event of the model's stream.
func modelEvent(event cliObject) cliObject { return cliObject{"type": "stream_event", "event": event} }

func messageStart(id string) cliObject {
	return modelEvent(cliObject{"type": "message_start", "message": cliObject{
		"id": id, "type": "message", "role": "assistant", "model": "sonnet", "content": []any{}, "stop_reason": nil,
		"usage": cliObject{"input_tokens": 10, "output_tokens": 1},
	}})
}

// ask begins to use a tool, and asks whether it may.
func (f *fakeCLI) ask(command string) {
	input, use := cliObject{"command": command}, "toolu_"+command
	f.write(cliObject{"type": "system", "subtype": "init"}, messageStart("msg_1"),
		modelEvent(cliObject{"type": "content_block_start", "index": 0, "content_block": cliObject{
			"type": "tool_use", "id": use, "name": "Bash", "input": cliObject{},
		}}),
		cliObject{"type": "control_request", "request_id": "ask-" + command, "request": cliObject{
			"subtype": "can_use_tool", "tool_name": "Bash", "input": input, "tool_use_id": use,
		}})
}

// answer says what came of it.
func (f *fakeCLI) answer(text string) {
	f.write(modelEvent(cliObject{"type": "content_block_stop", "index": 0}), modelEvent(cliObject{"type": "message_stop"}),
		messageStart("msg_2"),
		modelEvent(cliObject{"type": "content_block_start", "index": 0, "content_block": cliObject{"type": "text", "text": ""}}),
		modelEvent(cliObject{"type": "content_block_delta", "index": 0, "delta": cliObject{"type": "text_delta", "text": text}}),
		modelEvent(cliObject{"type": "content_block_stop", "index": 0}),
		modelEvent(cliObject{"type": "message_delta", "delta": cliObject{"stop_reason": "end_turn"}}),
		modelEvent(cliObject{"type": "message_stop"}),
		cliObject{
			"type": "result", "subtype": "success", "num_turns": 1, "stop_reason": "end_turn", "total_cost_usd": 0.01,
			"usage": cliObject{"input_tokens": 10, "output_tokens": 5},
		})
}
