package openai

import (
	"strconv"

	"github.com/ccproxy-go/ccproxy/adapters"
	"github.com/ccproxy-go/ccproxy/adapters/canonical"
	"github.com/ccproxy-go/ccproxy/adapters/internal/envelope"
	"github.com/ccproxy-go/ccproxy/internal/rawjson"
)

// maxChatStops is how many stop sequences the dialect takes; maxChatUser how long the name of a user may be.
const (
	maxChatStops = 4
	maxChatUser  = 64
)

// chatRequestEncoder writes one request. own tells that it was decoded from the same dialect, whose members that have
// no place in the neutral model are then written as they were, and not lost.
type chatRequestEncoder struct {
	writer

	req  *canonical.Request
	lost *canonical.Losses
	own  bool

	moved []movedImage // images of tools' results, for the next user message
}

// EncodeRequest writes a request for an upstream. A stream is always asked for its usage: what comes back is counted
// whether the client wants to know or not.
func (c chatCodec) EncodeRequest(req *canonical.Request, lost *canonical.Losses) ([]byte, error) {
	return c.AppendRequest(make([]byte, 0, chatSize(req)), req, lost)
}

// AppendRequest is EncodeRequest into the memory of dst, which is empty.
func (chatCodec) AppendRequest(dst []byte, req *canonical.Request, lost *canonical.Losses) ([]byte, error) {
	e := &chatRequestEncoder{req: req, lost: lost, own: req.Source == chatSource}
	e.buf = dst[:0]
	e.open('{')
	e.key("model")
	e.buf = rawjson.AppendString(e.buf, req.Model)
	e.messages()
	e.tools()
	e.toolChoice()
	e.numbers()
	e.texts()
	e.thinking()
	e.format()
	e.stream()
	e.extras()
	e.close('}')
	return e.buf, nil
}

// chatSize guesses how long the request will be, so that it is not copied while it grows.
func chatSize(r *canonical.Request) int {
	n := 1024
	for i := range r.Messages {
		n += 64 + sizeOfParts(r.Messages[i].Parts)
	}
	for i := range r.Tools {
		t := &r.Tools[i]
		n += 96 + len(t.Name) + len(t.Description) + len(t.Schema) + len(t.Raw)
	}
	return n
}

func sizeOfParts(parts []canonical.Part) int {
	n := 0
	for i := range parts {
		p := &parts[i]
		n += 64 + len(p.Text) + len(p.Signature) + len(p.Encrypted) + len(p.Raw)
		if p.Media != nil {
			n += len(p.Media.Data) + len(p.Media.URL)
		}
		if p.Call != nil {
			n += len(p.Call.Args.String) + len(p.Call.Args.Object)*9/8
		}
		if p.Result != nil {
			n += sizeOfParts(p.Result.Parts)
		}
	}
	return n
}

func (e *chatRequestEncoder) numbers() {
	r := e.req
	e.member("max_completion_tokens", r.MaxTokens)
	e.member("temperature", r.Temperature)
	e.member("top_p", r.TopP)
	if e.own {
		e.member("top_k", r.TopK)
	} else {
		e.lose(r.TopK, "top_k", "not in this dialect")
	}
	e.member("seed", r.Seed)
	e.member("n", r.N)
	e.member("presence_penalty", r.PresencePenalty)
	e.member("frequency_penalty", r.FrequencyPenalty)
	e.member("logprobs", r.Logprobs)
	e.member("top_logprobs", r.TopLogprobs)
	if r.Logprobs == nil && !e.own && (r.TopLogprobs != nil || e.includes(includeLogprobs)) {
		e.member("logprobs", []byte("true")) // without it the number is refused
	}
	if r.ParallelTools != nil && e.anyTool() { // without tools it is refused
		e.member("parallel_tool_calls", strconv.AppendBool(nil, *r.ParallelTools))
	}
	e.stop()
}

func (e *chatRequestEncoder) stop() {
	stops := e.req.Stop
	if len(stops) == 0 {
		return
	}
	if len(stops) > maxChatStops && !e.own {
		for i := maxChatStops; i < len(stops); i++ {
			e.lost.Add(at("stop_sequences", i), "only four stop sequences are possible")
		}
		stops = stops[:maxChatStops]
	}
	e.key("stop")
	e.open('[')
	for _, s := range stops {
		e.value(s)
	}
	e.close(']')
}

func (e *chatRequestEncoder) texts() {
	r := e.req
	e.user()
	e.member("metadata", r.Metadata)
	tier := r.ServiceTier
	if is(tier, "standard_only") { // Anthropic's word
		tier = canonical.Token(`"default"`)
	}
	e.member("service_tier", tier)
	e.member("store", r.Store)
	e.member("prompt_cache_key", r.PromptCacheKey)
	e.member("verbosity", r.Verbosity)
	e.lose(r.PreviousResponseID, "previous_response_id", "the dialect keeps no answers")
	e.lose(r.Truncation, "truncation", "not in this dialect")
	e.included()
}

// included reports what the answer is to hold besides, unless another member says it here.
func (e *chatRequestEncoder) included() {
	for raw := range rawjson.Elements(e.req.Include) {
		if !is(raw, includeLogprobs) {
			e.lost.Add("include", "not in this dialect")
			return
		}
	}
}

