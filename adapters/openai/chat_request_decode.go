package openai

import (
	"github.com/ccproxy-go/ccproxy/adapters/canonical"
	"github.com/ccproxy-go/ccproxy/internal/rawjson"
)

// DecodeRequest takes a request of a client. Its members stay slices of body.
func (c chatCodec) DecodeRequest(body []byte) (*canonical.Request, error) {
	var doc rawjson.Doc
	if err := scan(&doc, body); err != nil {
		return nil, err
	}
	return c.DecodeScanned(&doc)
}

// DecodeScanned is DecodeRequest for a body that was scanned before.
func (chatCodec) DecodeScanned(doc *rawjson.Doc) (*canonical.Request, error) {
	r := &canonical.Request{Source: chatSource}
	if err := requireModel(doc, r); err != nil {
		return nil, err
	}
	for key, value := range doc.Members() {
		name := nameOf(key)
		known, err := decodeChatMember(r, name, value)
		if err == nil && !known {
			known, err = decodeChatNumber(r, name, value)
		}
		if err == nil && !known {
			known, err = decodeChatText(r, name, value)
		}
		if err != nil {
			return nil, err
		}
		if !known {
			keep(&r.Extra, name, value)
		}
	}
	if r.MaxTokens == nil { // the older name counts where the newer is not used
		r.MaxTokens = takeExtra(r, "max_tokens")
		if r.MaxTokens != nil {
			r.MaxTokensName = "max_tokens"
		}
	}
	return r, nil
}

func requireModel(doc *rawjson.Doc, r *canonical.Request) error {
	model, _ := doc.Raw("model")
	if !isString(model) {
		return invalid("model", "must be a string")
	}
	r.Model = canonical.Token(model).String()
	if messages, _ := doc.Raw("messages"); !isArray(messages) {
		return invalid("messages", "must be an array")
	}
	return nil
}

// takeExtra moves a member out of what was kept.
func takeExtra(r *canonical.Request, name string) canonical.Raw {
	for i, f := range r.Extra {
		if f.Name == name && !isNull(f.Raw) {
			r.Extra = append(r.Extra[:i], r.Extra[i+1:]...)
			return f.Raw
		}
	}
	return nil
}

// decodeChatMember takes the members that have a shape of their own.
func decodeChatMember(r *canonical.Request, name, value []byte) (known bool, err error) {
	switch string(name) {
	case "model":
		return true, nil
	case "messages":
		return true, decodeChatMessages(r, value)
	case "stream":
		r.Stream = isTrue(value)
		return true, boolOrNull(value, "stream")
	case "stream_options":
		return true, decodeStreamOptions(r, value)
	case "stop":
		return true, decodeStop(r, value)
	case "tools":
		return true, decodeChatTools(r, value)
	case "functions":
		return true, decodeChatFunctions(r, value)
	case "tool_choice":
		return true, decodeChatChoice(r, value)
	case "function_call":
		return true, decodeFunctionChoice(r, value)
	case "parallel_tool_calls":
		if !isNull(value) {
			parallel := isTrue(value)
			r.ParallelTools = &parallel
		}
		return true, boolOrNull(value, "parallel_tool_calls")
	case "response_format":
		return true, decodeChatFormat(r, value)
	case "reasoning_effort":
		effort, err := stringAt(value, "reasoning_effort")
		if effort != nil {
			r.Thinking = &canonical.Thinking{Effort: effort}
		}
		return true, err
	}
	return false, nil
}

func decodeChatNumber(r *canonical.Request, name, value []byte) (known bool, err error) {
	if string(name) == "logprobs" {
		if !isNull(value) {
			r.Logprobs = value
		}
		return true, boolOrNull(value, "logprobs")
	}
	to := numberOf(r, name)
	if to == nil || isNull(value) {
		return to != nil, nil
	}
	if c := value[0]; c != '-' && (c < '0' || c > '9') {
		return true, invalid(string(name), "must be a number")
	}
	*to = value
	return true, nil
}

