package anthropic

import (
	"strconv"
	"strings"

	"github.com/ccproxy-go/ccproxy/adapters/canonical"
	"github.com/ccproxy-go/ccproxy/internal/rawjson"
)

// Budgets of thinking for the efforts of other dialects, in tokens. The API refuses less than minBudget.
const (
	minBudget    = 1024
	lowBudget    = 2048
	mediumBudget = 8192
	highBudget   = 16384
	topBudget    = 32000
)

// plan is what a request asks for about thinking.
type plan struct {
	mode      string // "" if nothing is to be said
	budget    canonical.Raw
	display   canonical.Token
	effort    canonical.Token
	maxTokens int64 // in place of the request's limit; 0 leaves it
}

// on tells whether the model will think.
func (p *plan) on() bool { return p.mode == "enabled" || p.mode == "adaptive" }

// planThinking decides how a request asks for thinking. messages are in the shape of the API.
func (e *requestEncoder) planThinking(messages []canonical.Message) plan {
	t := e.req.Thinking
	if t == nil {
		return plan{}
	}
	p := plan{mode: t.Mode, budget: t.Budget, display: t.Display, effort: t.Effort}
	if e.own {
		return p
	}
	e.foreign(t.Extra, e.sourcePath("reasoning", "reasoning"))
	if p.mode == "" && !t.Effort.Empty() {
		p = e.fromEffort(t)
	}
	if p.mode == "" && !t.Summary.Empty() {
		e.lose("reasoning.summary", "dropped: nothing says how much to think")
	}
	if p.mode == "enabled" {
		e.fitBudget(&p, messages)
	}
	if p.on() && e.forced() {
		e.noThinking(&p, "dropped: the model cannot think where a call is forced")
	}
	if p.mode == "adaptive" && p.display == nil && !t.Summary.Empty() {
		p.display = canonical.Token(`"summarized"`)
	}
	return p
}

// fromEffort translates an effort into what the model understands.
func (e *requestEncoder) fromEffort(t *canonical.Thinking) plan {
	effort := t.Effort.String()
	if modelVersion(e.req.Model) >= adaptiveSince {
		switch effort {
		case "none":
			return plan{mode: "disabled"}
		case "minimal":
			return plan{mode: "adaptive", effort: canonical.Token(`"low"`)}
		default:
			return plan{mode: "adaptive", effort: t.Effort}
		}
	}
	budget := int64(mediumBudget)
	switch effort {
	case "none": // in so many words, since what is left out is up to the model or the server
		return plan{mode: "disabled"}
	case "minimal":
		budget = minBudget
	case "low":
		budget = lowBudget
	case "high":
		budget = highBudget
	case "xhigh", "max":
		budget = topBudget
	}
	return plan{mode: "enabled", budget: strconv.AppendInt(nil, budget, 10)}
}

// fitBudget makes the budget one that the API takes, or gives thinking up.
func (e *requestEncoder) fitBudget(p *plan, messages []canonical.Message) {
	if continuesUnsigned(messages) {
		e.noThinking(p, "dropped: the calls being answered came without signed thinking")
		return
	}
	budget, _ := rawjson.Int(p.budget)
	budget = max(budget, minBudget)
	limit, limited := rawjson.Int(e.req.MaxTokens)
	switch {
	case !limited:
		limit = answerLimit(e.req.Model)
		if limit > DefaultMaxTokens {
			budget = min(budget, limit-DefaultMaxTokens)
		}
		p.maxTokens = max(limit, budget+DefaultMaxTokens) // room for the answer as if there was no thinking
	case limit < 2*minBudget:
		e.noThinking(p, "dropped: the limit of tokens leaves no room for thinking")
		return
	case budget > limit/2:
		budget = max(limit/2, minBudget) // the limit counts both: half of it for the answer
	}
	p.budget = strconv.AppendInt(nil, budget, 10)
}

// noThinking gives thinking up.
func (e *requestEncoder) noThinking(p *plan, reason string) {
	e.lose(e.sourcePath("reasoning_effort", "reasoning.effort"), reason)
	p.mode, p.budget, p.display, p.maxTokens = "", nil, nil, 0
}

// forced tells whether the request insists on a call.
func (e *requestEncoder) forced() bool {
	c := e.req.Choice
	if c == nil || e.tools == 0 {
		return false
	}
	if c.Raw != nil && c.Mode != "tool" {
		return allowedMode(c.Raw) == "any"
	}
	return c.Mode == "any" || c.Mode == "tool" && e.hasTool(c.Name)
}

