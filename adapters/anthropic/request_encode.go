package anthropic

import (
	"bytes"
	"strings"

	"github.com/ccproxy-go/ccproxy/adapters"
	"github.com/ccproxy-go/ccproxy/adapters/canonical"
	"github.com/ccproxy-go/ccproxy/internal/rawjson"
)

// requestEncoder writes one request.
type requestEncoder struct {
	encoder
	req   *canonical.Request
	tools int // how many of the tools can be written
	plan  plan
}

// EncodeRequest writes a request of the Messages API. It does not fail: what cannot be said is lost.
func (c codec) EncodeRequest(req *canonical.Request, lost *canonical.Losses) ([]byte, error) {
	return c.AppendRequest(make([]byte, 0, estimate(req)), req, lost)
}

// AppendRequest is EncodeRequest into the memory of dst, which is empty.
func (codec) AppendRequest(dst []byte, req *canonical.Request, lost *canonical.Losses) ([]byte, error) {
	e := &requestEncoder{req: req}
	e.lost, e.own = lost, req.Source == dialect
	e.responses = req.Source == string(adapters.OpenAIResponses)
	e.w.b = dst[:0]
	for i := range req.Tools {
		if e.own || req.Tools[i].Type == "" && req.Tools[i].Raw == nil {
			e.tools++
		}
	}
	conversation := e.conversation()
	e.plan = e.planThinking(conversation.messages)

	e.w.open('{')
	if req.Model != "" {
		e.w.raw("model", canonical.NewToken(req.Model))
	}
	e.limit()
	e.system(&conversation)
	e.w.key("messages")
	e.w.open('[')
	for i := range conversation.messages {
		e.message(&conversation.messages[i])
	}
	e.w.shut(']')
	e.toolList()
	e.choice()
	e.thinkingConfig()
	e.outputConfig()
	e.sampling()
	e.stops()
	e.metadata()
	e.tier()
	if req.Stream {
		e.w.boolean("stream", true)
	}
	e.rest()
	e.w.shut('}')
	return e.w.b, nil
}

// estimate is about how long the body will be.
func estimate(req *canonical.Request) int {
	n := 1024
	for i := range req.Messages {
		n += estimateParts(req.Messages[i].Parts)
	}
	for i := range req.Tools {
		t := &req.Tools[i]
		n += len(t.Name) + len(t.Description) + len(t.Schema) + len(t.Raw) + len(t.Grammar) + 256
	}
	return n
}

func estimateParts(parts []canonical.Part) int {
	n := 0
	for i := range parts {
		p := &parts[i]
		n += len(p.Text) + len(p.Signature) + len(p.Encrypted) + len(p.Raw) + 256
		if p.Media != nil {
			n += len(p.Media.Data) + len(p.Media.URL) + len(p.Media.Text)
		}
		if p.Call != nil {
			n += len(p.Call.Args.Object) + len(p.Call.Args.String)
		}
		if p.Result != nil {
			n += estimateParts(p.Result.Parts)
		}
	}
	return n
}

func (e *requestEncoder) limit() {
	switch {
	case e.plan.maxTokens > 0:
		e.w.integer("max_tokens", e.plan.maxTokens)
	case e.req.MaxTokens != nil:
		e.w.raw("max_tokens", e.req.MaxTokens)
	case !e.own:
		e.w.integer("max_tokens", answerLimit(e.req.Model))
	}
}

// system writes the system prompt: a string if it was one, or if it is one text, and blocks otherwise.
func (e *requestEncoder) system(c *conversation) {
	switch {
	case !c.hasSystem:
	case len(c.system) == 1 && (c.plain || !e.own && c.system[0].CacheControl == nil):
		e.w.token("system", c.system[0].Text)
		if !e.own {
			e.foreign(c.system[0].Extra, c.system[0].Path)
			e.foreignText(&c.system[0])
		}
	default:
		e.w.key("system")
		e.parts(c.system)
	}
}

// message writes a turn.
func (e *requestEncoder) message(m *canonical.Message) {
	e.w.open('{')
	switch m.Role {
	case canonical.RoleAssistant:
		e.w.word("role", "assistant")
	case canonical.RoleSystem, canonical.RoleDeveloper:
		e.w.word("role", "system")
	default:
		e.w.word("role", "user")
	}
	if m.Plain && len(m.Parts) == 1 && m.Parts[0].Kind == canonical.PartText {
		e.w.token("content", m.Parts[0].Text)
		e.foreignText(&m.Parts[0])
	} else {
		e.w.key("content")
		e.parts(m.Parts)
	}
	if e.own {
		e.w.fields(m.Extra) // conversation has noted those of others
	}
	e.w.shut('}')
}

func (e *requestEncoder) toolList() {
	if e.req.Tools == nil || e.tools == 0 && !e.own {
		for i := range e.req.Tools {
			e.tool(&e.req.Tools[i]) // writes nothing and notes the losses
		}
		return
	}
	e.w.key("tools")
	e.w.open('[')
	for i := range e.req.Tools {
		e.tool(&e.req.Tools[i])
	}
	e.w.shut(']')
}

// outputConfig writes the effort and the format of the answer.
func (e *requestEncoder) outputConfig() {
	effort := e.plan.effort
	schema := e.req.Format != nil && (e.own || e.req.Format.Type == "json_schema" && e.req.Format.Schema != nil)
	if effort == nil && !schema && !e.hasInner("output_config.") {
		return
	}
	e.w.key("output_config")
	e.w.open('{')
	e.w.raw("effort", effort)
	if schema {
		f := e.req.Format
		e.w.key("format")
		e.w.open('{')
		e.w.raw("type", canonical.NewToken(f.Type))
		e.w.raw("schema", f.Schema)
		e.extras(f.Extra, e.formatPath())
		e.w.shut('}')
		e.formatLosses(f)
	}
	e.inner("output_config.")
	e.w.shut('}')
}

