package lostbody_test

import (
	"net/http"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/ccproxy-go/ccproxy/internal/lostbody"
)

func TestForget(t *testing.T) {
	t.Parallel()
	h := http.Header{
		"Content-Type": {"text/csv"}, "Content-Length": {"12"}, "Etag": {`"x"`}, "Trailer": {"X-Sum"},
		"Cache-Control": {"public"}, "X-Request-Id": {"r1"}, "Vary": {"Origin"},
	}
	lostbody.Forget(h)
	if diff := cmp.Diff(http.Header{"X-Request-Id": {"r1"}, "Vary": {"Origin"}}, h); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}