// continuesUnsigned tells whether the last message answers calls of a turn that does not start with thinking. With a
// budget of thinking the API refuses that.
func continuesUnsigned(messages []canonical.Message) bool {
	n := len(messages)
	if n < 2 || !startsWith(messages[n-1].Parts, canonical.PartToolResult) {
		return false
	}
	turn := messages[n-2].Parts
	return !startsWith(turn, canonical.PartThinking) && !startsWith(turn, canonical.PartRedacted)
}

func startsWith(parts []canonical.Part, kind canonical.PartKind) bool {
	return len(parts) > 0 && parts[0].Kind == kind
}

// thinkingConfig writes whether and how much the model is to think.
func (e *requestEncoder) thinkingConfig() {
	p := &e.plan
	var unknown []canonical.Field
	if t := e.req.Thinking; t != nil && e.own {
		unknown = t.Extra
	}
	if p.mode == "" && p.budget == nil && p.display == nil && unknown == nil {
		return
	}
	e.w.key("thinking")
	e.w.open('{')
	if p.mode != "" {
		e.w.raw("type", canonical.NewToken(p.mode))
	}
	e.w.raw("budget_tokens", p.budget)
	e.w.raw("display", p.display)
	e.w.fields(unknown)
	e.w.shut('}')
}

// sampling writes how words are chosen. A model that thinks refuses most of it, and current ones all.
func (e *requestEncoder) sampling() {
	r := e.req
	if e.own {
		e.w.raw("temperature", r.Temperature)
		e.w.raw("top_p", r.TopP)
		e.w.raw("top_k", r.TopK)
		return
	}
	reason := ""
	switch {
	case modelVersion(r.Model) >= fixedSince:
		reason = "dropped: the model refuses it"
	case e.plan.on():
		reason = "dropped: not while the model thinks"
	}
	e.temperature(reason)
	if topP, err := strconv.ParseFloat(string(r.TopP), 64); err == nil {
		const least = 0.95 // of what a model that thinks takes
		switch {
		case topP >= 1: // the default
		case reason != "" && (topP < least || !e.plan.on() || modelVersion(r.Model) >= fixedSince):
			e.lose("top_p", reason)
		default:
			e.w.raw("top_p", r.TopP)
		}
	}
	if r.TopK != nil {
		if reason != "" {
			e.lose("top_k", reason)
			return
		}
		e.w.raw("top_k", r.TopK)
	}
}

// temperature writes the temperature, whose highest is 1 here. 1 is the default, too.
func (e *requestEncoder) temperature(reason string) {
	t, err := strconv.ParseFloat(string(e.req.Temperature), 64)
	switch {
	case err != nil:
	case reason != "":
		if t != 1 {
			e.lose("temperature", reason)
		}
	case t > 1:
		e.lose("temperature", "lowered to 1, the highest")
		e.w.integer("temperature", 1)
	default:
		e.w.raw("temperature", e.req.Temperature)
	}
}

// answerLimit is how many tokens an answer may have where the client names no limit.
func answerLimit(model string) int64 {
	if modelVersion(model) >= roomySince {
		return roomyTokens
	}
	return DefaultMaxTokens
}

// roomyTokens is what every model can answer since roomySince.
const roomyTokens = 32000

// Versions of the vendor's models, 100 times the major number plus the minor.
const (
	roomySince    = 400  // answer with roomyTokens
	adaptiveSince = 406  // think as much as they find useful, and refuse or discourage budgets
	fixedSince    = 407  // refuse temperature, top_p and top_k
	current       = 9999 // names of the vendor's without a number
)

// modelVersion reads the version from a model's name, such as 405 from claude-haiku-4-5-20251001 and 307 from
// claude-3-7-sonnet-latest. It is 0 for names of other vendors, who copy the API as it was.
func modelVersion(model string) int {
	_, name, ok := strings.Cut(model, "claude")
	if !ok {
		return 0
	}
	major, found := 0, false
	separates := func(r rune) bool { return strings.ContainsRune("-.@:", r) }
	for word := range strings.FieldsFuncSeq(name, separates) {
		n, err := strconv.Atoi(word)
		isVersion := err == nil && len(word) <= 2
		switch {
		case found && isVersion:
			return major*100 + n
		case found:
			return major * 100
		case isVersion:
			major, found = n, true
		}
	}
	if found {
		return major * 100
	}
	return current
}