// numberOf gives where a number is kept, or nil if the member is none.
func numberOf(r *canonical.Request, name []byte) *canonical.Raw {
	switch string(name) {
	case "max_completion_tokens":
		return &r.MaxTokens
	case "temperature":
		return &r.Temperature
	case "top_p":
		return &r.TopP
	case "top_k": // of compatible servers
		return &r.TopK
	case "seed":
		return &r.Seed
	case "n":
		return &r.N
	case "presence_penalty":
		return &r.PresencePenalty
	case "frequency_penalty":
		return &r.FrequencyPenalty
	case "top_logprobs":
		return &r.TopLogprobs
	default:
		return nil
	}
}

func decodeChatText(r *canonical.Request, name, value []byte) (known bool, err error) {
	switch string(name) {
	case "metadata":
		if !isNull(value) {
			r.Metadata = value
		}
		return true, nil
	case "store":
		if !isNull(value) {
			r.Store = value
		}
		return true, boolOrNull(value, "store")
	case "user":
		r.User, err = stringAt(value, "user")
	case "service_tier":
		r.ServiceTier, err = stringAt(value, "service_tier")
	case "prompt_cache_key":
		r.PromptCacheKey, err = stringAt(value, "prompt_cache_key")
	case "verbosity":
		r.Verbosity, err = stringAt(value, "verbosity")
	default:
		return false, nil
	}
	return true, err
}

func boolOrNull(value []byte, path string) error {
	if _, ok := rawjson.Bool(value); ok || isNull(value) {
		return nil
	}
	return invalid(path, "must be true or false")
}

// decodeStreamOptions keeps the whole member too if it says more than that usage is wanted.
func decodeStreamOptions(r *canonical.Request, value []byte) error {
	if isNull(value) {
		return nil
	}
	if !isObject(value) {
		return invalid("stream_options", "must be an object")
	}
	for key, v := range rawjson.Members(value) {
		if string(nameOf(key)) == "include_usage" {
			r.IncludeUsage = isTrue(v)
			continue
		}
		if extra(r.Extra, "stream_options") == nil {
			keep(&r.Extra, []byte("stream_options"), value)
		}
	}
	return nil
}

func decodeStop(r *canonical.Request, value []byte) error {
	if isString(value) {
		r.Stop = []canonical.Token{value}
		return nil
	}
	if !isArray(value) {
		if isNull(value) {
			return nil
		}
		return invalid("stop", "must be a string or an array of strings")
	}
	for stop := range rawjson.Elements(value) {
		if !isString(stop) {
			return invalid(at("stop", len(r.Stop)), "must be a string")
		}
		r.Stop = append(r.Stop, stop)
	}
	return nil
}

func decodeChatFormat(r *canonical.Request, value []byte) error {
	const path = "response_format"
	if isNull(value) {
		return nil
	}
	if !isObject(value) {
		return invalid(path, "must be an object")
	}
	f := &canonical.Format{Type: lenientString(find(value, "type")).String()}
	if f.Type == "" {
		return invalid(path+".type", "must be a string")
	}
	for key, v := range rawjson.Members(value) {
		name := nameOf(key)
		switch string(name) {
		case "type":
		case "json_schema":
			if err := decodeChatSchema(f, v); err != nil {
				return err
			}
		default:
			keep(&f.Extra, name, v)
		}
	}
	r.Format = f
	return nil
}

func decodeChatSchema(f *canonical.Format, value []byte) (err error) {
	const path = "response_format.json_schema"
	if !isObject(value) {
		return invalid(path, "must be an object")
	}
	for key, v := range rawjson.Members(value) {
		name := nameOf(key)
		switch string(name) {
		case "name":
			f.Name, err = stringAt(v, path+".name")
		case "description":
			f.Description, err = stringAt(v, path+".description")
		case "schema":
			f.Schema = v
		case "strict":
			f.Strict = v
		default:
			keep(&f.Extra, []byte("json_schema."+string(name)), v)
		}
		if err != nil {
			return err
		}
	}
	return nil
}
