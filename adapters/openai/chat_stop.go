package openai

import "github.com/ccproxy-go/ccproxy/adapters/canonical"

// The dialect's words for why a model stopped.
const (
	finishStop          = "stop"
	finishLength        = "length"
	finishToolCalls     = "tool_calls"
	finishContentFilter = "content_filter"
	finishFunctionCall  = "function_call"
)

// decodeFinish says what a finish_reason means. A model that was told which tool to call stops with "stop", and one
// that refuses does so, too: what the answer holds says more than the word.
func decodeFinish(word string, calls, refused bool) canonical.Stop {
	s := canonical.Stop{Wire: word}
	switch word {
	case finishStop, "eos", "end_turn", "stop_sequence":
		s.Reason = canonical.StopEnd
	case finishLength, "max_tokens", "model_length":
		s.Reason = canonical.StopMaxTokens
	case finishToolCalls, finishFunctionCall, "tool_use":
		s.Reason = canonical.StopToolUse
	case finishContentFilter, "safety", "refusal":
		s.Reason = canonical.StopRefusal
	case "error", "insufficient_system_resource":
		s.Reason = canonical.StopFailed
		s.Error = &canonical.Error{
			Type: "api_error", Message: canonical.NewToken("the model stopped with " + word),
		}
	}
	if s.Reason > canonical.StopEnd {
		return s
	}
	switch {
	case calls:
		s.Reason = canonical.StopToolUse
	case refused:
		s.Reason = canonical.StopRefusal
	}
	return s
}

// encodeFinish gives the dialect's word. Its own words come back as they were; calls tells that tools are to be
// called, old that the client knows calls only as they were before tools.
func encodeFinish(s *canonical.Stop, calls, old bool) string {
	switch s.Wire {
	case finishStop, finishLength, finishToolCalls, finishContentFilter, finishFunctionCall:
		if !old || s.Wire != finishToolCalls {
			return s.Wire
		}
	}
	switch s.Reason {
	case canonical.StopMaxTokens, canonical.StopContext:
		return finishLength
	case canonical.StopRefusal:
		return finishContentFilter
	case canonical.StopEnd, canonical.StopSequence, canonical.StopPause:
		return finishStop
	case canonical.StopToolUse:
		calls = true
	default:
	}
	switch {
	case s.Incomplete:
		return finishLength
	case calls && old:
		return finishFunctionCall
	case calls:
		return finishToolCalls
	default:
		return finishStop
	}
}

// stopLoss is where a source says a reason to stop that the dialect has no word for, or "" where it has one.
func stopLoss(s *canonical.Stop, source string) string {
	switch s.Reason {
	case canonical.StopPause, canonical.StopContext:
		return "stop_reason"
	case canonical.StopUnknown:
		if s.Wire != "" {
			return inSource(source, "stop_reason", "", "incomplete_details.reason")
		}
	default:
	}
	return ""
}
