package metrics_test

import (
	"encoding/json"
	"os/exec"
	"regexp"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ccproxy-go/ccproxy/providers/echo"
	"github.com/ccproxy-go/ccproxy/system/metrics"
)

func wait(t *testing.T, seconds int) {
	t.Helper()
	time.Sleep(time.Duration(seconds) * time.Second) // of the bubble
	synctest.Wait()
}

// The dashboard and the rules ask for metrics that there are.
func TestFilesNameMetrics(t *testing.T) {
	t.Parallel()
	if !json.Valid(metrics.Dashboard()) {
		t.Error("the dashboard is no JSON")
	}
	synctest.Test(t, func(t *testing.T) {
		proxy := start(t, nil, nil, echo.Factory())
		w := ask(t, proxy, "GET", "/metrics", "")
		// Those that have no value yet are known from the source.
		known := w.Body.String() + strings.Join([]string{
			"ccproxy_requests_total", "ccproxy_errors_total", "ccproxy_tokens_total", "ccproxy_cost_usd_total",
			"ccproxy_unpriced_requests_total", "ccproxy_retries_total", "ccproxy_failovers_total",
			"ccproxy_upstream_errors_total", "ccproxy_oauth_refreshes_total", "ccproxy_response_duration_seconds",
			"ccproxy_time_to_first_token_seconds", "ccproxy_inter_token_gap_seconds", "ccproxy_breaker_state",
		}, " ")
		for _, file := range [][]byte{metrics.Dashboard(), metrics.Alerts()} {
			names := regexp.MustCompile(`ccproxy_[a-z_]+`).FindAllString(string(file), -1)
			if len(names) < 5 {
				t.Errorf("the file names %v", names)
			}
			for _, name := range names {
				if !strings.Contains(known, strings.TrimSuffix(name, "_bucket")) {
					t.Errorf("there is no metric %s", name)
				}
			}
		}
	})
}

// The rules fire when they should, and not else, as Prometheus itself sees it.
func TestAlerts(t *testing.T) {
	t.Parallel()
	tool, err := exec.LookPath("promtool")
	if err != nil {
		t.Skip("promtool, which comes with Prometheus, is not installed: nobody else can tell when rules fire")
	}
	out, err := exec.CommandContext(t.Context(), tool, "test", "rules", "testdata/alerts_test.yaml").CombinedOutput()
	if err != nil {
		t.Errorf("%v\n%s", err, out)
	}
}
