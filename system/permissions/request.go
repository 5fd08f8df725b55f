package permissions

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"time"
	"unicode/utf8"
)

// Status is what has become of a [Request].
type Status string

// The states of a request.
const (
	Pending   Status = "pending"
	Allowed   Status = "allowed"
	Denied    Status = "denied"
	Expired   Status = "expired"   // nobody answered in time
	Withdrawn Status = "withdrawn" // who asked does not want to know any more
)

// Request is a question whether a tool may be used. It is a copy, whose texts are not to be changed.
type Request struct {
	// ID is random; nobody can guess one.
	ID string
	// Tool and Input are what is to be called. They come from a model: show them with [Plain] and [InputText] only.
	Tool  string
	Input json.RawMessage
	// ToolUseID is the model's id of the call, or "".
	ToolUseID string
	// Source is where the question came in: "mcp", "http" or "service".
	Source string
	// Caller is the name of the key that asked, or "".
	Caller string
	// Editable tells that the answer may have another input than the one that was asked for.
	Editable bool
	// Created and Expires are when it was asked and until when it can be answered.
	Created, Expires time.Time
	Status           Status
	// Resolved is when it got its status, zero while it is pending.
	Resolved time.Time
	// Reason and By are the words and the name of who answered; both may be "".
	Reason, By string
	// UpdatedInput is what is to be called instead of Input, nil for Input.
	UpdatedInput json.RawMessage
}

// Question is what is asked.
type Question struct {
	// ID is that of a request that was asked before, to wait for the same answer. Empty for a new one.
	ID string
	// Tool is the tool's name. Required.
	Tool string
	// Input is the JSON object that the tool is to be called with. Nil means {}.
	Input json.RawMessage
	// ToolUseID is the model's id of the call. Whoever asks again with the same one while nobody has been given the
	// answer, waits for the same answer.
	ToolUseID string
	// Source and Caller are those of [Request].
	Source, Caller string
	// Editable is that of [Request].
	Editable bool
	// Expires ends the question before the configured time, if not zero.
	Expires time.Time
}

// Answer is what somebody has decided.
type Answer struct {
	Allow bool
	// Reason is what the model is told of a refusal. May be "".
	Reason string
	// UpdatedInput is a JSON object to call the tool with instead. Nil for none.
	UpdatedInput json.RawMessage
	// By says who answers. May be "".
	By string
}

// The kinds of failures of questions and answers.
var (
	// ErrUnknown tells that there is no request of an id, or none any more.
	ErrUnknown = errors.New("no such permission request")
	// ErrAnswered tells that somebody else was faster.
	ErrAnswered = errors.New("permission request has been answered already")
	// ErrExpired tells that a request has expired or was withdrawn.
	ErrExpired = errors.New("permission request has expired")
	// ErrNotEditable tells that who asked can take no other input.
	ErrNotEditable = errors.New("this permission request takes no updated input")
	// ErrInvalid tells that a question or an answer is not well-formed.
	ErrInvalid = errors.New("invalid")
	// ErrTooMany tells that no more requests or watchers are taken at the moment.
	ErrTooMany = errors.New("too many at the same time")
	// ErrStopped tells that the proxy is shutting down.
	ErrStopped = errors.New("the proxy is shutting down")
)

const (
	maxInput  = 1 << 20
	maxName   = 256
	maxReason = 4 << 10
	maxDepth  = 64
)

// check completes a question.
func (q *Question) check() error {
	switch {
	case q.Tool == "":
		return fmt.Errorf("%w: tool_name is missing", ErrInvalid)
	case !name(q.Tool):
		return fmt.Errorf("%w: tool_name: at most %d bytes of UTF-8", ErrInvalid, maxName)
	case !name(q.ToolUseID):
		return fmt.Errorf("%w: tool_use_id: at most %d bytes of UTF-8", ErrInvalid, maxName)
	}
	if len(bytes.TrimSpace(q.Input)) == 0 {
		q.Input = json.RawMessage("{}")
	}
	if err := object(q.Input); err != nil {
		return fmt.Errorf("%w: input: %w", ErrInvalid, err)
	}
	return nil
}

func name(s string) bool { return len(s) <= maxName && utf8.ValidString(s) }

func (a *Answer) check() error {
	switch {
	case len(a.Reason) > maxReason || !utf8.ValidString(a.Reason):
		return fmt.Errorf("%w: reason: at most %d bytes of UTF-8", ErrInvalid, maxReason)
	case a.UpdatedInput == nil:
		return nil
	case !a.Allow:
		return fmt.Errorf("%w: updated_input: a refusal has none", ErrInvalid)
	}
	if err := object(a.UpdatedInput); err != nil {
		return fmt.Errorf("%w: updated_input: %w", ErrInvalid, err)
	}
	return nil
}

// object finds out whether a text is a JSON object that is small and flat enough to be shown.
func object(raw json.RawMessage) error {
	switch {
	case len(raw) > maxInput:
		return fmt.Errorf("more than %d bytes", maxInput)
	case !bytes.HasPrefix(bytes.TrimSpace(raw), []byte("{")) || !utf8.Valid(raw) || !json.Valid(raw):
		return errors.New("not a JSON object")
	case depth(raw) > maxDepth:
		return fmt.Errorf("nested more than %d levels", maxDepth)
	}
	return nil
}

// depth returns how deep a valid JSON text is nested.
func depth(raw []byte) int {
	deepest, depth, quoted := 0, 0, false
	for i := 0; i < len(raw); i++ {
		switch c := raw[i]; {
		case quoted && c == '\\':
			i++
		case c == '"':
			quoted = !quoted
		case quoted:
		case c == '{' || c == '[':
			depth++
			deepest = max(deepest, depth)
		case c == '}' || c == ']':
			depth--
		}
	}
	return deepest
}
