package openai

import (
	"slices"
	"strings"
	"time"

	"github.com/ccproxy-go/ccproxy/adapters/canonical"
)

// EncodeResponse writes an answer as the API does, the members that repeat the request included.
func (responsesCodec) EncodeResponse(
	resp *canonical.Response, req *canonical.Request, lost *canonical.Losses,
) ([]byte, error) {
	e := answerEncoder{
		itemEncoder: itemEncoder{req: req, lost: lost, id: answerID(resp.ID), own: resp.Source == ownDialect},
		model:       resp.Model, created: resp.Created, tier: resp.ServiceTier, usage: resp.Usage,
		echo: resp.Echo,
	}
	if e.own {
		e.kept = resp.Extra
	} else {
		loseFields(lost, "", resp.Extra)
		loseUsage(lost, resp.Usage)
	}
	var out itemWriter
	out.open('[')
	end := ending{status: statusCompleted}
	if len(resp.Choices) > 0 {
		end = endOf(resp.Choices[0].Stop, lost)
		e.items(&out, e.probable(&resp.Choices[0]), end)
		e.choiceLosses(resp.Choices)
	}
	out.close(']')
	var w itemWriter
	w.buf = make([]byte, 0, len(out.buf)+e.size())
	e.write(&w, end, out.buf)
	return w.buf, nil
}

// choiceLosses reports what one answer cannot hold.
func (e *answerEncoder) choiceLosses(choices []canonical.Choice) {
	for i := 1; i < len(choices); i++ {
		e.lost.Add(at("choices", i), "one answer only")
	}
	loseFields(e.lost, "choices[0]", choices[0].Extra)
}

// probable gives the parts of an answer, its text with the probabilities that Chat tells beside the message.
func (e *answerEncoder) probable(c *canonical.Choice) []canonical.Part {
	if c.Logprobs == nil {
		return c.Parts
	}
	list := find(c.Logprobs, "content")
	parts := slices.Clone(c.Parts)
	for i := range parts {
		if parts[i].Kind == canonical.PartText && list != nil {
			parts[i].Logprobs = list
			list = nil
		}
	}
	if list != nil || hasItems(find(c.Logprobs, "refusal")) {
		e.lost.Add("choices[0].logprobs", "there is no text that they belong to")
	}
	return parts
}

// answerEncoder writes response objects: the whole answer, or what a stream has of it so far.
type answerEncoder struct {
	itemEncoder
	model   canonical.Token
	created int64
	tier    canonical.Token
	usage   *canonical.Usage
	echo    []canonical.Field // of an answer in this dialect
	kept    []canonical.Field
}

// ending is how an answer ended, in the words of the dialect.
type ending struct {
	status, reason string // reason of an incomplete one
	err            *canonical.Error
}

// endOf finds the words for a reason to stop.
func endOf(s canonical.Stop, lost *canonical.Losses) ending {
	switch s.Reason {
	case canonical.StopMaxTokens:
		return ending{status: statusIncomplete, reason: "max_output_tokens"}
	case canonical.StopContext:
		lost.Add("stop_reason", "told as max_output_tokens")
		return ending{status: statusIncomplete, reason: "max_output_tokens"}
	case canonical.StopRefusal:
		if s.Wire == finishStop { // it is the model that refuses, and has said so in a part of the message
			return ending{status: statusCompleted}
		}
		return ending{status: statusIncomplete, reason: "content_filter"}
	case canonical.StopFailed:
		return ending{status: statusFailed, err: s.Error}
	case canonical.StopPause:
		lost.Add("stop_reason", "told as completed")
	case canonical.StopSequence:
		lost.Add("stop_sequence", "told as completed")
	case canonical.StopUnknown:
		return unknownEnd(s.Wire)
	case canonical.StopEnd, canonical.StopToolUse:
	}
	return ending{status: statusCompleted}
}

// unknownEnd keeps a word that is not known: an answer that ended for it is not taken for a complete one.
func unknownEnd(wire string) ending {
	switch wire {
	case "":
		return ending{status: statusCompleted}
	case statusQueued, statusRunning, statusCancelled:
		return ending{status: wire}
	default:
		return ending{status: statusIncomplete, reason: wire}
	}
}

