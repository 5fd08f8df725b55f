package claudesdk

import "encoding/json"

// message is a line that the CLI writes. Which members it has depends on its type; unknown types are passed over.
type message struct {
	Type            string          `json:"type"`
	Subtype         string          `json:"subtype"`
	ParentToolUseID string          `json:"parent_tool_use_id"` // of what a subagent says
	SessionID       string          `json:"session_id"`
	IsReplay        bool            `json:"isReplay"`
	RequestID       string          `json:"request_id"`
	Request         json.RawMessage `json:"request"`
	Response        json.RawMessage `json:"response"`
	Message         json.RawMessage `json:"message"`
	Event           json.RawMessage `json:"event"`

	// Of a result.
	IsError        bool            `json:"is_error"`
	APIErrorStatus int             `json:"api_error_status"`
	Result         string          `json:"result"`
	StopReason     json.RawMessage `json:"stop_reason"`
	NumTurns       int             `json:"num_turns"`
	DurationMS     int64           `json:"duration_ms"`
	TotalCostUSD   float64         `json:"total_cost_usd"` // of the whole session
	Usage          json.RawMessage `json:"usage"`          // of this turn
}

// The types of messages.
const (
	typeAssistant       = "assistant"
	typeControlCancel   = "control_cancel_request" // a control request is taken back
	typeControlRequest  = "control_request"
	typeControlResponse = "control_response"
	typeResult          = "result"
	typeStreamEvent     = "stream_event"
	typeSystem          = "system"
	typeUser            = "user"
)

// userMessage is a message of the user for the CLI. Without a query it only joins the conversation.
type userMessage struct {
	Type            string      `json:"type"`
	Message         chatMessage `json:"message"`
	ParentToolUseID *string     `json:"parent_tool_use_id"`
	ShouldQuery     *bool       `json:"shouldQuery,omitempty"`
}

// chatMessage is one of a conversation.
type chatMessage struct {
	ID      string            `json:"id,omitempty"` // messages of the assistant without one are taken for one
	Role    string            `json:"role"`
	Content []json.RawMessage `json:"content"`
}

// controlRequest asks for something beside the conversation.
type controlRequest struct {
	Type      string `json:"type"`
	RequestID string `json:"request_id"`
	Request   any    `json:"request"`
}

// initializeRequest begins a session.
type initializeRequest struct {
	Subtype            string   `json:"subtype"`
	SystemPrompt       []string `json:"systemPrompt,omitempty"`
	AppendSystemPrompt string   `json:"appendSystemPrompt,omitempty"`
}

// controlResponse answers a control request.
type controlResponse struct {
	Type     string       `json:"type"`
	Response responseBody `json:"response"`
}

type responseBody struct {
	Subtype   string `json:"subtype"`
	RequestID string `json:"request_id"`
	Response  any    `json:"response,omitempty"`
	Error     string `json:"error,omitempty"`
}

// toolQuestion asks whether a tool may be used.
type toolQuestion struct {
	Subtype   string          `json:"subtype"`
	ToolName  string          `json:"tool_name"`
	ToolUseID string          `json:"tool_use_id"`
	Input     json.RawMessage `json:"input"`
}

// toolAnswer says whether.
type toolAnswer struct {
	Behavior     string          `json:"behavior"`
	UpdatedInput json.RawMessage `json:"updatedInput,omitempty"`
	Message      string          `json:"message,omitempty"`
}
