package rawjson_test

import (
	"math"
	"testing"

	"github.com/ccproxy-go/ccproxy/internal/rawjson"
)

func TestWhole(t *testing.T) {
	t.Parallel()
	for raw, want := range map[string]int64{
		"0": 0, "-7": -7, "64000\n": 64000, "64000.0": 64000, "6.4e4": 64000, "-1E2": -100, "1e400": math.MaxInt64,
		"-1e30": math.MinInt64, "9223372036854775807": math.MaxInt64, "9223372036854775808": math.MaxInt64,
	} {
		if n, ok := rawjson.Whole([]byte(raw)); !ok || n != want {
			t.Errorf("%s: %d, %v, want %d", raw, n, ok, want)
		}
	}
	for _, raw := range []string{"", "1.5", "5e-1", `"5"`, "null", "true", "[1]", "1 2", "0x10", "Inf", "-"} {
		if n, ok := rawjson.Whole([]byte(raw)); ok {
			t.Errorf("%s: %d", raw, n)
		}
	}
}
