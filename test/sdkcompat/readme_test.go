package sdkcompat

import (
	"net/http"
	"testing"

	"github.com/anthropics/anthropic-sdk-go"
	"github.com/anthropics/anthropic-sdk-go/option"

	"github.com/ccproxy-go/ccproxy"
	"github.com/ccproxy-go/ccproxy/providers/echo"
)

// TestClientInTheSameProgram is the README's client that needs no port, with the provider that needs no key.
func TestClientInTheSameProgram(t *testing.T) {
	t.Parallel()
	var reg ccproxy.Registry
	if err := reg.Register(echo.Factory()); err != nil {
		t.Fatal(err)
	}
	proxy, err := reg.Build(ccproxy.Settings{})
	if err != nil {
		t.Fatal(err)
	}
	if err := proxy.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	defer proxy.Shutdown(t.Context())

	client := anthropic.NewClient(
		option.WithBaseURL("http://proxy/echo"),
		option.WithHTTPClient(&http.Client{Transport: proxy.Transport()}),
		option.WithAPIKey("none"), // the SDK wants one, the proxy asks for none here
	)
	answer, err := client.Messages.New(t.Context(), anthropic.MessageNewParams{
		Model: "echo-1", MaxTokens: 16,
		Messages: []anthropic.MessageParam{anthropic.NewUserMessage(anthropic.NewTextBlock("hello"))},
	})
	if err != nil || len(answer.Content) == 0 || answer.Content[0].Text != "hello" {
		t.Errorf("answer = %+v, %v", answer, err)
	}
}
