package roundtrip

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/ccproxy-go/ccproxy/adapters/canonical"
)

// trip is a way from a dialect through another and back.
type trip struct {
	from, via     dialect
	start, middle *node
	end           *node
	there, back   []canonical.Loss

	found     []fact          // at the end
	byMark    map[string]int  // facts at the end
	byKey     map[string]bool // key and value of facts at the end
	excused   map[string]bool // keys of facts that were reported as lost
	lost      map[string]bool // marks of what was reported on the way back
	lostThere map[string]bool // and on the way there
	problems  []string

	answer   bool // and no request
	streamed bool
}

func (t *trip) problemf(format string, args ...any) {
	t.problems = append(t.problems, fmt.Sprintf(format, args...))
}

// check compares what came back with what went in.
func (t *trip) check() []string {
	t.start.locate("")
	t.middle.locate("")
	t.end.locate("")
	t.lost, t.lostThere = map[string]bool{}, map[string]bool{}
	t.reported(t.start, t.there, t.from.letter+"→"+t.via.letter, t.lostThere)
	t.reported(t.middle, t.back, t.via.letter+"→"+t.from.letter, t.lost)
	t.index()
	last, position := -1, t.positions()
	t.excused = map[string]bool{}
	said := map[string]bool{}
	for _, f := range factsOf(t.start) {
		said[f.key+"="+f.value] = true
		if t.isLost(&f) {
			t.excused[f.key], t.excused[topic(f.path)] = true, true
			continue
		}
		if problem := t.compare(&f); problem != "" {
			t.problemf("%s→%s→%s: %s: %s", t.from.letter, t.via.letter, t.from.letter, pattern(f.key), problem)
			continue
		}
		if !f.turn || len(f.marks) == 0 || strings.HasPrefix(f.key, "system") || keepsNoOrder(f.key) {
			continue
		}
		p := position[f.marks[0]]
		if p < last {
			t.problemf("%s→%s→%s: %s: moved", t.from.letter, t.via.letter, t.from.letter, pattern(f.key))
		}
		last = p
	}
	t.additions(said)
	return t.problems
}

// keepsNoOrder tells members whose place says nothing, or whose marks stand elsewhere, too.
func keepsNoOrder(key string) bool {
	switch key[strings.LastIndexByte(key, '.')+1:] {
	case "id", "call_id", "tool_call_id", "tool_use_id", "arguments", "name", "encrypted_content":
		return true
	}
	return strings.Contains(key, "annotations[") || strings.Contains(key, "logprobs") || strings.Contains(key, "reasoning_details[")
}

// reported finds what a report tells to be lost.
func (t *trip) reported(n *node, lost []canonical.Loss, way string, marks map[string]bool) {
	for _, l := range lost {
		v := n.at(l.Path)
		if v == nil || l.Path == "" || v.kind == 'n' {
			t.problemf("%s: reports %s (%s), which was not there", way, pattern(l.Path), pattern(l.Reason))
			continue
		}
		for _, m := range marksIn(string(v.render(nil)), nil) {
			marks[m] = true
		}
	}
}

func (t *trip) index() {
	t.found = factsOf(t.end)
	t.byMark, t.byKey = map[string]int{}, map[string]bool{}
	for i, f := range t.found {
		for _, m := range f.marks {
			if _, ok := t.byMark[m+f.key]; !ok {
				t.byMark[m+f.key] = i
			}
			if _, ok := t.byMark[m]; !ok {
				t.byMark[m] = i
			}
		}
		t.byKey[f.key+"="+f.value] = true
	}
}

// positions tells where marks stand at the end.
func (t *trip) positions() map[string]int {
	p := map[string]int{}
	n := 0
	for _, f := range t.found {
		for _, m := range f.marks {
			if _, ok := p[m]; !ok {
				n++
				p[m] = n
			}
		}
	}
	return p
}

