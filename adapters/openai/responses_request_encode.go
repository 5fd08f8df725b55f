package openai

import (
	"cmp"
	"slices"
	"strconv"
	"strings"

	"github.com/ccproxy-go/ccproxy/adapters/canonical"
	"github.com/ccproxy-go/ccproxy/adapters/internal/envelope"
	"github.com/ccproxy-go/ccproxy/internal/rawjson"
)

// The API's limits on what other dialects allow more of.
const (
	maxCallID       = 64
	maxUser         = 64
	minOutputTokens = 16
)

// What is asked for so that a conversation goes on without the vendor keeping it.
const (
	includeEncrypted = "reasoning.encrypted_content"
	includeLogprobs  = "message.output_text.logprobs"
)

// EncodeRequest writes a request. One from another dialect is not to be stored, since its client holds the
// conversation, and is answered with whatever is needed to go on with it.
func (c responsesCodec) EncodeRequest(req *canonical.Request, lost *canonical.Losses) ([]byte, error) {
	return c.AppendRequest(make([]byte, 0, sizeOf(req)), req, lost)
}

// AppendRequest is EncodeRequest into the memory of dst, which is empty.
func (responsesCodec) AppendRequest(dst []byte, req *canonical.Request, lost *canonical.Losses) ([]byte, error) {
	e := requestEncoder{req: req, lost: lost, own: req.Source == ownDialect}
	e.w.buf = dst[:0]
	e.w.open('{')
	e.w.escaped("model", req.Model)
	rest := e.instructions()
	e.input(rest)
	e.tools()
	e.choice()
	if req.ParallelTools != nil {
		e.w.boolean("parallel_tool_calls", *req.ParallelTools)
	}
	e.w.member("max_output_tokens", e.maxTokens())
	e.w.member("temperature", req.Temperature)
	e.w.member("top_p", req.TopP)
	e.w.member("top_logprobs", req.TopLogprobs)
	e.reasoning()
	e.text()
	e.include()
	e.state()
	e.extra()
	e.unsaid()
	e.w.close('}')
	return e.w.buf, nil
}

// requestEncoder writes one request.
type requestEncoder struct {
	w    itemWriter
	req  *canonical.Request
	lost *canonical.Losses
	own  bool // the request came in this dialect
}

// sizeOf guesses how long a request will be, so that the buffer need not grow.
func sizeOf(req *canonical.Request) int {
	n := 1024
	for i := range req.Messages {
		for k := range req.Messages[i].Parts {
			n += partSize(&req.Messages[i].Parts[k])
		}
	}
	return n + sizeOfTools(req)
}

func sizeOfTools(req *canonical.Request) (n int) {
	for i := range req.Tools {
		t := &req.Tools[i]
		n += 128 + len(t.Description) + len(t.Schema) + len(t.Raw) + len(t.Grammar)
	}
	return n
}

func partSize(p *canonical.Part) int {
	n := 160 + len(p.Text) + len(p.Encrypted) + len(p.Raw)
	if p.Media != nil {
		n += len(p.Media.Data) + len(p.Media.Text)
	}
	if p.Call != nil {
		n += len(p.Call.Args.String) + len(p.Call.Args.Object)*9/8
	}
	if p.Result != nil {
		for i := range p.Result.Parts {
			n += partSize(&p.Result.Parts[i])
		}
	}
	return n
}

// maxTokens is the limit, raised to the least that the API takes.
func (e *requestEncoder) maxTokens() canonical.Raw {
	n, ok := rawjson.Int(e.req.MaxTokens)
	if !ok || n >= minOutputTokens || e.own {
		return e.req.MaxTokens
	}
	limit := inSource(e.req.Source, "max_tokens", "max_completion_tokens", "max_output_tokens")
	e.lost.Add(cmp.Or(e.req.MaxTokensName, limit), "raised to the least that is allowed")
	return canonical.Raw(strconv.Itoa(minOutputTokens))
}

// reasoning says how much to think, and whether to tell about it.
func (e *requestEncoder) reasoning() {
	t := e.req.Thinking
	if t == nil {
		return
	}
	effort, summary := t.Effort, t.Summary
	if !e.own {
		effort, summary = e.effort(t)
	}
	if !e.own && effort == nil && summary == nil {
		return
	}
	e.w.key("reasoning")
	e.w.open('{')
	e.w.member("effort", effort)
	e.w.member("summary", summary)
	if e.own {
		e.w.fields(t.Extra)
	} else {
		loseFields(e.lost, "thinking", t.Extra)
	}
	e.w.close('}')
}

// effort turns what another dialect says of thinking into an effort. Whoever asks for thinking wants to see
// some.
func (e *requestEncoder) effort(t *canonical.Thinking) (effort, summary canonical.Token) {
	effort, summary = t.Effort, t.Summary
	if is(effort, "max") {
		effort = canonical.NewToken("xhigh")
	}
	switch t.Mode {
	case "disabled":
		if effort == nil {
			e.lost.Add("thinking", "cannot be turned off for every model")
		}
		return effort, summary
	case "enabled", "adaptive":
		if summary == nil && !is(t.Display, "omitted") {
			summary = canonical.NewToken("auto")
		}
	}
	if effort == nil && t.Budget != nil {
		effort = effortOf(t.Budget)
		e.lost.Add("thinking.budget_tokens", "told as an effort")
	}
	return effort, summary
}

