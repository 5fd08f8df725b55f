package pricing_test

import (
	"encoding/json"
	"errors"
	"math"
	"testing"

	"github.com/ccproxy-go/ccproxy/system/pricing"
)

func TestParseAmount(t *testing.T) {
	t.Parallel()
	tests := []struct {
		text string
		want pricing.Amount // less than zero: refused
		out  string
	}{
		{"0", 0, "0"},
		{"1", pricing.Dollar, "1"},
		{"12.50", 12*pricing.Dollar + pricing.Dollar/2, "12.5"},
		{".5", pricing.Dollar / 2, "0.5"},
		{"3e-06", 3_000_000, "0.000003"},
		{"1.875e-05", 18_750_000, "0.00001875"},
		{"2E3", 2000 * pricing.Dollar, "2000"},
		{"0.000000000001", 1, "0.000000000001"},
		{"0.0000000000005", 1, "0.000000000001"}, // a half is rounded up
		{"0.0000000000004999", 0, "0"},
		{"1e-30", 0, "0"},
		{"9223372.036854775807", math.MaxInt64, "9223372.036854775807"},
		{"9223372.036854775808", -1, ""},
		{"9223372.0368547758079", -1, ""},
		{"", -1, ""},
		{".", -1, ""},
		{"-1", -1, ""},
		{"+1", -1, ""},
		{"1,5", -1, ""},
		{"1.2.3", -1, ""},
		{"1e", -1, ""},
		{"1e999999999", -1, ""},
		{"0x10", -1, ""},
		{"NaN", -1, ""},
		{"00000000000000000000000000000000000000001", -1, ""},
	}
	for _, tt := range tests {
		got, err := pricing.ParseAmount(tt.text)
		if tt.want < 0 {
			if !errors.Is(err, pricing.ErrAmount) {
				t.Errorf("ParseAmount(%q) = %v, %v, want ErrAmount", tt.text, got, err)
			}
			continue
		}
		if got != tt.want || err != nil || got.String() != tt.out {
			t.Errorf("ParseAmount(%q) = %d (%s), %v, want %d (%s)", tt.text, got, got, err, tt.want, tt.out)
		}
	}
}

func FuzzAmount(f *testing.F) {
	for _, s := range []string{"1", "0.25", "1e-6", "9223372.036854775807"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		a, err := pricing.ParseAmount(s)
		if err != nil {
			return
		}
		text, err := json.Marshal(a)
		if err != nil {
			t.Fatal(err)
		}
		var back pricing.Amount
		if err := json.Unmarshal(text, &back); err != nil || back != a {
			t.Errorf("%q is %d, written as %s, read back as %d: %v", s, a, text, back, err)
		}
	})
}