// isLost tells whether a fact was reported on one of the ways.
func (t *trip) isLost(f *fact) bool {
	about := topic(f.path)
	for _, l := range t.there {
		if under(f.path, l.Path) || about != "" && len(f.marks) == 0 && about == topic(l.Path) {
			return true
		}
	}
	for _, m := range f.marks {
		if t.lost[m] || t.lostThere[m] && strings.HasSuffix(f.key, "reasoning_content") {
			return true
		}
	}
	if len(f.marks) == 0 && t.ofLost(f.key) {
		return true
	}
	for _, l := range t.back {
		if (len(f.marks) == 0 || strings.HasPrefix(f.path, "tools[")) && t.alike(f, l.Path) {
			return true
		}
	}
	return false
}

// ofLost tells whether the element that a key names was reported.
func (t *trip) ofLost(key string) bool {
	marks := marksIn(key, nil)
	return len(marks) > 0 && (t.lost[marks[len(marks)-1]] || t.lostThere[marks[len(marks)-1]])
}

// alike tells whether something that was lost on the way back is what a fact without a mark is about.
func (t *trip) alike(f *fact, loss string) bool {
	if a, b := topic(f.path), topic(loss); a != "" || b != "" {
		return a == b
	}
	if strings.HasPrefix(f.path, "tools[") && strings.HasPrefix(loss, "tools[") {
		own := t.start.at(f.path[:strings.IndexByte(f.path, ']')+1]).get("type").str()
		if strings.HasPrefix(own, "web_search_") { // has no name in between
			return true
		}
	}
	if strings.HasSuffix(loss, ".cache_control") && strings.Contains(f.key, ".cache_control") {
		return true
	}
	if len(f.marks) > 0 {
		return false
	}
	n := t.middle.at(loss)
	marks := marksIn(f.key, nil)
	if n == nil || marks == nil {
		return false
	}
	element := loss[:strings.LastIndexByte(loss, ']')+1]
	return slices.Contains(marksIn(string(t.middle.at(element).render(nil)), nil), marks[len(marks)-1])
}

// topic groups the settings that say the same in different dialects; "" is none of them.
func topic(path string) string {
	name, rest, _ := strings.Cut(path, ".")
	switch name {
	case "thinking", "reasoning_effort", "reasoning":
		return "thinking"
	case "output_config":
		if strings.HasPrefix(rest, "effort") {
			return "thinking"
		}
		return "format"
	case "response_format":
		return "format"
	case "text":
		if strings.HasPrefix(rest, "verbosity") {
			return "verbosity"
		}
		return "format"
	case "tool_choice", "parallel_tool_calls":
		return "choice"
	case "stop", "stop_sequences":
		return "stop"
	case "max_tokens", "max_completion_tokens", "max_output_tokens":
		return "limit"
	case "logprobs", "top_logprobs", "include":
		return "logprobs"
	case "stop_reason", "stop_sequence", "status", "incomplete_details":
		return "ending"
	case "temperature", "top_p", "top_k", "service_tier", "verbosity", "stream_options":
		return name
	}
	return ""
}

// compare finds a fact at the end; "" is as it should be.
func (t *trip) compare(f *fact) string {
	if t.sameMeaning(f) {
		return ""
	}
	if len(f.marks) == 0 {
		return fmt.Sprintf("%q is missing, and not reported", f.value)
	}
	i, ok := t.byMark[f.marks[0]+f.key]
	if !ok {
		if i, ok = t.byMark[f.marks[0]]; ok {
			if got := t.found[i]; pattern(got.key) == pattern(f.key) && (got.value == f.value || f.text && strings.Contains(got.value, f.value)) {
				return "" // of an element that is known by something else now
			}
			return fmt.Sprintf("became %s, and was not reported", pattern(t.found[i].key))
		}
		return "is missing, and not reported"
	}
	got := t.found[i].value
	if got == f.value || f.text && strings.Contains(got, f.value) {
		return ""
	}
	return "changed its value, which was not reported"
}

