package sdkcompat

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"sync"

	"github.com/ccproxy-go/ccproxy/providers/providertest"
)

// The upstreams of the matrix: three APIs that give the same answers, each in its own dialect, and tell what they were
// asked in terms that are the same for all of them.

// said is one answer of a model.
type said struct {
	Thought, Secret string // Secret is what the upstream wants back with the thought, and nobody else can read
	Text            string
	Calls           []functionCall
	End             string // "end", "tools", "length" or "filter"
	Refusal         string // said in place of a text, by a model that refuses
}

// What every answer counts, in the words of OpenAI: of the input a part was cached.
const inputTokens, cachedTokens, outputTokens = 11, 4, 7

// problem is an error of an API.
type problem struct {
	name       string
	message    string
	anthropic  apiError
	openAI     apiError // as OpenAI itself tells it
	retryAfter string
}

type apiError struct {
	status    int
	typ, code string
}

// asked is what an upstream was asked.
type asked struct {
	Model     string
	Stream    bool
	System    []string
	Turns     []turn
	Tools     []tool
	Choice    string
	Schema    any
	MaxTokens float64
	Thinks    bool // thinking or reasoning was asked for
}

// turn is all that one side says until the other one does. Results of tools are the user's.
type turn struct {
	Role     string
	Texts    []string
	Images   []string // data: URIs
	Calls    []functionCall
	Results  []toolResult
	Thoughts []string
	Secrets  []string
}

type toolResult struct{ ID, Text string }

type tool struct {
	Name, Description string
	Schema            any
}

// turns collects turns; what follows from the same side belongs to the same one.
type turns []turn

func (t *turns) of(role string) *turn {
	if n := len(*t); n == 0 || (*t)[n-1].Role != role {
		*t = append(*t, turn{Role: role})
	}
	return &(*t)[len(*t)-1]
}

// dialect is how an upstream speaks.
type dialect struct {
	name, path string
	models     string
	idHeader   string // of a request, as it is told with errors
	errorBody  func(problem) (status int, body string)
	whole      func(body object, s said) string
	frames     func(body object, s said) []string // of a stream, with everything that ends it
	closing    int                                // how many of the frames come after the last of the content
	errorFrame func(p problem, before int) string // after so many frames
	read       func(body object) asked
}

func dialects() []*dialect {
	return []*dialect{anthropicDialect(), chatDialect(), responsesDialect()}
}

// fake is an upstream of one dialect with a script.
type fake struct {
	providertest.Upstream

	dialect *dialect

	mu     sync.Mutex
	script []step
	heard  []asked
}

// step is one thing that an upstream does: it answers or fails, and in a stream may do so in the middle.
type step struct {
	said
	fails *problem
	late  bool   // fails after the content of a stream has begun
	hold  bool   // never ends
	first bool   // fails in a stream that has not begun
	cut   bool   // ends a stream in the middle of the content
	reset bool   // breaks the connection there
	began func() // called when the answer is as far as it gets, with hold
}

func newFake(d *dialect, script ...step) *fake {
	f := &fake{dialect: d, script: script}
	f.Handler = f.reply
	return f
}

func (f *fake) reply(r providertest.Request) providertest.Reply {
	if r.Method == http.MethodGet {
		return providertest.Raw(http.StatusOK, jsonType(), f.dialect.models)
	}
	var body object
	if err := json.Unmarshal(r.Body, &body); err != nil || r.Path != f.dialect.path {
		return providertest.Raw(http.StatusTeapot, nil, fmt.Sprintf("%s %v", r.Path, err))
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.heard = append(f.heard, f.dialect.read(body))
	if len(f.script) == 0 {
		return providertest.Raw(http.StatusTeapot, nil, "no answer is left")
	}
	next := f.script[0]
	f.script = f.script[1:]
	return f.dialect.perform(body, next)
}

// perform answers as a step says.
func (d *dialect) perform(body object, s step) providertest.Reply {
	streams := body["stream"] == true
	switch {
	case s.hold && !streams:
		return stream(nil, s)
	case s.fails != nil && !s.late && !s.first:
		status, text := d.errorBody(*s.fails)
		h := jsonType()
		h.Set(d.idHeader, "req_fake")
		if s.fails.retryAfter != "" {
			h.Set("Retry-After", s.fails.retryAfter)
		}
		return providertest.Raw(status, h, text)
	case !streams:
		return providertest.Raw(http.StatusOK, jsonType(), d.whole(body, s.said))
	}
	frames := d.frames(body, s.said)
	if s.hold || s.late || s.cut || s.reset {
		frames = frames[:len(frames)-d.closing]
	}
	if s.first {
		frames = nil
	}
	if s.late || s.first {
		frames = append(frames, d.errorFrame(*s.fails, len(frames)))
	}
	return stream(frames, s)
}

// stream sends frames one by one. One that is held does not end before the client leaves; without any frame nothing
// is sent, not even a header.
func stream(frames []string, s step) providertest.Reply {
	return func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/event-stream")
		for _, frame := range frames {
			if _, err := w.Write([]byte(frame)); err != nil {
				return
			}
			_ = http.NewResponseController(w).Flush()
		}
		if s.reset {
			panic(http.ErrAbortHandler)
		}
		if s.hold {
			s.began()
			<-r.Context().Done()
		}
	}
}

// questions are what the upstream has been asked so far.
func (f *fake) questions() []asked {
	f.mu.Lock()
	defer f.mu.Unlock()
	return append([]asked(nil), f.heard...)
}

func jsonType() http.Header { return http.Header{"Content-Type": {"application/json"}} }

// object is a JSON object; its methods give the zero value for what is not there or of another type.
type object map[string]any

func (o object) text(name string) string {
	s, _ := o[name].(string)
	return s
}

func (o object) object(name string) object {
	m, _ := o[name].(map[string]any)
	return m
}

func (o object) list(name string) []object {
	items, _ := o[name].([]any)
	var out []object
	for _, item := range items {
		m, _ := item.(map[string]any)
		out = append(out, m)
	}
	return out
}

// words are the texts of a content, which is a string or a list of parts.
func (o object) words(name string) []string {
	if s, ok := o[name].(string); ok {
		return []string{s}
	}
	var out []string
	for _, part := range o.list(name) {
		if s, ok := part["text"].(string); ok {
			out = append(out, s)
		}
	}
	return out
}

// quote is a string in JSON.
func quote(s string) string {
	b, _ := json.Marshal(s) // strings always marshal
	return string(b)
}

// compact is a JSON text without spaces, as a call's arguments are compared.
func compact(v any) string {
	b, _ := json.Marshal(v)
	return string(b)
}

// pieces cuts a text as models tell it.
func pieces(s string) []string { return strings.SplitAfter(s, " ") }

// halves cuts arguments in two.
func halves(s string) []string { return []string{s[:len(s)/2], s[len(s)/2:]} }
