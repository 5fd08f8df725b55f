package openai

import (
	"github.com/ccproxy-go/ccproxy/adapters/canonical"
	"github.com/ccproxy-go/ccproxy/internal/rawjson"
)

// decodeChatUsage takes the counts of an answer; nil if there are none. Input includes what came from caches.
func decodeChatUsage(raw []byte) *canonical.Usage {
	if !isObject(raw) {
		return nil
	}
	u := &canonical.Usage{}
	for key, v := range rawjson.Members(raw) {
		name := nameOf(key)
		switch string(name) {
		case "prompt_tokens":
			u.Input, u.HasInput = rawjson.Int(v)
		case "completion_tokens":
			u.Output, u.HasOutput = rawjson.Int(v)
		case "total_tokens":
		case "prompt_tokens_details":
			usageDetails(u, v, "prompt_tokens_details")
		case "completion_tokens_details":
			usageDetails(u, v, "completion_tokens_details")
		default:
			keep(&u.Extra, name, v)
		}
	}
	if u.CacheRead == 0 { // where servers put it that came before the details
		u.CacheRead = countIn(u.Extra, "prompt_cache_hit_tokens", "cached_tokens")
	}
	return u
}

func countIn(fields []canonical.Field, names ...string) int64 {
	for _, name := range names {
		if n, ok := rawjson.Int(extra(fields, name)); ok {
			return n
		}
	}
	return 0
}

// usageDetails takes the counts within a count; others than those of all dialects are kept with their place.
func usageDetails(u *canonical.Usage, raw []byte, place string) {
	for key, v := range rawjson.Members(raw) {
		name := string(nameOf(key))
		switch name {
		case "cached_tokens":
			u.CacheRead, _ = rawjson.Int(v)
		case "cache_write_tokens":
			u.CacheWrite, _ = rawjson.Int(v)
		case "reasoning_tokens":
			u.Reasoning, _ = rawjson.Int(v)
		default:
			keep(&u.Extra, []byte(place+"."+name), v)
		}
	}
}

// writeChatUsage writes the counts. Those kept from another dialect are left out, which the caller reports.
func writeChatUsage(w *writer, u *canonical.Usage, own bool) {
	var kept []canonical.Field
	if own {
		kept = u.Extra
	}
	w.open('{')
	w.number("prompt_tokens", u.Input)
	w.number("completion_tokens", u.Output)
	w.number("total_tokens", u.Input+u.Output)
	w.key("prompt_tokens_details")
	w.open('{')
	w.number("cached_tokens", u.CacheRead)
	if u.CacheWrite > 0 {
		w.number("cache_write_tokens", u.CacheWrite)
	}
	writeBelow(w, "prompt_tokens_details.", kept)
	w.close('}')
	w.key("completion_tokens_details")
	w.open('{')
	w.number("reasoning_tokens", u.Reasoning)
	writeBelow(w, "completion_tokens_details.", kept)
	w.close('}')
	for _, f := range kept {
		if !isUsageDetail(f.Name) {
			w.fields([]canonical.Field{f})
		}
	}
	w.close('}')
}

func writeBelow(w *writer, prefix string, fields []canonical.Field) {
	for _, f := range fields {
		if name, ok := below(prefix, f.Name); ok {
			w.fields([]canonical.Field{{Name: name, Raw: f.Raw}})
		}
	}
}

func isUsageDetail(name string) bool {
	_, prompt := below("prompt_tokens_details.", name)
	_, completion := below("completion_tokens_details.", name)
	return prompt || completion
}
