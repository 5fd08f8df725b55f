package hooks_test

import (
	"encoding/json"
	"math"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/ccproxy-go/ccproxy/hooks"
)

func TestPreparedRequestResult(t *testing.T) {
	t.Parallel()
	const original = `{"b":1, "a":"<x>"}`
	tests := []struct {
		name    string
		change  func(r *hooks.PreparedRequest)
		want    string
		changed bool
		fails   bool
	}{
		{"untouched", func(*hooks.PreparedRequest) {}, original, false, false},
		{"only read", func(r *hooks.PreparedRequest) { _, _ = r.Body() }, original, false, false},
		{"read in place only", func(r *hooks.PreparedRequest) {
			v, _ := r.Body()
			v.(map[string]any)["a"] = "changed"
		}, original, false, false},
		{"body", func(r *hooks.PreparedRequest) {
			r.SetBody(map[string]any{"a": "<&>"})
		}, `{"a":"<&>"}`, true, false},
		{"raw", func(r *hooks.PreparedRequest) { r.SetRawBody([]byte("not json")) }, "not json", true, false},
		{"raw beats body", func(r *hooks.PreparedRequest) {
			r.SetRawBody([]byte("raw"))
			r.SetBody(map[string]any{})
		}, "raw", true, false},
		{"raw, the same bytes", func(r *hooks.PreparedRequest) {
			r.SetRawBody([]byte(original))
		}, original, false, false},
		{"not JSON", func(r *hooks.PreparedRequest) { r.SetBody(math.NaN()) }, "", false, true},
		{"not JSON but raw", func(r *hooks.PreparedRequest) {
			r.SetBody(make(chan int))
			r.SetRawBody([]byte("raw"))
		}, "raw", true, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			r := hooks.NewPreparedRequest([]byte(original))
			tt.change(r)
			got, changed, err := r.Result()
			if (err != nil) != tt.fails || string(got) != tt.want || changed != tt.changed {
				t.Errorf("Result = %q, %v, %v; want %q, %v, error %v", got, changed, err, tt.want, tt.changed, tt.fails)
			}
		})
	}
}

func TestPreparedRequestBody(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name, in string
		want     any
		fails    bool
	}{
		{
			"object", `{"seed":9007199254740993,"n":1.0}`,
			map[string]any{"seed": json.Number("9007199254740993"), "n": json.Number("1.0")},
			false,
		},
		{"list", `[1]`, []any{json.Number("1")}, false},
		{"space around", " {} \n", map[string]any{}, false},
		{"nothing", "", nil, true},
		{"text", "hello", nil, true},
		{"two values", "{} {}", nil, true},
		{"cut off", `{"a":`, nil, true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			r := hooks.NewPreparedRequest([]byte(tt.in))
			for range 2 { // the second answer comes from memory
				got, err := r.Body()
				if (err != nil) != tt.fails {
					t.Fatalf("error = %v, want one: %v", err, tt.fails)
				}
				if diff := cmp.Diff(tt.want, got); diff != "" {
					t.Errorf("Body (-want +got):\n%s", diff)
				}
			}
		})
	}
}

func TestPreparedRequestBodyFollowsTheSetters(t *testing.T) {
	t.Parallel()
	r := hooks.NewPreparedRequest([]byte(`{"v":"original"}`))
	_, _ = r.Body()
	r.SetBody("set")
	if got, err := r.Body(); got != "set" || err != nil {
		t.Errorf("after SetBody: %v, %v", got, err)
	}
	r.SetRawBody([]byte(`"raw"`))
	if got, err := r.Body(); got != "raw" || err != nil {
		t.Errorf("after SetRawBody: %v, %v", got, err)
	}
	if got := string(r.OriginalBody()); got != `{"v":"original"}` {
		t.Errorf("OriginalBody = %s", got)
	}
}

func TestPreparedRequestSharesNoBytes(t *testing.T) {
	t.Parallel()
	r := hooks.NewPreparedRequest([]byte("body"))
	r.OriginalBody()[0] = 'X'
	r.RawBody()[0] = 'X'
	if got, changed, _ := r.Result(); string(got) != "body" || changed {
		t.Errorf("Result = %q, %v after writing to copies", got, changed)
	}
	mine := []byte("mine")
	r.SetRawBody(mine)
	mine[0] = 'X'
	if got, _, _ := r.Result(); string(got) != "mine" {
		t.Errorf("Result = %q after the caller reused its slice", got)
	}
}
