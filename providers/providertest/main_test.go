package providertest_test

import (
	"context"
	"io"
	"net/http"
	"strings"
	"testing"

	"go.uber.org/goleak"

	"github.com/ccproxy-go/ccproxy/providers/providertest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// newUpstream returns an upstream that is closed at the end of the test.
func newUpstream(t *testing.T) *providertest.Upstream {
	t.Helper()
	up := new(providertest.Upstream)
	t.Cleanup(func() {
		if err := up.Close(); err != nil {
			t.Errorf("Close: %v", err)
		}
	})
	return up
}

// newRequest is a request with all that the service demands.
func newRequest(ctx context.Context, t *testing.T, method, target, body string) *http.Request {
	t.Helper()
	req, err := http.NewRequestWithContext(ctx, method, "http://upstream"+target, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("X-Api-Key", "key")
	req.Header.Set("Anthropic-Version", "2023-06-01")
	return req
}

// do sends req and reads the answer to its end; a broken body is no failure of the test.
func do(t *testing.T, up *providertest.Upstream, req *http.Request) (*http.Response, string, error) {
	t.Helper()
	res, err := up.Client().Do(req)
	if err != nil {
		return nil, "", err
	}
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	return res, string(b), err
}
