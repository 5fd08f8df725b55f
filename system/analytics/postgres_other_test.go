//go:build !unix

package analytics_test

import (
	"testing"

	"github.com/ccproxy-go/ccproxy/system/analytics"
)

func openPostgres(t *testing.T) analytics.Store {
	t.Helper()
	t.Skip("PostgreSQL is started on Unix only")
	return nil
}