// effortOf gives the effort nearest to a budget of tokens.
func effortOf(budget canonical.Raw) canonical.Token {
	n, _ := rawjson.Int(budget)
	switch {
	case n < 4096:
		return canonical.NewToken("low")
	case n < 16384:
		return canonical.NewToken("medium")
	default:
		return canonical.NewToken("high")
	}
}

// text writes the format of the answer and its verbosity.
func (e *requestEncoder) text() {
	f := e.req.Format
	kept := textFields(e.req.Extra)
	if f == nil && e.req.Verbosity == nil && len(kept) == 0 {
		return
	}
	e.w.key("text")
	e.w.open('{')
	if f != nil {
		e.w.key("format")
		writeFormat(&e.w, f, e.own)
		if !e.own {
			loseFields(e.lost, formatPath(e.req.Source), f.Extra)
		}
	}
	e.w.member("verbosity", e.req.Verbosity)
	if e.own {
		e.w.fields(kept)
	}
	e.w.close('}')
}

// writeFormat writes a format. A schema has a name here, which other dialects do without.
func writeFormat(w *itemWriter, f *canonical.Format, own bool) {
	w.open('{')
	w.escaped("type", f.Type)
	name := f.Name
	if name == nil && f.Type == "json_schema" {
		name = canonical.NewToken("output")
	}
	w.member("name", name)
	w.member("description", f.Description)
	w.member("schema", f.Schema)
	w.member("strict", f.Strict)
	if own {
		w.fields(f.Extra)
	}
	w.close('}')
}

// textFields are the kept members of "text", under their own names.
func textFields(kept []canonical.Field) []canonical.Field {
	var list []canonical.Field
	for _, f := range kept {
		if name, ok := strings.CutPrefix(f.Name, insideText); ok {
			list = append(list, canonical.Field{Name: name, Raw: f.Raw})
		}
	}
	return list
}

// include asks for what a client that holds the conversation needs.
func (e *requestEncoder) include() {
	var wanted []string
	if t := e.req.Thinking; !e.own && t != nil && t.Mode != "disabled" {
		wanted = append(wanted, includeEncrypted)
	}
	if isTrue(e.req.Logprobs) {
		wanted = append(wanted, includeLogprobs)
	}
	if e.req.Include == nil && len(wanted) == 0 {
		return
	}
	e.w.key("include")
	e.w.open('[')
	for have := range rawjson.Elements(e.req.Include) {
		e.w.value(have)
		wanted = slices.DeleteFunc(wanted, func(s string) bool { return is(have, s) })
	}
	for _, name := range wanted {
		e.w.value(canonical.NewToken(name))
	}
	e.w.close(']')
}

// state writes what is about the request and not about the conversation.
func (e *requestEncoder) state() {
	req := e.req
	store := req.Store
	if store == nil && !e.own {
		store = canonical.Raw("false")
	}
	e.w.member("store", store)
	e.w.member("previous_response_id", req.PreviousResponseID)
	e.w.member("prompt_cache_key", req.PromptCacheKey)
	e.w.member("truncation", req.Truncation)
	e.w.member("service_tier", e.tier())
	e.w.member("metadata", req.Metadata)
	e.w.member("user", e.user())
	if req.Stream {
		e.w.boolean("stream", true)
	}
}

// tier is the service tier, unless only the dialect it came from knows it.
func (e *requestEncoder) tier() canonical.Token {
	tier := e.req.ServiceTier
	if is(tier, "standard_only") {
		e.lost.Add("service_tier", "told as default")
		return canonical.NewToken("default")
	}
	return tier
}

// user is whom the request is for. Anthropic's are longer than the API takes; they become a hash, always the
// same.
func (e *requestEncoder) user() canonical.Token {
	if e.own || len(e.req.User) <= maxUser {
		return e.req.User
	}
	short := envelope.ClampID(e.req.User, maxUser, func(byte) bool { return true })
	if len(short) != len(e.req.User) {
		e.lost.Add(inSource(e.req.Source, "metadata.user_id", "user", "user"), "too long, told as a hash")
	}
	return short
}

// extra writes the kept members, or those of another dialect that mean the same in this one.
func (e *requestEncoder) extra() {
	for _, f := range e.req.Extra {
		switch {
		case e.own && strings.HasPrefix(f.Name, insideText):
		case e.own, e.req.Source == chatDialect && sameInChat(f.Name):
			e.w.fields([]canonical.Field{f})
		default:
			e.lost.Add(f.Name, "no such member in this dialect")
		}
	}
}

// sameInChat tells the members that both of OpenAI's dialects have.
func sameInChat(name string) bool {
	return name == "safety_identifier" || name == "prompt_cache_retention"
}

// unsaid reports the values that the dialect has no member for.
func (e *requestEncoder) unsaid() {
	stop := "stop"
	if e.req.Source != chatDialect {
		stop = "stop_sequences"
	}
	for _, value := range []struct {
		name  string
		there bool
	}{
		{"top_k", e.req.TopK != nil},
		{"seed", e.req.Seed != nil},
		{"n", e.req.N != nil && string(e.req.N) != "1"},
		{"presence_penalty", e.req.PresencePenalty != nil && string(e.req.PresencePenalty) != "0"},
		{"frequency_penalty", e.req.FrequencyPenalty != nil && string(e.req.FrequencyPenalty) != "0"},
		{stop, len(e.req.Stop) > 0},
	} {
		if value.there {
			e.lost.Add(value.name, "no such member in this dialect")
		}
	}
}
