package nearest_test

import (
	"testing"

	"go.uber.org/goleak"

	"github.com/ccproxy-go/ccproxy/internal/nearest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestHint(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name, asked string
		candidates  []string
		want        string
	}{
		{"one letter off", "caude", []string{"codex", "claude"}, ` (did you mean "claude"?)`},
		{"letters swapped", "enalbed", []string{"enabled", "enables"}, ` (did you mean "enabled"?)`},
		{"upper case", "API_KEY", []string{"api_key"}, ` (did you mean "api_key"?)`},
		{"a word too much", "base_url_x", []string{"base_url"}, ` (did you mean "base_url"?)`},
		{"the first of equals", "ab", []string{"aa", "bb"}, ` (did you mean "aa"?)`},
		{"nothing close", "zzzzzz", []string{"claude"}, ""},
		{"nothing like a short one", "x", []string{"claude"}, ""},
		{"no candidates", "claude", nil, ""},
		{"empty name", "", []string{"claude"}, ""},
		{"text is quoted", "a\nb", []string{"a\nc"}, ` (did you mean "a\nc"?)`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			if got := nearest.Hint(tt.asked, tt.candidates); got != tt.want {
				t.Errorf("Hint(%q, %q) = %q, want %q", tt.asked, tt.candidates, got, tt.want)
			}
		})
	}
}
