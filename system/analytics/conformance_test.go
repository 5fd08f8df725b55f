package analytics_test

import (
	"testing"

	"github.com/ccproxy-go/ccproxy/plugintest"
	"github.com/ccproxy-go/ccproxy/system/analytics"
)

//nolint:paralleltest // the suite counts goroutines
func TestConformance(t *testing.T) {
	plugintest.TestFactory(t, analytics.Factory(), plugintest.Table(map[string]any{"reset_enabled": true}))
}
