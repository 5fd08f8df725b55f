package claudesdk

import (
	"encoding/json"
	"net/http"
	"regexp"
	"strings"

	"github.com/ccproxy-go/ccproxy"
	"github.com/ccproxy-go/ccproxy/internal/rawjson"
)

// usage is that of a turn, with its cost.
type usage struct {
	InputTokens              int64   `json:"input_tokens"`
	CacheCreationInputTokens int64   `json:"cache_creation_input_tokens"`
	CacheReadInputTokens     int64   `json:"cache_read_input_tokens"`
	OutputTokens             int64   `json:"output_tokens"`
	TotalCostUSD             float64 `json:"total_cost_usd"`
}

// finish ends the client's message with the result of the turn, or tells why there is none. cost is that of the turn.
func (t *translator) finish(m *message, cost float64) error {
	stop, err := t.stopReason(m)
	if err != nil {
		return err
	}
	var u usage
	_ = json.Unmarshal(m.Usage, &u) // of anything else there is no usage
	u.TotalCostUSD = cost
	if err := t.begin(emptyMessage(m, &u)); err != nil {
		return err
	}
	if t.next == 0 && m.Result != "" { // the CLI has answered by itself
		if err := t.show(textBlock(m.Result)); err != nil {
			return err
		}
	}
	if err := t.closeBlock(); err != nil {
		return err
	}
	if t.mode == modeForward {
		err := t.showValue(&resultBlock{
			Type: blockResult, Subtype: m.Subtype, SessionID: m.SessionID, NumTurns: m.NumTurns,
			DurationMS: m.DurationMS, TotalCostUSD: cost, Usage: m.Usage, Source: blockSource,
		})
		if err != nil {
			return err
		}
	}
	err = t.emit("message_delta", map[string]any{
		"type": "message_delta", "delta": map[string]any{"stop_reason": stop, "stop_sequence": nil}, "usage": &u,
	})
	if err != nil {
		return err
	}
	return t.emit("message_stop", map[string]string{"type": "message_stop"})
}

// emptyMessage begins a message where the model has said nothing.
func emptyMessage(m *message, u *usage) json.RawMessage {
	data, err := json.Marshal(map[string]any{
		"id": "msg_" + strings.ReplaceAll(m.SessionID, "-", ""), "type": "message", "role": "assistant",
		"model": "claude", "content": []any{}, "stop_reason": nil, "stop_sequence": nil, "usage": u,
	})
	if err != nil {
		return json.RawMessage("{}")
	}
	return data
}

// stopReason is why an answer ended, in the words of the Messages format, or the failure that a result is.
func (t *translator) stopReason(m *message) (string, error) {
	switch {
	case m.Subtype == "error_max_turns":
		return "pause_turn", nil
	case m.Subtype == "error_max_budget_usd":
		return "", &ccproxy.Error{
			Status: http.StatusPaymentRequired, Message: "the CLI has spent what it may for one request",
		}
	case m.IsError || m.Subtype != "success":
		return "", failureOf(m)
	}
	for _, raw := range []json.RawMessage{m.StopReason, t.stop} {
		switch stop, _ := rawjson.String(raw); stop {
		case "", "tool_use": // the use of a tool of the CLI's, which the client has no part in
		default:
			return stop, nil
		}
	}
	return "end_turn", nil
}

// failureOf is what a client is told of a result that is an error: the status and words of the API, if it was the API
// that refused, else that the CLI failed.
func failureOf(m *message) *ccproxy.Error {
	status, text := m.APIErrorStatus, m.Result
	if status < 400 || status > 599 {
		status = http.StatusBadGateway
	}
	if at := regexp.MustCompile(`^API Error: (\d+ )?`).FindStringIndex(text); at != nil {
		text = text[at[1]:]
	}
	if text == "" {
		text = "the CLI failed: " + m.Subtype
	}
	return &ccproxy.Error{Status: status, Message: text}
}
