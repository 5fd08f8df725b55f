package permissions

import (
	"encoding/json"
	"time"

	"github.com/ccproxy-go/ccproxy/adapters"
)

// view is a request as clients see it.
type view struct {
	ID            string          `json:"request_id"`
	Status        Status          `json:"status"`
	Tool          string          `json:"tool_name"`
	ToolText      string          `json:"tool_text"` // to be shown to people
	Input         json.RawMessage `json:"input"`
	InputText     string          `json:"input_text"` // to be shown to people
	ToolUseID     string          `json:"tool_use_id,omitempty"`
	ToolUseText   string          `json:"tool_use_text,omitempty"` // to be shown to people
	Source        string          `json:"source"`
	Caller        string          `json:"caller,omitempty"`
	Editable      bool            `json:"editable"`
	Created       time.Time       `json:"created_at"`
	Expires       time.Time       `json:"expires_at"`
	TimeRemaining float64         `json:"time_remaining"` // in seconds
	Resolved      *time.Time      `json:"resolved_at,omitempty"`
	Reason        string          `json:"reason,omitempty"`
	By            string          `json:"resolved_by,omitempty"`
	UpdatedInput  json.RawMessage `json:"updated_input,omitempty"`
}

func newView(r *Request) view {
	v := view{
		ID: r.ID, Status: r.Status, Tool: r.Tool, ToolText: Plain(r.Tool), Input: r.Input,
		InputText: InputText(r.Input), ToolUseID: r.ToolUseID, ToolUseText: Plain(r.ToolUseID), Source: r.Source,
		Caller:   r.Caller,
		Editable: r.Editable, Created: r.Created.UTC(), Expires: r.Expires.UTC(),
		Reason: r.Reason, By: r.By, UpdatedInput: r.UpdatedInput,
	}
	if r.Status == Pending {
		v.TimeRemaining = max(0, time.Until(r.Expires).Seconds())
	} else {
		at := r.Resolved.UTC()
		v.Resolved = &at
	}
	return v
}

// The types of events.
const (
	eventRequest  = "permission_request"
	eventResolved = "permission_resolved"
	eventExpired  = "permission_expired"
)

// ending is the data of the event that a request has ended.
type ending struct {
	ID      string `json:"request_id"`
	Status  Status `json:"status"`
	Allowed bool   `json:"allowed"`
	Reason  string `json:"reason,omitempty"`
	By      string `json:"resolved_by,omitempty"`
}

// event tells what has happened to a request.
func event(r *Request) adapters.Event {
	var kind string
	var data any
	switch r.Status {
	case Pending:
		kind, data = eventRequest, newView(r)
	case Expired, Withdrawn:
		kind, data = eventExpired, ending{ID: r.ID, Status: r.Status}
	default:
		kind = eventResolved
		data = ending{ID: r.ID, Status: r.Status, Allowed: r.Status == Allowed, Reason: r.Reason, By: r.By}
	}
	raw, err := json.Marshal(data)
	if err != nil { // cannot be: texts, numbers, and JSON that was checked
		raw = []byte("{}")
	}
	return adapters.Event{Type: kind, Data: raw}
}
