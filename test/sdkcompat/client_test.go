package sdkcompat

import (
	"context"
	"net/http"
	"testing"

	"github.com/ccproxy-go/ccproxy"
	"github.com/ccproxy-go/ccproxy/providers/claudeapi"
	"github.com/ccproxy-go/ccproxy/providers/openaicompat"
)

// The clients of the matrix: the SDKs as applications use them over several turns.

// session is a conversation of an application through one SDK. The SDK's own types hold the history: what a turn
// gives back is what the SDK has made of the answers.
type session interface {
	// user adds what the user says; images are PNGs in base64.
	user(text string, images ...string)
	// results adds what tools have answered.
	results(list ...toolResult)
	// ask asks for the next answer, and adds it.
	ask(ctx context.Context, t *testing.T, stream bool) outcome
	// move goes on with another API.
	move(at address)
	// models lists the ids of models.
	models(ctx context.Context) ([]string, error)
}

// outcome is what an application sees of one answer, in words that are the same for all SDKs.
type outcome struct {
	Model, Role   string
	Thought, Text string
	Calls         []functionCall
	End           string // as in said
	Input, Cached int64  // Input includes what was cached
	Output        int64

	Failure *failed
}

// failed is an error as an SDK shows it.
type failed struct {
	Status     int
	Type, Code string // Anthropic has no code
	Message    string
	RetryAfter string
	NoID       bool // there is nothing to quote to an operator
	Late       bool // it came after the status
	Canceled   bool
	Other      string // it is no error of the API
}

// wish is what all turns of a conversation ask for.
type wish struct {
	System string
	Tools  bool
	Choice string // "required", or a tool's name
	Schema bool
	Think  bool
}

// sdk is a client of the matrix.
type sdk struct {
	dialect string // that it speaks
	open    func(t *testing.T, at address, w wish) session
}

func sdks() []sdk {
	return []sdk{
		{"anthropic", openAnthropic},
		{"chat", openChat},
		{"responses", openResponses},
	}
}

// address is where a client finds an API.
type address struct {
	root   string // without the version
	client *http.Client
	key    string
}

// direct is the upstream itself.
func (f *fake) direct() address {
	return address{root: "https://upstream.test/", client: f.Client(), key: "the upstream's"}
}

// proxied is a proxy in front of the upstream.
func (f *fake) proxied(t *testing.T) address {
	t.Helper()
	var reg ccproxy.Registry
	var option ccproxy.Option
	factory, name := openaicompat.Factory(), "up"
	switch f.dialect.name {
	case "anthropic":
		factory, name = claudeapi.Factory(), "claude"
		cfg := claudeapi.DefaultConfig()
		cfg.APIKey = ccproxy.NewSecret("the upstream's")
		option = ccproxy.WithPluginConfig(claudeapi.Name, *cfg)
	default:
		format := map[string]string{"chat": "openai.chat_completions", "responses": "openai.responses"}[f.dialect.name]
		option = ccproxy.WithPluginConfig(openaicompat.Name, openaicompat.Config{
			Instances: map[string]openaicompat.Instance{name: {
				BaseURL: "https://upstream.test/v1", APIKey: ccproxy.NewSecret("the upstream's"), Formats: []string{format},
			}},
		})
	}
	if err := reg.Register(factory); err != nil {
		t.Fatal(err)
	}
	proxy, err := reg.Build(ccproxy.Settings{}, ccproxy.WithTransport(f.Transport()), option)
	if err != nil {
		t.Fatal(err)
	}
	if err := proxy.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := proxy.Shutdown(context.Background()); err != nil {
			t.Error(err)
		}
	})
	return address{
		root: "http://proxy.test/" + name + "/", client: &http.Client{Transport: proxy.Transport()}, key: "the client's",
	}
}

const (
	toolName        = "weather"
	toolDescription = "Tells the weather."
	maxTokens       = 8192
)

// answerSchema is the form that an answer must have.
func answerSchema() map[string]any {
	return map[string]any{
		"type":       "object",
		"properties": map[string]any{"city": map[string]any{"type": "string"}},
		"required":   []any{"city"}, "additionalProperties": false,
	}
}

// ending finds the word for how an answer ended.
func ending(words map[string]string, end string) string {
	if word := words[end]; word != "" {
		return word
	}
	return "unknown: " + end
}
