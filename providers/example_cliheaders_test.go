package providers_test

import (
	"context"
	"fmt"
	"maps"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/ccproxy-go/ccproxy"
	"github.com/ccproxy-go/ccproxy/adapters"
	"github.com/ccproxy-go/ccproxy/providers"
	"github.com/ccproxy-go/ccproxy/providers/providertest"
)

// acmeBase is the variable that Acme's program reads its base URL from.
const acmeBase = "ACME_BASE_URL"

// TestAcmeProgram stands for a vendor's program: it sends one request.
func TestAcmeProgram(t *testing.T) { //nolint:paralleltest // it is a process of its own
	base := os.Getenv(acmeBase)
	if base == "" {
		t.Skip("runs as a process of ExampleNewCLIHeaders")
	}
	req, err := http.NewRequest(http.MethodPost, base+"/v1/messages", strings.NewReader(`{}`))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("User-Agent", "acme-cli/1.2.3 (linux)")
	req.Header.Set("Authorization", "Bearer of-the-user")
	resp, err := (&http.Transport{DisableKeepAlives: true}).RoundTrip(req)
	if err != nil {
		t.Fatal(err)
	}
	_ = resp.Body.Close()
}

// acmeInstalled finds Acme's program.
type acmeInstalled struct{}

// Detect implements [ccproxy.CLIDetector].
func (acmeInstalled) Detect(context.Context, string) (ccproxy.CLI, error) {
	path, err := os.Executable() // which is this test
	return ccproxy.CLI{Path: path, Version: "1.2.3"}, err
}

// own are the headers that the program which is installed sends, for clients that are others.
func own(detected *providers.CLIHeaders) providers.Transformer {
	return providers.TransformerFunc(func(_ context.Context, req *providers.Request) error {
		maps.Copy(req.Header, detected.Header())
		return nil
	})
}

// A vendor's program is asked once what it says of itself, in the background. Until then, requests go out without.
func ExampleNewCLIHeaders() {
	program := providers.CLIProgram{
		Name: "acme", Args: []string{"-test.run=^TestAcmeProgram$"},
		Env:     func(baseURL, dir string) []string { return []string{acmeBase + "=" + baseURL, "HOME=" + dir} },
		Headers: []string{"User-Agent", "X-Acme-*", "Authorization"}, // credentials are not taken all the same
	}
	var detected *providers.CLIHeaders
	formats := []adapters.Format{adapters.AnthropicMessages}
	acme := providers.NewFunc(ccproxy.Manifest{Name: "acme"}, formats,
		func(pc *ccproxy.PluginContext) (providers.Upstream, error) {
			detected = providers.NewCLIHeaders(pc, program)
			return providers.Upstream{
				BaseURL: "https://acme.example", Formats: formats, Transformers: []providers.Transformer{own(detected)},
				DefaultHeader: http.Header{"Anthropic-Version": {"2023-06-01"}, "X-Api-Key": {"none"}},
			}, nil
		})
	up := new(providertest.Upstream)
	options := []ccproxy.Option{ccproxy.WithCLIDetector(acmeInstalled{})}
	proxy, stop := running(up, ccproxy.Settings{}, options, acme)
	defer stop()
	began := time.Now()
	for detected.Header() == nil && time.Since(began) < 30*time.Second { // a provider does not wait
		time.Sleep(time.Millisecond)
	}
	fmt.Println(hello(proxy, "/acme/v1/messages").Code)
	sent, _ := up.Last()
	fmt.Println(sent.Header.Get("User-Agent"), sent.Header.Get("Authorization") == "")
	// Output:
	// 200
	// acme-cli/1.2.3 (linux) true
}
