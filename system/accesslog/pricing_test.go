package accesslog_test

import (
	"bytes"
	"context"
	"errors"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"github.com/ccproxy-go/ccproxy"
	"github.com/ccproxy-go/ccproxy/hooks"
	"github.com/ccproxy-go/ccproxy/providers/echo"
	"github.com/ccproxy-go/ccproxy/system/accesslog"
)

// list has a price for one model.
type list struct{}

func (list) Cost(u *hooks.Usage, models ...string) (int64, error) {
	if slices.Contains(models, "echo-1") {
		return 1_000_001*u.InputTokens + 2_000_000*u.OutputTokens, nil
	}
	return 0, errors.New("no price")
}

func (list) Initialize(_ context.Context, pc *ccproxy.PluginContext) error {
	return pc.Provide("pricing", list{})
}

func (list) Shutdown(context.Context) error { return nil }

// TestCost holds that a line has the exact cost of a model with a price, and none for another.
func TestCost(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	var reg ccproxy.Registry
	err := reg.Register(accesslog.Factory(), echo.Factory(), ccproxy.NewFactory(
		ccproxy.Manifest{Name: "prices", Provides: []string{"pricing"}}, func() ccproxy.Plugin { return list{} }))
	if err != nil {
		t.Fatal(err)
	}
	proxy, err := reg.Build(ccproxy.Settings{}, into(&out, accesslog.FormatStructured))
	if err != nil {
		t.Fatal(err)
	}
	if err := proxy.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	for _, body := range []string{message, strings.Replace(message, "echo-1", "echo-2", 1)} {
		proxy.ServeHTTP(httptest.NewRecorder(), request("POST", "/echo/v1/messages", body))
	}
	stop(t, proxy)
	first, second, _ := strings.Cut(out.String(), "\n")
	if !strings.Contains(first, `"cost_usd":0.000009000003`) {
		t.Errorf("line lacks the cost of 3 and 3 tokens: %s", first)
	}
	if strings.Contains(second, "cost_usd") {
		t.Errorf("a model without a price has a cost: %s", second)
	}
}
