package sdkcompat

import (
	"net/http"
	"testing"

	"github.com/anthropics/anthropic-sdk-go"
	"github.com/anthropics/anthropic-sdk-go/option"

	"github.com/ccproxy-go/ccproxy/providers/providertest"
)

// target is one way for the SDK to reach an upstream.
type target struct {
	name    string
	baseURL string
	client  *http.Client
	apiKey  string

	upstream *providertest.Upstream // where the requests end up
}

// opener makes a target in front of an upstream of its own; what it starts ends with t.
type opener func(t *testing.T, upstream *providertest.Upstream) target

// openers is the list of targets. Every scenario runs over each of them and must have the same result.
func openers() []opener {
	return []opener{direct}
}

// direct is the upstream without anything in between.
func direct(_ *testing.T, upstream *providertest.Upstream) target {
	return target{
		name: "direct", baseURL: "https://upstream.test", client: upstream.Client(), apiKey: "key",
		upstream: upstream,
	}
}

func TestMessages(t *testing.T) {
	t.Parallel()
	for _, open := range openers() {
		testMessages(t, open)
	}
}

// sdk returns the SDK's client for tg. It does not retry and reads nothing from the environment,
// unless opts say so.
func (tg target) sdk(opts ...option.RequestOption) anthropic.Client {
	return anthropic.NewClient(append([]option.RequestOption{
		option.WithoutEnvironmentDefaults(),
		option.WithBaseURL(tg.baseURL),
		option.WithHTTPClient(tg.client),
		option.WithAPIKey(tg.apiKey),
		option.WithMaxRetries(0),
	}, opts...)...)
}
