package permissions

import (
	"context"
	"encoding/json"
	"iter"

	"github.com/ccproxy-go/ccproxy"
)

// Service is what other plugins get as "permissions": to ask, as the provider claude_sdk does with Check, or to answer,
// as a handler of the application's own. Its methods may be called concurrently.
type Service struct{ desk *desk }

// Check asks whether a tool may be used, and returns when somebody has decided; toolUseID is the model's id of the use,
// or "", and message is what the model is to be told of a refusal, or "". The caller is that of ctx. When ctx is
// canceled nobody is asked any more, and its cause is the error; when its time is over the question has expired.
func (s *Service) Check(
	ctx context.Context, tool, toolUseID string, input json.RawMessage,
) (allowed bool, message string, err error) {
	caller, _ := ccproxy.CallerFrom(ctx)
	r, err := s.Ask(ctx, Question{
		Tool: tool, Input: input, ToolUseID: toolUseID, Source: "service", Caller: caller.ID,
	})
	if err != nil {
		return false, "", err
	}
	return r.Status == Allowed, refusal(&r), nil
}

// Ask puts a question and returns when the request is not pending any more. When the time of ctx is over it has
// expired, as after the configured time, unless somebody else waits for it too. When ctx is canceled nobody is asked
// any more, and its cause is the error, or [ErrInvalid], [ErrTooMany], [ErrStopped], and [ErrUnknown] for an id that
// is not there.
func (s *Service) Ask(ctx context.Context, q Question) (Request, error) {
	if end, ok := ctx.Deadline(); ok && (q.Expires.IsZero() || end.Before(q.Expires)) {
		q.Expires = end
	}
	e, err := s.desk.ask(q, true)
	if err != nil {
		return Request{}, err
	}
	return s.desk.wait(ctx, e, 0)
}

// Answer decides a request. The first answer wins: later ones fail with [ErrAnswered], those for a request whose time
// was over with [ErrExpired], and for one that is not there with [ErrUnknown]. An answer with an input of its own
// fails with [ErrNotEditable] where nobody takes it, and a wrong one with [ErrInvalid]; both leave the request pending.
func (s *Service) Answer(id string, a Answer) (Request, error) { return s.desk.answer(id, a) }

// Lookup returns a request, or [ErrUnknown].
func (s *Service) Lookup(id string) (Request, error) { return s.desk.lookup(id) }

// Pending returns the requests that wait for an answer, the oldest first.
func (s *Service) Pending() []Request { return s.desk.list(false) }

// Watch returns the requests that are pending, then each one as it comes and as it ends, until ctx ends, the proxy
// stops or the loop is too slow. It is to be ranged over once; it fails with [ErrTooMany] or [ErrStopped].
func (s *Service) Watch(ctx context.Context) (iter.Seq[Request], error) {
	w, pending, err := s.desk.watch()
	if err != nil {
		return nil, err
	}
	stop := context.AfterFunc(ctx, func() { s.desk.unwatch(w) })
	return func(yield func(Request) bool) {
		defer s.desk.unwatch(w)
		defer stop()
		for _, r := range pending {
			if !yield(r) {
				return
			}
		}
		for r := range w.events {
			if ctx.Err() != nil || !yield(r) {
				return
			}
		}
	}, nil
}

// refusal is what a model is told of a request that is not allowed.
func refusal(r *Request) string {
	switch r.Status {
	case Allowed:
		return ""
	case Expired:
		return "Nobody answered in time whether " + r.Tool + " may be used."
	case Withdrawn:
		return "The question whether " + r.Tool + " may be used was withdrawn."
	default:
		if r.Reason != "" {
			return r.Reason
		}
		return "The use of " + r.Tool + " was not permitted."
	}
}