// write writes a response object with the items in output.
func (e *answerEncoder) write(w *itemWriter, end ending, output []byte) {
	w.open('{')
	w.member("id", e.id)
	w.text("object", "response")
	w.number("created_at", e.createdAt())
	w.text("status", end.status)
	w.key("error")
	if end.err != nil {
		writeFailure(w, end.err)
	} else {
		w.value([]byte("null"))
	}
	w.key("incomplete_details")
	if end.status == statusIncomplete {
		w.open('{')
		w.escaped("reason", end.reason)
		w.close('}')
	} else {
		w.value([]byte("null"))
	}
	w.member("model", orEmpty(e.modelName()))
	w.member("output", output)
	e.writeEcho(w)
	w.token("service_tier", e.serviceTier())
	w.key("usage")
	e.writeUsage(w)
	w.fields(e.kept)
	w.close('}')
}

// size guesses how long an answer is without its items, so that the buffer need not grow: it repeats the tools of the
// request.
func (e *answerEncoder) size() int {
	n := 2048
	if e.req != nil {
		n += len(instructionsOf(e.req)) + sizeOfTools(e.req)
	}
	for _, f := range e.echo {
		n += len(f.Name) + len(f.Raw) + 8
	}
	return n
}

// createdAt is when the answer was begun; the first that asks fixes it where the source does not say.
func (e *answerEncoder) createdAt() int64 {
	if e.created == 0 {
		e.created = time.Now().Unix()
	}
	return e.created
}

func (e *answerEncoder) modelName() canonical.Token {
	if e.model == nil && e.req != nil {
		return canonical.NewToken(e.req.Model)
	}
	return e.model
}

// serviceTier is the tier that served, where the word is one of OpenAI's.
func (e *answerEncoder) serviceTier() canonical.Token {
	switch {
	case e.tier == nil:
		return nil
	case is(e.tier, "standard"):
		return canonical.NewToken("default")
	default:
		return e.tier
	}
}

// writeFailure writes why an answer failed, with a code that clients know.
func writeFailure(w *itemWriter, err *canonical.Error) {
	w.open('{')
	w.member("code", failureCode(err))
	message := err.Message
	if message == nil {
		message = canonical.NewToken("the response failed")
	}
	w.member("message", message)
	w.close('}')
}

// failureCode is the error's own code, or the one that goes with its kind.
func failureCode(err *canonical.Error) canonical.Token {
	if code := errorCode(err); !code.Empty() {
		return code
	}
	kind := err.Type
	if kind == "" {
		kind = kindOfStatus(err.Status)
	}
	switch kind {
	case "rate_limit_error":
		return canonical.NewToken("rate_limit_exceeded")
	case "overloaded_error":
		return canonical.NewToken("server_is_overloaded")
	case "invalid_request_error", "request_too_large":
		return canonical.NewToken("invalid_prompt")
	default:
		return canonical.NewToken("server_error")
	}
}

// writeUsage writes the count of tokens, or null.
func (e *answerEncoder) writeUsage(w *itemWriter) {
	u := e.usage
	if u == nil {
		w.value([]byte("null"))
		return
	}
	w.open('{')
	w.number("input_tokens", u.Input)
	w.key("input_tokens_details")
	w.open('{')
	w.number("cached_tokens", u.CacheRead)
	if u.CacheWrite > 0 {
		w.number("cache_write_tokens", u.CacheWrite)
	}
	w.close('}')
	w.number("output_tokens", u.Output)
	w.key("output_tokens_details")
	w.open('{')
	w.number("reasoning_tokens", u.Reasoning)
	w.close('}')
	w.number("total_tokens", u.Input+u.Output)
	if e.own {
		w.fields(u.Extra)
	}
	w.close('}')
}

func loseUsage(lost *canonical.Losses, u *canonical.Usage) {
	if u != nil {
		loseFields(lost, "usage", u.Extra)
	}
}

// messageFields splits the kept members of a part into those of its message item and its own.
func messageFields(kept []canonical.Field) (item, part []canonical.Field) {
	for _, f := range kept {
		if name, ok := strings.CutPrefix(f.Name, insideMessage); ok {
			item = append(item, canonical.Field{Name: name, Raw: f.Raw})
		} else {
			part = append(part, f)
		}
	}
	return item, part
}