// includes tells whether a request of Responses wants something in the answer.
func (e *chatRequestEncoder) includes(name string) bool {
	for raw := range rawjson.Elements(e.req.Include) {
		if is(raw, name) {
			return true
		}
	}
	return false
}

// user shortens a long name to one that is the same in every request.
func (e *chatRequestEncoder) user() {
	user := e.req.User
	if e.own || user.Empty() {
		e.member("user", user)
		return
	}
	if len(user.String()) > maxChatUser {
		user = envelope.ClampID(user, maxChatUser, nil)
		e.lost.Add(inSource(e.req.Source, "metadata.user_id", "user", "user"), "shortened to a hash")
	}
	e.member("user", user)
}

// lose reports a value that cannot be expressed, if there is one.
func (e *chatRequestEncoder) lose(raw []byte, path, reason string) {
	if raw != nil {
		e.lost.Add(path, reason)
	}
}

func (e *chatRequestEncoder) thinking() {
	t := e.req.Thinking
	if t == nil {
		return
	}
	effort := t.Effort
	switch {
	case is(effort, "max"): // Anthropic's word for the most
		effort = canonical.Token(`"xhigh"`)
	case effort == nil && t.Budget != nil:
		effort = budgetEffort(t.Budget)
		e.lost.Add("thinking.budget_tokens", "expressed as reasoning_effort "+effort.String())
	case effort == nil && t.Mode == "disabled":
		e.lost.Add("thinking", "models differ in how thinking is switched off: left to the model")
	case effort == nil && t.Mode != "":
		e.lost.Add("thinking", "left to the model")
	}
	if t.Mode == "disabled" && !e.own && effort != nil && !is(effort, "none") {
		effort = nil
		e.lost.Add("thinking", "models differ in how thinking is switched off: left to the model")
	}
	e.member("reasoning_effort", effort)
	e.lose(t.Summary, "reasoning.summary", "not in this dialect")
	e.lose(t.Display, "thinking.display", "not in this dialect")
	e.loseFields(inSource(e.req.Source, "thinking", "reasoning", "reasoning"), t.Extra)
}

// budgetEffort gives the effort that comes near a number of tokens for thinking.
func budgetEffort(budget canonical.Raw) canonical.Token {
	n, _ := rawjson.Int(budget)
	switch {
	case n < 4096:
		return canonical.Token(`"low"`)
	case n < 16384:
		return canonical.Token(`"medium"`)
	default:
		return canonical.Token(`"high"`)
	}
}

func (e *chatRequestEncoder) format() {
	f := e.req.Format
	if f == nil {
		return
	}
	e.key("response_format")
	e.open('{')
	e.key("type")
	e.buf = rawjson.AppendString(e.buf, f.Type)
	if f.Type == "json_schema" {
		e.key("json_schema")
		e.open('{')
		name := f.Name
		if name == nil && !e.own {
			name = canonical.Token(`"answer"`) // the dialect wants one
		}
		e.member("name", name)
		e.member("description", f.Description)
		e.member("schema", f.Schema)
		e.member("strict", f.Strict)
		e.nested("json_schema.", f.Extra)
		e.close('}')
	}
	if e.own {
		e.nested("", f.Extra)
	} else {
		e.loseFields(formatPath(e.req.Source), f.Extra)
	}
	e.close('}')
}

// formatPath is where a request of a dialect says which format it wants.
func formatPath(source string) string {
	return inSource(source, "output_config.format", "response_format", "text.format")
}

func (e *chatRequestEncoder) stream() {
	if !e.req.Stream {
		if kept := extra(e.req.Extra, "stream_options"); e.own && kept != nil {
			e.member("stream_options", kept)
		}
		return
	}
	e.key("stream")
	e.buf = append(e.buf, "true"...)
	e.key("stream_options")
	e.open('{')
	e.member("include_usage", []byte("true"))
	if e.own || e.req.Source == string(adapters.OpenAIResponses) {
		for key, v := range rawjson.Members(extra(e.req.Extra, "stream_options")) {
			if string(nameOf(key)) != "include_usage" {
				e.member(string(key[1:len(key)-1]), v)
			}
		}
	}
	e.close('}')
}

// extras writes the other members of the body. Some of Responses' mean the same here.
func (e *chatRequestEncoder) extras() {
	openAI := e.own || e.req.Source == string(adapters.OpenAIResponses)
	for _, f := range e.req.Extra {
		switch f.Name {
		case "stream_options":
			if openAI {
				continue // written with the stream
			}
		case "safety_identifier", "prompt_cache_retention", "moderation":
			if openAI {
				e.member(f.Name, f.Raw)
				continue
			}
		}
		if e.own {
			e.fields([]canonical.Field{f})
			continue
		}
		e.lost.Add(f.Name, "not in this dialect")
	}
}

// nested writes the members that were kept below a prefix: with an empty one, those without a dot.
func (e *chatRequestEncoder) nested(prefix string, fields []canonical.Field) {
	for _, f := range fields {
		if name, ok := below(prefix, f.Name); ok && e.own {
			e.fields([]canonical.Field{{Name: name, Raw: f.Raw}})
		}
	}
}

// loseFields reports members that another dialect kept.
func (e *chatRequestEncoder) loseFields(path string, fields []canonical.Field) {
	for _, f := range fields {
		e.lost.Add(join(path, f.Name), "not in this dialect")
	}
}
