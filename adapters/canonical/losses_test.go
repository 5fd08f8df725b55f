package canonical_test

import (
	"fmt"
	"testing"

	"github.com/ccproxy-go/ccproxy/adapters/canonical"
)

// What each piece of a stream loses is told once, and a list of losses does not grow without end.
func TestLosses(t *testing.T) {
	t.Parallel()
	var lost canonical.Losses
	for range 100 {
		lost.Add("delta.a", "unknown")
		lost.Add("delta.b", "unknown")
	}
	if len(lost.List) != 2 {
		t.Errorf("%d losses, want 2", len(lost.List))
	}
	for i := range 5000 {
		lost.Add(fmt.Sprintf("messages[%d]", i), "unknown")
	}
	if n := len(lost.List); n != 1001 || lost.List[n-1].Path != "…" {
		t.Errorf("%d losses, the last one %q", n, lost.List[n-1].Path)
	}
	(*canonical.Losses)(nil).Add("a", "nobody counts")
}
