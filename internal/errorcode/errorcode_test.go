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

func TestNamed(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]int{
		"invalid_request_error": 400, "invalid_api_key": 401, "billing_error": 402, "permission_error": 403,
		"model_not_found": 404, "request_too_large": 413, "insufficient_quota": 429, "server_error": 500, "slow_down": 503,
		"timeout_error": 504, "overloaded_error": Overloaded, "": 0, "Rate_Limit_Error": 0, "429": 0,
	} {
		if got := Named(name); got != want {
			t.Errorf("Named(%q) = %d, want %d", name, got, want)
		}
	}
}