// formatLosses notes what a foreign format says besides.
func (e *requestEncoder) formatLosses(f *canonical.Format) {
	if e.own {
		return
	}
	if !f.Description.Empty() {
		path := e.sourcePath("response_format.json_schema", "text.format")
		e.lose(member(path, "description"), "formats have no description")
	}
	// A name is only a label, and a schema is always enforced: neither is missed.
}

// formatPath is where the source says which format it wants.
func (e *requestEncoder) formatPath() string { return e.sourcePath("response_format", "text.format") }

func (e *requestEncoder) stops() {
	if e.own {
		if e.req.Stop != nil {
			e.writeStops(e.req.Stop)
		}
		return
	}
	var usable []canonical.Token
	for i, s := range e.req.Stop {
		if blank(s) { // the API refuses white space
			e.lose(element("stop", i), "dropped: white space alone")
			continue
		}
		usable = append(usable, s)
	}
	if len(usable) > 0 {
		e.writeStops(usable)
	}
}

func (e *requestEncoder) writeStops(list []canonical.Token) {
	e.w.key("stop_sequences")
	e.w.open('[')
	for _, s := range list {
		e.w.value(s)
	}
	e.w.shut(']')
}

func (e *requestEncoder) metadata() {
	if e.req.User == nil && !e.hasInner("metadata.") {
		return
	}
	e.w.key("metadata")
	e.w.open('{')
	e.w.raw("user_id", e.req.User)
	e.inner("metadata.")
	e.w.shut('}')
}

// tier writes which capacity may be used. OpenAI has more words for it.
func (e *requestEncoder) tier() {
	switch tier := e.req.ServiceTier; {
	case e.own:
		e.w.raw("service_tier", tier)
	case tier.Empty():
	case string(tier) == `"auto"`:
		e.w.word("service_tier", "auto")
	case string(tier) == `"priority"`:
		e.w.word("service_tier", "auto")
		e.lose("service_tier", "told as auto, which uses what is there of it")
	case string(tier) == `"default"`:
		e.w.word("service_tier", "standard_only")
	default:
		e.lose("service_tier", "dropped: no such tier")
	}
}

// rest writes the members that only this dialect knows, or notes those that it has no place for.
func (e *requestEncoder) rest() {
	if !e.own {
		e.foreignMembers()
		return
	}
	for _, f := range e.req.Extra {
		if !isInner(f.Name) {
			e.w.field(f.Name, f.Raw)
		}
	}
}

// inner writes the unknown members that were found inside of an object that is taken apart.
func (e *requestEncoder) inner(prefix string) {
	if !e.own {
		return
	}
	for _, f := range e.req.Extra {
		if name, ok := strings.CutPrefix(f.Name, prefix); ok {
			e.w.field(name, f.Raw)
		}
	}
}

func (e *requestEncoder) hasInner(prefix string) bool {
	if e.own {
		for _, f := range e.req.Extra {
			if strings.HasPrefix(f.Name, prefix) {
				return true
			}
		}
	}
	return false
}

func isInner(name string) bool {
	return strings.HasPrefix(name, "metadata.") || strings.HasPrefix(name, "output_config.") ||
		strings.HasPrefix(name, "tool_choice.")
}

// foreignMembers notes what other dialects can ask for and this one cannot. What asks for nothing, such as a
// penalty of 0, is no loss.
func (e *requestEncoder) foreignMembers() {
	r := e.req
	for _, m := range []struct {
		name    string
		raw     []byte
		nothing string
	}{
		{"seed", r.Seed, ""},
		{"n", r.N, "1"},
		{"presence_penalty", r.PresencePenalty, "0"},
		{"frequency_penalty", r.FrequencyPenalty, "0"},
		{"logprobs", r.Logprobs, "false"},
		{"top_logprobs", r.TopLogprobs, "0"},
		{"metadata", r.Metadata, "{}"},
		{"store", r.Store, "false"},
		{"previous_response_id", r.PreviousResponseID, ""},
		{"prompt_cache_key", r.PromptCacheKey, ""},
		{"truncation", r.Truncation, `"disabled"`},
		{e.sourcePath("verbosity", "text.verbosity"), r.Verbosity, `"medium"`},
		{"include", bytes.TrimSpace(r.Include), `["reasoning.encrypted_content"]`},
	} {
		if len(m.raw) > 0 && !isNull(m.raw) && string(m.raw) != m.nothing && string(m.raw) != "[]" {
			e.lose(m.name, "no equivalent")
		}
	}
	e.foreign(r.Extra, "")
}

// sourcePath is the name of something in the request's own dialect, Chat's or that of Responses.
func (e *encoder) sourcePath(chat, responses string) string {
	if e.responses {
		return responses
	}
	return chat
}

// hasTool tells whether a tool of the name can be called.
func (e *requestEncoder) hasTool(name canonical.Token) bool {
	for i := range e.req.Tools {
		t := &e.req.Tools[i]
		if t.Type == "" && t.Raw == nil && rawjsonEqual(t.Name, name) {
			return true
		}
	}
	return false
}

// rawjsonEqual compares two strings, however they are escaped.
func rawjsonEqual(a, b canonical.Token) bool {
	if bytes.Equal(a, b) {
		return true
	}
	x, okX := rawjson.String(a)
	y, okY := rawjson.String(b)
	return okX && okY && x == y
}
