package hooks_test

import (
	"context"
	"net/http"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/ccproxy-go/ccproxy/hooks"
)

// TestReadOnlyMutatorsShareAHeader lets mutators that keep the headers they were given run beside one that writes into
// its own, and one that sets another. What a header looked like when it was given must stay so.
func TestReadOnlyMutatorsShareAHeader(t *testing.T) {
	t.Parallel()
	var reg hooks.Registry
	kept := map[string]http.Header{}
	look := func(name string, readOnly bool, then func(r *hooks.PreparedRequest)) {
		register(t, &reg, hooks.Mutate(name, func(_ context.Context, r *hooks.PreparedRequest) error {
			kept[name] = r.Header
			then(r)
			return nil
		}), hooks.Options{ReadOnly: readOnly})
	}
	nothing := func(*hooks.PreparedRequest) {}
	look("first", true, nothing)
	look("unmoved", false, nothing)
	look("second", true, func(r *hooks.PreparedRequest) { r.SetRawBody([]byte("{}")) })
	look("writer", false, func(r *hooks.PreparedRequest) { r.Header.Add("Marks", "1") })
	look("third", true, nothing)
	look("other", true, func(r *hooks.PreparedRequest) { r.Header = http.Header{"Marks": {"2"}} })
	look("last", true, nothing)
	r := newRequest()
	if err := reg.Prepare(t.Context(), r); err != nil {
		t.Fatal(err)
	}
	if body, _, err := r.Result(); string(body) != "{}" || err != nil {
		t.Errorf("body %s, %v: a ReadOnly mutator may set it", body, err)
	}
	if diff := cmp.Diff(http.Header{"Marks": {"2"}}, r.Header); diff != "" {
		t.Errorf("header (-want +got):\n%s", diff)
	}
	r.Header.Set("Authorization", "a credential that no hook may see")
	want := map[string]http.Header{
		"first": {"Marks": {"0"}}, "unmoved": {"Marks": {"0"}}, "second": {"Marks": {"0"}},
		"writer": {"Marks": {"0", "1"}}, "third": {"Marks": {"0", "1"}}, "other": {"Marks": {"0", "1"}},
		"last": {"Marks": {"2"}},
	}
	if diff := cmp.Diff(want, kept); diff != "" {
		t.Errorf("headers that were kept (-want +got):\n%s", diff)
	}
	kept["first"]["Seen"] = nil
	if _, ok := kept["second"]["Seen"]; !ok {
		t.Error("two who only read were given two copies")
	}
	r.Header = http.Header{"Marks": {"9"}}
	if err := reg.Prepare(t.Context(), r); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(http.Header{"Marks": {"9"}}, kept["first"]); diff != "" {
		t.Errorf("asked again (-want +got):\n%s", diff)
	}
}

// TestReadOnlyMutatorOfNoHeader has the header that is not there be one to the mutator, and stay away.
func TestReadOnlyMutatorOfNoHeader(t *testing.T) {
	t.Parallel()
	var reg hooks.Registry
	var given http.Header
	register(t, &reg, hooks.Mutate("reader", func(_ context.Context, r *hooks.PreparedRequest) error {
		given = r.Header
		return nil
	}), hooks.Options{ReadOnly: true})
	r := hooks.NewPreparedRequest([]byte("{}"))
	if err := reg.Prepare(t.Context(), r); err != nil {
		t.Fatal(err)
	}
	if given == nil || len(r.Header) > 0 {
		t.Errorf("given %v, left %v", given, r.Header)
	}
}
