package matrix

import (
	"bytes"
	"encoding/json"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/ccproxy-go/ccproxy/adapters/canonical"
	"github.com/ccproxy-go/ccproxy/adapters/internal/envelope"
)

// Stand-ins in an expected output for what differs each time.
const (
	anyTime = "(time)"
	anyID   = "(id)"
)

type object = map[string]any

// value decodes JSON for comparing; numbers stay as they are written.
func value(t *testing.T, text string) any {
	t.Helper()
	dec := json.NewDecoder(strings.NewReader(text))
	dec.UseNumber()
	var v any
	if err := dec.Decode(&v); err != nil {
		t.Fatalf("no JSON: %v\n%s", err, text)
	}
	return v
}

// same compares two values.
func same(t *testing.T, what string, want, got any) {
	t.Helper()
	if diff := cmp.Diff(want, settle(want, got)); diff != "" {
		text, _ := json.Marshal(got)
		t.Errorf("%s mismatch (-want +got):\n%s\ngot %s", what, diff, text)
	}
}

// settle puts the stand-ins of an expected value into what came, where it may be anything, and takes members that only
// repeat the request out, where they are not expected.
func settle(want, got any) any {
	switch w := want.(type) {
	case string:
		return settleWord(w, got)
	case object:
		g, ok := got.(object)
		if !ok {
			return got
		}
		return settleObject(w, g)
	case []any:
		g, ok := got.([]any)
		if !ok {
			return got
		}
		out := make([]any, len(g))
		for i := range g {
			out[i] = g[i]
			if i < len(w) {
				out[i] = settle(w[i], g[i])
			}
		}
		return out
	}
	return got
}

func settleWord(want string, got any) any {
	switch g := got.(type) {
	case json.Number:
		if want == anyTime && len(g) == len("1700000000") {
			return want
		}
	case string:
		if want == anyID && g != "" {
			return want
		}
	}
	return got
}

func settleObject(want, got object) object {
	out := object{}
	for k, v := range got {
		if _, expected := want[k]; !expected && got["object"] == "response" && repeatsRequest(k) {
			continue
		}
		out[k] = settle(want[k], v)
	}
	return out
}

// repeatsRequest tells the members of a response object that a client knows from its own request.
func repeatsRequest(name string) bool {
	switch name {
	case "background", "instructions", "max_output_tokens", "max_tool_calls", "metadata", "parallel_tool_calls",
		"previous_response_id", "prompt_cache_key", "reasoning", "safety_identifier", "store", "temperature", "text",
		"tool_choice", "tools", "top_logprobs", "top_p", "truncation", "user":
		return true
	}
	return false
}

// expand writes out what a case writes as @thinking(signature), @redacted(data), @reasoning(id,encrypted) or
// @toolid(id): the envelope of it. @detail({'type':…}) is that of an entry of reasoning_details.
func expand(text string) string {
	for sealedWord.MatchString(text) { // one may be in another
		text = expandOnce(text)
	}
	return text
}

func expandOnce(text string) string {
	return sealedWord.ReplaceAllStringFunc(text, func(match string) string {
		parts := sealedWord.FindStringSubmatch(match)
		if parts[1] == "detail" {
			entry := canonical.Token(strings.ReplaceAll(parts[2], "'", `"`))
			return string(bytes.Trim(envelope.Seal(canonical.CarriedDetail, entry), `"`))
		}
		var fields []canonical.Token
		for field := range strings.SplitSeq(parts[2], ",") {
			var token canonical.Token
			if field != "" {
				token = canonical.NewToken(field)
			}
			fields = append(fields, token)
		}
		kind := map[string]string{
			"thinking": canonical.CarriedThinking, "redacted": canonical.CarriedRedacted,
			"reasoning": canonical.CarriedReasoning, "toolid": envelope.ToolID,
		}[parts[1]]
		return string(bytes.Trim(envelope.Seal(kind, fields...), `"`))
	})
}

var sealedWord = regexp.MustCompile(`@(thinking|redacted|reasoning|toolid|detail)\(([^()]*)\)`)
