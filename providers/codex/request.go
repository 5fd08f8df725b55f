package codex

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"

	"github.com/ccproxy-go/ccproxy"
	"github.com/ccproxy-go/ccproxy/adapters"
	"github.com/ccproxy-go/ccproxy/adapters/canonical"
	"github.com/ccproxy-go/ccproxy/internal/rawjson"
)

// rules make of a request what ChatGPT takes: it is asked for a stream, stores nothing, and knows few members.
type rules struct {
	prefix    []byte          // of the instructions, between the quotes of a JSON string
	defaults  []member        // which are added where a client sent none
	pass      map[string]bool // further members that are sent
	developer bool            // developer messages move to the instructions, too
}

// member is one of a JSON object's.
type member struct {
	key string
	raw []byte
}

func newRules(c *Config) (*rules, error) {
	r := &rules{pass: make(map[string]bool), developer: c.DeveloperToInstructions}
	if c.Instructions != "" {
		r.prefix = between(rawjson.AppendString(nil, c.Instructions))
	}
	for _, key := range c.PassFields {
		r.pass[key] = true
	}
	for _, key := range slices.Sorted(maps.Keys(c.RequestDefaults)) {
		raw, err := json.Marshal(c.RequestDefaults[key])
		if err != nil {
			return nil, fmt.Errorf("plugins.%s.request_defaults.%s: %w: %w", Name, key, ccproxy.ErrConfig, err)
		}
		r.defaults = append(r.defaults, member{key, raw})
		r.pass[key] = true
	}
	return r, nil
}

// takes tells whether ChatGPT takes a member. It refuses requests with any other.
func (r *rules) takes(key string) bool {
	switch key {
	case "model", "instructions", "input", "tools", "tool_choice", "parallel_tool_calls", "reasoning", "store",
		"stream", "stream_options", "include", "service_tier", "prompt_cache_key", "text", "client_metadata":
		return true
	}
	return r.pass[key]
}

// draft is a request in the making.
type draft struct {
	rules   *rules
	doc     *rawjson.Doc
	format  adapters.Format // of the client
	changed bool
	itself  bool // the client is the Codex CLI, whose requests ChatGPT takes without instructions
	guided  bool // there are developer messages
	system  [][]byte
	lost    canonical.Losses
	out     []byte
}

// apply returns the request for ChatGPT. One that is as it should be stays as it is, byte for byte. cacheKey is used
// where the client sent none; it may be empty. itself tells that the client is the Codex CLI.
func (r *rules) apply(
	body []byte, client adapters.Format, cacheKey string, itself bool,
) ([]byte, []canonical.Loss, error) {
	var doc rawjson.Doc
	if err := doc.Scan(body, rawjson.Options{}); err != nil {
		return nil, nil, err
	}
	if err := refused(&doc); err != nil {
		return nil, nil, err
	}
	d := &draft{rules: r, doc: &doc, format: client, itself: itself, out: make([]byte, 0, len(body)+len(r.prefix)+256)}
	input := d.input()
	d.out = append(d.out, '{')
	for key := range doc.Keys() {
		raw, _ := doc.Raw(key)
		d.member(key, raw, input)
	}
	d.missing(cacheKey)
	d.out = append(d.out, '}')
	if !d.changed {
		return body, nil, nil
	}
	return d.out, d.lost.List, nil
}

// refused finds what asks for another conversation than the one in the request. To leave it out would be to answer
// something else than what was asked.
func refused(doc *rawjson.Doc) error {
	for _, key := range [...]string{"previous_response_id", "conversation", "prompt", "background"} {
		raw, ok := doc.Raw(key)
		if !ok || isNull(raw) || string(raw) == "false" {
			continue
		}
		return &ccproxy.Error{
			Status: http.StatusBadRequest, Param: key, Code: "unsupported_parameter",
			Message: key + ": this provider stores nothing and takes whole conversations only",
		}
	}
	return nil
}

// member writes one member of the client's, if it is to be there.
func (d *draft) member(key string, raw, input []byte) {
	switch {
	case !d.rules.takes(key):
		d.changed = true
		if !isNull(raw) && string(raw) != "false" {
			d.lost.Add(sourceName(d.format, key), "not taken by ChatGPT")
		}
		return
	case key == "stream":
		d.force(&raw, "true")
	case key == "store":
		if string(raw) == "true" {
			d.lost.Add("store", "ChatGPT stores nothing")
		}
		d.force(&raw, "false")
	case key == "input":
		raw = input
	case key == "instructions":
		raw = d.instructions(raw)
	case key == "include" && d.stored():
		raw = d.withEncrypted(raw)
	case isNull(raw) && d.preset(key) != nil:
		raw = d.preset(key)
		d.changed = true
	}
	d.write(key, raw)
}

