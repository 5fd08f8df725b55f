package errorcode

import "testing"

func TestStatus(t *testing.T) {
	t.Parallel()
	for raw, want := range map[string]int{
		`400`: 400, `429`: 429, `"429"`: 429, `599`: 599, `600`: 0, `399`: 0, `null`: 0, `"rate_limit_exceeded"`: 0,
		`-429`: 0, `429.5`: 0, ``: 0, `{"code":429}`: 0,
	} {
		if got := Status([]byte(raw)); got != want {
			t.Errorf("Status(%s) = %d, want %d", raw, got, want)
		}
	}
}
