package accesslog_test

import (
	"path/filepath"
	"testing"

	"github.com/ccproxy-go/ccproxy/plugintest"
	"github.com/ccproxy-go/ccproxy/system/accesslog"
)

func TestConformance(t *testing.T) { //nolint:paralleltest // the suite counts goroutines
	plugintest.TestFactory(t, accesslog.Factory())
}

func TestConformanceWithFile(t *testing.T) { //nolint:paralleltest // the suite counts goroutines
	path := filepath.Join(t.TempDir(), "access.log")
	plugintest.TestFactory(t, accesslog.Factory(), plugintest.Table(map[string]any{"client_log_file": path}))
}
