package anthropic

import (
	"github.com/ccproxy-go/ccproxy/adapters/canonical"
	"github.com/ccproxy-go/ccproxy/internal/rawjson"
)

// decodeStop takes why a model stopped. The result owns its memory.
func decodeStop(reason, sequence []byte) canonical.Stop {
	var stop canonical.Stop
	stop.Wire, _ = rawjson.String(reason)
	if len(sequence) > 0 && sequence[0] == '"' {
		stop.Sequence = append(canonical.Token(nil), sequence...)
	}
	switch stop.Wire {
	case "end_turn":
		stop.Reason = canonical.StopEnd
	case "max_tokens":
		stop.Reason = canonical.StopMaxTokens
	case "stop_sequence":
		stop.Reason = canonical.StopSequence
	case "tool_use":
		stop.Reason = canonical.StopToolUse
	case "refusal":
		stop.Reason = canonical.StopRefusal
	case "pause_turn":
		stop.Reason = canonical.StopPause
	case "model_context_window_exceeded":
		stop.Reason = canonical.StopContext
	}
	return stop
}

// stop writes why a model stopped. called and refused tell what the answer holds: other dialects say "stop" for
// answers that call tools or refuse, and clients of this one go by the reason alone.
func (e *encoder) stop(stop *canonical.Stop, called, refused bool) {
	reason := stopReason(stop.Reason)
	switch {
	case e.own && stop.Wire != "":
		reason = stop.Wire
	case e.own && stop.Reason == canonical.StopUnknown:
		e.w.raw("stop_reason", []byte("null"))
		e.w.raw("stop_sequence", []byte("null"))
		return
	case stop.Reason == canonical.StopUnknown && stop.Wire != "":
		e.lose(e.sourcePath("choices[0].finish_reason", "incomplete_details.reason"), "told as another reason")
		if stop.Incomplete {
			reason = "max_tokens"
		}
	case reason == "end_turn" && called:
		reason = "tool_use"
	case reason == "end_turn" && refused:
		reason = "refusal"
	}
	e.w.raw("stop_reason", canonical.NewToken(reason))
	if stop.Sequence == nil {
		e.w.raw("stop_sequence", []byte("null"))
		return
	}
	e.w.raw("stop_sequence", stop.Sequence)
}

// stopReason is the word for a reason.
func stopReason(r canonical.StopReason) string {
	switch r {
	case canonical.StopMaxTokens:
		return "max_tokens"
	case canonical.StopSequence:
		return "stop_sequence"
	case canonical.StopToolUse:
		return "tool_use"
	case canonical.StopRefusal:
		return "refusal"
	case canonical.StopPause:
		return "pause_turn"
	case canonical.StopContext:
		return "model_context_window_exceeded"
	default:
		return "end_turn"
	}
}
