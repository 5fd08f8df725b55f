package providertest

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"

	"github.com/ccproxy-go/ccproxy/adapters"
)

// Ending is what a client's stream says of its end.
type Ending struct {
	Successes int    // events that end a stream well
	Failures  int    // events that end it with an error
	Trailing  int    // events after the first that ended it
	Text      string // what the deltas have said
	Message   string // of the last error
}

// EndingOf reads a stream as a client of format f does. It knows the events of f by their documented names and shares
// nothing with the proxy's own parsers, so that it can judge them. Line ends must be LF.
func EndingOf(f adapters.Format, stream string) Ending {
	var e Ending
	for block := range strings.SplitSeq(stream, "\n\n") {
		name, data := fieldsOf(block)
		if data == "" {
			continue
		}
		if e.Successes+e.Failures > 0 {
			e.Trailing++
		}
		e.read(f, name, data)
	}
	return e
}

func fieldsOf(block string) (name, data string) {
	var lines []string
	for line := range strings.SplitSeq(block, "\n") {
		if v, ok := strings.CutPrefix(line, "event: "); ok {
			name = v
		}
		if v, ok := strings.CutPrefix(line, "data: "); ok {
			lines = append(lines, v)
		}
	}
	return name, strings.Join(lines, "\n")
}

// streamEvent is what clients read of the data of the three formats.
type streamEvent struct {
	Type     string          `json:"type"`
	Message  json.RawMessage `json:"message"`
	Delta    json.RawMessage `json:"delta"`
	Error    *errorMember    `json:"error"`
	Response struct {
		Error *errorMember `json:"error"`
	} `json:"response"`
	Choices []struct {
		Delta struct {
			Content string `json:"content"`
		} `json:"delta"`
	} `json:"choices"`
}

type errorMember struct {
	Type    string `json:"type"`
	Message string `json:"message"`
}

func (e *Ending) read(f adapters.Format, name, data string) {
	var ev streamEvent
	_ = json.Unmarshal([]byte(data), &ev) // what is no JSON has no members
	failure := ev.Error
	var failed bool
	switch f {
	case adapters.OpenAIChatCompletions:
		if data == "[DONE]" {
			e.Successes++
			return
		}
		failed = ev.Error != nil
		for _, c := range ev.Choices {
			e.Text += c.Delta.Content
		}
	case adapters.OpenAIResponses:
		if name == "" {
			name = ev.Type // clients of this format look at the data alone
		}
		failed = name == "response.failed" || name == "error"
		if failure == nil {
			failure = ev.Response.Error
		}
		e.readResponses(name, ev)
	default:
		failed = name == "error"
		e.readMessages(name, ev)
	}
	if !failed {
		return
	}
	e.Failures++
	if failure != nil {
		e.Message = failure.Message
	} else {
		_ = json.Unmarshal(ev.Message, &e.Message) // the error event of Responses has it at the top
	}
}

func (e *Ending) readResponses(name string, ev streamEvent) {
	switch name {
	case "response.completed", "response.incomplete":
		e.Successes++
	case "response.output_text.delta":
		var text string
		_ = json.Unmarshal(ev.Delta, &text) // another shape says nothing
		e.Text += text
	}
}

func (e *Ending) readMessages(name string, ev streamEvent) {
	switch name {
	case "message_stop":
		e.Successes++
	case "content_block_delta":
		var delta struct {
			Text string `json:"text"`
		}
		_ = json.Unmarshal(ev.Delta, &delta) // another shape says nothing
		e.Text += delta.Text
	}
}

// ErrContract is what [Fault.Check] reports.
var ErrContract = errors.New("broken contract with the client")

// Check tells whether a client of format f that asked for a stream, and met the fault, was told the truth: by an error
// status with an error of its own format, or by a stream with exactly one end in that format, which is a success only
// if the fault is Whole. readErr is what reading the body ended with, nil for its orderly end.
func (f Fault) Check(format adapters.Format, status int, body string, readErr error) error {
	broken := func(what string) error {
		return fmt.Errorf("%s: %w: %s: status %d, read error %w, body …%q",
			f.Name, ErrContract, what, status, errOrNone(readErr), body[max(0, len(body)-400):])
	}
	if readErr != nil {
		return broken("the answer breaks off")
	}
	if status != http.StatusOK {
		return f.checkStatus(format, status, body, broken)
	}
	e := EndingOf(format, body)
	switch {
	case e.Successes+e.Failures != 1:
		return broken(fmt.Sprintf("%d successes and %d failures", e.Successes, e.Failures))
	case e.Successes == 1 && !f.Whole:
		return broken("taken for a success")
	case e.Failures == 1 && e.Message == "":
		return broken("the error says nothing")
	case e.Failures == 1 && e.Trailing > 0:
		return broken("something follows the error")
	}
	return nil
}

var errNone = errors.New("none")

func errOrNone(err error) error {
	if err == nil {
		return errNone
	}
	return err
}

func (f Fault) checkStatus(format adapters.Format, status int, body string, broken func(string) error) error {
	var e struct {
		Type  string                     `json:"type"`
		Error map[string]json.RawMessage `json:"error"`
	}
	if status < http.StatusBadRequest {
		return broken("no status of an error")
	}
	if err := json.Unmarshal([]byte(body), &e); err != nil || len(e.Error["message"]) < len(`"x"`) {
		return broken("no error object")
	}
	_, ownParam := e.Error["param"]
	if anthropic := format == adapters.AnthropicMessages; anthropic != (e.Type == "error") || anthropic == ownParam {
		return broken("an error of another format")
	}
	return nil
}