// sameMeaning finds a fact in other words that mean the same, or that what it asks for is what is done anyway.
func (t *trip) sameMeaning(f *fact) bool {
	if t.byKey[f.key+"="+f.value] {
		return true
	}
	switch f.key[strings.LastIndexByte(f.key, '.')+1:] + "=" + f.value {
	case "is_error=false", "strict=false", "detail=auto", "disable_parallel_tool_use=false", "parallel_tool_calls=true",
		"effort=none", "reasoning_effort=none":
		return true
	case "parallel_tool_calls=false":
		if t.end.get("tool_choice").str() == "none" {
			return true
		}
	}
	switch topic(f.path) {
	case "thinking": // efforts and budgets stand for each other
		return slices.ContainsFunc(t.found, func(other fact) bool { return topic(other.path) == "thinking" })
	case "choice": // of nothing
		return t.end.get("tools") == nil
	}
	if t.answer && t.sameAnswer(f) {
		return true
	}
	if strings.Contains(f.key, "reasoning_details[text].") && len(t.there)+len(t.back) > 0 {
		return strings.HasSuffix(f.key, ".format") || strings.HasSuffix(f.key, ".index") // of an entry whose data was lost
	}
	if t.from.letter == "R" && (strings.HasPrefix(f.key, "input[") || strings.HasPrefix(f.key, "output[")) && strings.Count(f.key, ".") == 1 &&
		(strings.HasSuffix(f.key, ".id") || strings.HasSuffix(f.key, ".type") || strings.HasSuffix(f.key, ".status")) {
		return f.value != "reasoning" // labels of items, which only their maker knows
	}
	switch f.key {
	case "response_format.json_schema.name", "text.format.name", "response_format.json_schema.strict", "text.format.strict":
		return t.via.letter == "A" // where each schema is enforced, and none has a name
	}
	switch f.key + "=" + f.value {
	case "include[]=reasoning.encrypted_content":
		return true
	case "n=1", "top_p=1", "top_p=1.0", "temperature=1", "temperature=1.0", "presence_penalty=0", "frequency_penalty=0",
		"logprobs=false", "verbosity=medium", "text.verbosity=medium", "truncation=disabled", "store=false":
		return true
	}
	return false
}

// sameAnswer tells members of an answer that are labels, or repeat a request that was not there.
func (t *trip) sameAnswer(f *fact) bool {
	if t.streamed && (strings.HasSuffix(f.key, "service_tier") || strings.Contains(f.key, "logprobs") || strings.Contains(f.key, "reasoning_details[text]")) {
		return true // the events made here tell no tier and no probabilities, and fragments have no labels
	}
	switch name, _, _ := strings.Cut(f.key, "."); name {
	case "id", "created", "created_at", "store", "background", "top_logprobs", "object":
		return true
	}
	if topic(f.path) == "ending" || strings.HasSuffix(f.key, ".finish_reason") { // a refusal is told by the reason, too
		return strings.Contains(string(t.start.render(nil)), `"refusal":"`)
	}
	return false
}

// additions tells what is at the end that nobody has said.
func (t *trip) additions(said map[string]bool) {
	for _, f := range t.found {
		about := topic(f.path)
		if said[f.key+"="+f.value] || t.excused[f.key] || f.text || len(f.marks) > 0 || about != "" && t.excused[about] {
			continue
		}
		if about == "limit" || about == "thinking" || t.ofLost(f.key) || hashes.MatchString(f.value) || t.needed(&f) {
			continue
		}
		t.problemf("%s→%s→%s: %s=%s: nobody has said it", t.from.letter, t.via.letter, t.from.letter, pattern(f.key), hashes.ReplaceAllString(f.value, "#"))
	}
}

// needed tells what a dialect wants to be said, or what another dialect's silence means in it.
func (t *trip) needed(f *fact) bool {
	name := f.key[strings.LastIndexByte(f.key, '.')+1:]
	if t.answer && (t.sameAnswer(f) || name == "status") {
		return true
	}
	switch name + "=" + f.value {
	case "title=document.pdf", "logprobs=true", "type=function", "arguments={}":
		return true
	case `parameters={"type":"object"}`, `parameters={"type":"object","properties":{}}`, "strict=false", "store=false",
		"name=answer", "name=output", "tool_choice=auto", "include[]=reasoning.encrypted_content", "type=message",
		"include[]=message.output_text.logprobs":
		return true
	}
	return strings.Contains(f.key, "reasoning_details[")
}

// hashes end ids that were made to fit.
var hashes = regexp.MustCompile(`[0-9a-f]{24}`)
