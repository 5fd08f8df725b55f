package wildcard_test

import (
	"testing"

	"go.uber.org/goleak"

	"github.com/ccproxy-go/ccproxy/internal/wildcard"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestMatch(t *testing.T) {
	t.Parallel()
	tests := []struct {
		pattern, name string
		want          bool
	}{
		{"", "", true},
		{"", "a", false},
		{"a", "a", true},
		{"a", "ab", false},
		{"*", "", true},
		{"*", "a/b", true},
		{"claude-*", "claude-opus", true},
		{"claude-*", "gpt", false},
		{"*-mini", "gpt-5-mini", true},
		{"*-mini", "gpt-5-mini-2", false},
		{"a*b", "ab", true},
		{"ab*b", "ab", false},
		{"a*b*c", "a1b2c", true},
		{"a*b*c", "acb", false},
		{"**", "x", true},
		{"a[1m]*", "a[1m]x", true},
		{"a?", "ab", false},
	}
	for _, tt := range tests {
		if got := wildcard.Match(tt.pattern, tt.name); got != tt.want {
			t.Errorf("Match(%q, %q) = %t, want %t", tt.pattern, tt.name, got, tt.want)
		}
	}
}
