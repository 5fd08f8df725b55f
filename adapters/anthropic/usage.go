package anthropic

import (
	"bytes"
	"slices"

	"github.com/ccproxy-go/ccproxy/adapters/canonical"
	"github.com/ccproxy-go/ccproxy/internal/rawjson"
)

// counts are the numbers of tokens as the dialect tells them: what went through caches is not in input. A stream
// tells them bit by bit, each time as a total.
type counts struct {
	input, output, read, write, thinking int64
	hasInput, hasOutput, hasThinking     bool
	extra                                []canonical.Field
}

// add takes a usage object, whose numbers replace those told before. keep makes it copy what it keeps of raw.
func (c *counts) add(raw []byte, keep bool) {
	for k, v := range rawjson.Members(raw) {
		n, ok := rawjson.Int(v)
		switch string(k) {
		case `"input_tokens"`:
			if ok {
				c.input, c.hasInput = n, true
			}
		case `"output_tokens"`:
			if ok {
				c.output, c.hasOutput = n, true
			}
		case `"cache_read_input_tokens"`:
			if ok {
				c.read = n
			}
		case `"cache_creation_input_tokens"`:
			if ok {
				c.write = n
			}
		default:
			if string(k) != `"output_tokens_details"` || c.details(v) {
				c.addExtra(extra(k, v), keep)
			}
		}
	}
}

// details takes how the output came about. It is true where they say more than there is a place for.
func (c *counts) details(v []byte) (more bool) {
	for k, count := range rawjson.Members(v) {
		n, ok := rawjson.Int(count)
		if string(k) == `"thinking_tokens"` && ok {
			c.thinking, c.hasThinking = n, true
		} else {
			more = true
		}
	}
	return more
}

func (c *counts) addExtra(f canonical.Field, keep bool) {
	if keep {
		f.Raw = bytes.Clone(f.Raw)
	}
	i := slices.IndexFunc(c.extra, func(old canonical.Field) bool { return old.Name == f.Name })
	switch {
	case i < 0:
		c.extra = append(c.extra, f)
	case !isNull(f.Raw):
		c.extra[i] = f
	}
}

// usage are the counts as the neutral model has them.
func (c *counts) usage() canonical.Usage {
	return canonical.Usage{
		Input:      c.input + c.read + c.write,
		Output:     c.output,
		CacheRead:  c.read,
		CacheWrite: c.write,
		Reasoning:  c.thinking,
		HasInput:   c.hasInput,
		HasOutput:  c.hasOutput,
		Extra:      c.extra,

		HasReasoning: c.hasThinking,
	}
}

// usage writes counts. Clients count on the object, so there is one even if nothing is known.
func (e *encoder) usage(u *canonical.Usage) {
	if u == nil {
		u = &canonical.Usage{}
	}
	e.w.key("usage")
	e.w.open('{')
	e.w.integer("input_tokens", max(0, u.Input-u.CacheRead-u.CacheWrite))
	e.w.integer("cache_creation_input_tokens", u.CacheWrite)
	e.w.integer("cache_read_input_tokens", u.CacheRead)
	e.w.integer("output_tokens", u.Output)
	details := func(f canonical.Field) bool { return e.own && f.Name == "output_tokens_details" }
	if (u.Reasoning > 0 || u.HasReasoning) && !slices.ContainsFunc(u.Extra, details) {
		e.w.key("output_tokens_details")
		e.w.open('{')
		e.w.integer("thinking_tokens", u.Reasoning)
		e.w.shut('}')
	}
	e.extras(u.Extra, "usage")
}
