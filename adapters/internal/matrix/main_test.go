// Package matrix holds golden conversions between the dialects, one case a file, written by hand from the vendors'
// references: for each feature, direction and kind there is a case, or a reason why there can be none.
package matrix

import (
	"testing"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }
