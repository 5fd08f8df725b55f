package echo

import (
	"context"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/ccproxy-go/ccproxy"
	"github.com/ccproxy-go/ccproxy/adapters"
	"github.com/ccproxy-go/ccproxy/adapters/canonical"
)

// reply makes the answer: what was said last, or a call of the tool that it names.
func (p *provider) reply(call *ccproxy.Call, req *canonical.Request, t *turn) *canonical.Response {
	choice := canonical.Choice{Stop: canonical.Stop{Reason: canonical.StopEnd}}
	id, tool := "msg_", "toolu_"
	if call.Format == adapters.OpenAIChatCompletions {
		id, tool = "chatcmpl-", "call_"
	}
	if call.Format == adapters.OpenAIResponses {
		id, tool = "resp_", "call_"
	}
	out := len(t.input)
	if t.tool != nil {
		choice.Stop.Reason = canonical.StopToolUse
		choice.Parts = []canonical.Part{{Kind: canonical.PartToolCall, Call: &canonical.ToolCall{
			ID: canonical.NewToken(tool + call.ID), Name: t.tool.Name, Custom: t.tool.Custom, Args: t.args(),
		}}}
	} else {
		text, cut := shortened(p.cfg.Prefix+t.text, req.MaxTokens)
		if cut {
			choice.Stop.Reason = canonical.StopMaxTokens
		}
		out = len(text)
		choice.Parts = []canonical.Part{{Kind: canonical.PartText, Text: canonical.NewToken(text)}}
	}
	return &canonical.Response{
		Source: string(call.Format), ID: canonical.NewToken(id + call.ID), Model: canonical.NewToken(call.Model),
		Created: time.Now().Unix(), Choices: []canonical.Choice{choice}, Usage: &canonical.Usage{
			Input: inputTokens(req), HasInput: true, Output: estimate(out), HasOutput: true,
		},
	}
}

func (t *turn) args() canonical.Args {
	if t.tool.Custom {
		return canonical.Args{String: canonical.NewToken(t.input)}
	}
	return canonical.Args{Object: canonical.Raw(t.input)}
}

// shortened keeps of a text what fits into so many tokens.
func shortened(text string, limit canonical.Raw) (string, bool) {
	n, err := strconv.ParseInt(string(limit), 10, 64)
	if err != nil || n >= estimate(len(text)) {
		return text, false
	}
	cut := int(n) * 4
	for cut > 0 && !utf8.RuneStart(text[cut]) {
		cut--
	}
	return text[:cut], true
}

// player streams an answer a few words at a time.
type player struct {
	resp    *canonical.Response
	delay   time.Duration  // before each event
	failure *ccproxy.Error // in the middle; nil for none
}

// events encodes the answer for one client.
func (p *player) events(ctx context.Context, enc adapters.StreamEncoder) adapters.Stream {
	return func(yield func(adapters.Event, error) bool) {
		left := false
		err := p.play(enc, func(ev adapters.Event) error {
			if err := pause(ctx, p.delay); err != nil {
				return err
			}
			if !yield(ev, nil) {
				left = true
				return context.Canceled
			}
			return nil
		})
		if err != nil && !left {
			yield(adapters.Event{}, err)
		}
	}
}

func (p *player) play(enc adapters.StreamEncoder, yield func(adapters.Event) error) error {
	choice := &p.resp.Choices[0]
	part := &choice.Parts[0]
	begun := *p.resp.Usage
	begun.Output = 1
	opening, whole := canonical.Part{Kind: part.Kind}, part.Text.String()
	if part.Call != nil {
		call := *part.Call
		call.Args = canonical.Args{}
		opening.Call, whole = &call, string(part.Call.Args.Object)+part.Call.Args.String.String()
	}
	events := []canonical.Event{
		{
			Kind: canonical.EventStart, Source: p.resp.Source, ID: p.resp.ID, Model: p.resp.Model,
			Created: p.resp.Created, Usage: &begun,
		},
		{Kind: canonical.EventBlockStart, Part: &opening},
		{Kind: canonical.EventPing},
	}
	for word := range strings.SplitAfterSeq(whole, " ") {
		events = append(events, canonical.Event{
			Kind: canonical.EventDelta, Part: &canonical.Part{Kind: part.Kind}, Delta: canonical.NewToken(word),
		})
		if p.failure != nil {
			break
		}
	}
	if p.failure == nil {
		events = append(events, canonical.Event{Kind: canonical.EventBlockStop, Part: part},
			canonical.Event{Kind: canonical.EventStop, Stop: choice.Stop, Usage: p.resp.Usage})
	}
	for i := range events {
		if err := enc.Encode(&events[i], yield); err != nil {
			return err
		}
	}
	if p.failure != nil {
		return p.failure
	}
	return nil
}

func pause(ctx context.Context, d time.Duration) error {
	if d <= 0 {
		return ctx.Err()
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
