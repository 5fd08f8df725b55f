package hooks_test

import (
	"context"
	"encoding/json"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/ccproxy-go/ccproxy/hooks"
)

func TestMember(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name, body string
		change     func(r *hooks.PreparedRequest)
		want       string // of the member "n", "" for none
		sent       string
	}{
		{"there", `{"m":"x", "n" : 7}`, nil, "7", `{"m":"x", "n" : 7}`},
		{"not there", `{"m":{"n":7}}`, nil, "", `{"m":{"n":7}}`},
		{"no object", `[{"n":7}]`, nil, "", `[{"n":7}]`},
		{"twice", `{"n":7,"n":8}`, nil, "", `{"n":7,"n":8}`},
		{"no JSON", `{"n":7`, nil, "", `{"n":7`},
		{"replaced", `{"n": 7, "m":1.0}`, set("n", "8"), "8", `{"n": 8, "m":1.0}`},
		{"added", `{"m":1.0}`, set("n", "8"), "8", `{"n":8,"m":1.0}`},
		{"by no JSON", `{"n":7}`, set("n", "8,"), "7", `{"n":7}`},
		{"of no object", `[]`, set("n", "8"), "", `[]`},
		{"after another body", `{"n":7}`, func(r *hooks.PreparedRequest) {
			r.Member("n")
			r.SetRawBody([]byte(`{"n":9}`))
		}, "9", `{"n":9}`},
		{"beats SetBody", `{"n":7}`, func(r *hooks.PreparedRequest) {
			r.SetBody(map[string]any{"n": 1})
			r.SetMember("n", json.RawMessage("8"))
		}, "8", `{"n":8}`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			r := hooks.NewPreparedRequest([]byte(tt.body))
			if tt.change != nil {
				tt.change(r)
			}
			value, ok := r.Member("n")
			sent, _, err := r.Result()
			if string(value) != tt.want || ok != (tt.want != "") || string(sent) != tt.sent || err != nil {
				t.Errorf("member %s, %t; sent %s, %v", value, ok, sent, err)
			}
			if r.BodyBytes() != len(r.RawBody()) {
				t.Errorf("BodyBytes() = %d for %s", r.BodyBytes(), r.RawBody())
			}
			for i := range value {
				value[i] = '!' // it is the caller's
			}
			if again, _, _ := r.Result(); string(again) != tt.sent {
				t.Errorf("writing to the member has changed the body: %s", again)
			}
		})
	}
}

func set(key, value string) func(r *hooks.PreparedRequest) {
	return func(r *hooks.PreparedRequest) { r.SetMember(key, json.RawMessage(value)) }
}

// TestMembersBetweenMutators holds that each mutator sees the members as those before have left them.
func TestMembersBetweenMutators(t *testing.T) {
	t.Parallel()
	var reg hooks.Registry
	var seen []string
	look := func(name string, change func(r *hooks.PreparedRequest)) hooks.Hook {
		return hooks.Mutate(name, func(_ context.Context, r *hooks.PreparedRequest) error {
			value, _ := r.Member("n")
			seen = append(seen, string(value))
			change(r)
			return nil
		})
	}
	for i, change := range []func(*hooks.PreparedRequest){
		func(*hooks.PreparedRequest) {}, set("n", "2"), func(*hooks.PreparedRequest) {},
		func(r *hooks.PreparedRequest) { r.SetBody(map[string]any{"n": 3}) }, set("n", "4"), func(*hooks.PreparedRequest) {},
	} {
		register(t, &reg, look(strconv.Itoa(i), change), hooks.Options{Priority: i + 1})
	}
	r := hooks.NewPreparedRequest([]byte(`{"n":1}`))
	if err := reg.Prepare(t.Context(), r); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff("1 1 2 2 3 4", strings.Join(seen, " ")); diff != "" {
		t.Errorf("seen (-want +got):\n%s", diff)
	}
}