func (d *draft) force(raw *[]byte, value string) {
	if string(*raw) != value {
		*raw = []byte(value)
		d.changed = true
	}
}

func (d *draft) write(key string, raw []byte) {
	if len(d.out) > 1 {
		d.out = append(d.out, ',')
	}
	d.out = rawjson.AppendString(d.out, key)
	d.out = append(d.out, ':')
	d.out = append(d.out, raw...)
}

// missing writes what the client did not send.
func (d *draft) missing(cacheKey string) {
	add := func(key string, raw []byte) {
		if _, ok := d.doc.Raw(key); !ok && raw != nil {
			d.write(key, raw)
			d.changed = true
		}
	}
	add("stream", []byte("true"))
	add("store", []byte("false"))
	_, instructed := d.doc.Raw("instructions")
	// They have to be there, if empty. Only from its own CLI ChatGPT takes a developer message in their place.
	if !instructed && (len(d.system) > 0 || len(d.rules.prefix) > 0 || !d.guided || !d.itself) {
		add("instructions", d.instructions(nil))
	}
	for _, m := range d.rules.defaults {
		if m.key == "include" && d.stored() {
			m.raw = d.withEncrypted(m.raw)
		}
		add(m.key, m.raw)
	}
	if d.stored() && d.preset("include") == nil {
		add("include", []byte(`["`+encryptedReasoning+`"]`))
	}
	if cacheKey != "" {
		add("prompt_cache_key", rawjson.AppendString(nil, cacheKey))
	}
}

// preset is the configured value of a member, or nil.
func (d *draft) preset(key string) []byte {
	for _, m := range d.rules.defaults {
		if m.key == key {
			return m.raw
		}
	}
	return nil
}

// instructions joins the configured ones, the client's, and the system messages before the conversation.
func (d *draft) instructions(own []byte) []byte {
	var parts [][]byte
	text, isText := asText(own)
	if own != nil && !isText && !isNull(own) {
		return own // ChatGPT says what is wrong with it
	}
	if p := d.rules.prefix; len(p) > 0 && !bytes.HasPrefix(text, p) {
		parts = append(parts, p)
	}
	if len(text) > 0 {
		parts = append(parts, text)
	}
	parts = append(parts, d.system...)
	joined := slices.Concat([]byte{'"'}, bytes.Join(parts, []byte(`\n`)), []byte{'"'})
	if !bytes.Equal(joined, own) {
		d.changed = true
	}
	return joined
}

// encryptedReasoning is what a client needs that holds the conversation itself.
const encryptedReasoning = "reasoning.encrypted_content"

// stored tells whether the client counts on its answers being stored. It needs all of them instead.
func (d *draft) stored() bool {
	raw, ok := d.doc.Raw("store")
	return !ok || string(raw) != "false"
}

func (d *draft) withEncrypted(include []byte) []byte {
	have := slices.Collect(rawjson.Elements(include))
	for _, raw := range have {
		if s, ok := rawjson.String(raw); ok && s == encryptedReasoning {
			return include
		}
	}
	if !isNull(include) && include[0] != '[' {
		return include // ChatGPT says what is wrong with it
	}
	d.changed = true
	return array(append(have, []byte(`"`+encryptedReasoning+`"`)))
}

// sourceName is what a member was called in the client's format, as far as there is one name.
func sourceName(client adapters.Format, key string) string {
	switch {
	case key == "max_output_tokens" && client != adapters.OpenAIResponses:
		return "max_tokens"
	case key == "user" && client == adapters.AnthropicMessages:
		return "metadata.user_id"
	default:
		return key
	}
}

// between is what stands between the quotes of a JSON string.
func between(token []byte) []byte { return token[1 : len(token)-1] }

// asText returns what stands between the quotes, if raw is a JSON string.
func asText(raw []byte) ([]byte, bool) {
	if len(raw) < len(`""`) || raw[0] != '"' {
		return nil, false
	}
	return between(raw), true
}

func isNull(raw []byte) bool { return string(raw) == "null" }

// array makes an array of its elements.
func array(elements [][]byte) []byte {
	return slices.Concat([]byte{'['}, bytes.Join(elements, []byte{','}), []byte{']'})
}

// private tells members that are somebody's own notes.
func private(key string) bool { return strings.HasPrefix(key, "_") }
