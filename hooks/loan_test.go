package hooks_test

import (
	"bytes"
	"context"
	"sync"
	"testing"

	"github.com/ccproxy-go/ccproxy/hooks"
)

// TestKeptRequests holds that a hook which keeps what it was given sees nothing of the requests that the memory of its
// body is used for next, whether it is back or was given up.
func TestKeptRequests(t *testing.T) {
	t.Parallel()
	release := make(chan struct{})
	var kept []*hooks.PreparedRequest
	var late sync.WaitGroup
	late.Add(1)
	var reg hooks.Registry
	register(t, &reg, hooks.Mutate("keep", func(_ context.Context, r *hooks.PreparedRequest) error {
		kept = append(kept, r)
		return nil
	}), hooks.Options{Priority: 1})
	register(t, &reg, hooks.Mutate("stay", func(_ context.Context, r *hooks.PreparedRequest) error {
		defer late.Done()
		<-release
		if body := r.RawBody(); body != nil {
			t.Errorf("a hook that was given up reads %s", body)
		}
		return nil
	}), hooks.Options{Priority: 2, Timeout: 1})
	body := []byte(`{"n":"mine"}`)
	req := hooks.NewPreparedRequest(body)
	if err := reg.Prepare(t.Context(), req); err != nil {
		t.Fatal(err)
	}
	sent, changed, err := req.Result()
	if !bytes.Equal(sent, body) || changed || err != nil {
		t.Errorf("sent %s, %t, %v", sent, changed, err)
	}
	copy(body, `{"n":"other"}`)
	for _, r := range kept {
		_, member := r.Member("n")
		result, _, _ := r.Result()
		parsed, _ := r.Body()
		all := bytes.Join([][]byte{r.RawBody(), r.OriginalBody(), result}, nil)
		if member || len(all) > 0 || parsed != nil || r.BodyBytes() != 0 || r.SetMember("n", []byte("1")) {
			t.Errorf("a hook that is back reads %s, %v, %t", all, parsed, member)
		}
	}
	close(release)
	late.Wait()
}
