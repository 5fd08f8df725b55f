package rawjson

import (
	"strings"
	"testing"
	"time"
)

// Text that ends in a broken byte costs no more than other text.
func TestUnescapeLinear(t *testing.T) {
	t.Parallel()
	text := strings.Repeat("a", 1<<20)
	start := time.Now()
	got, ok := String([]byte(`"` + text + "\xff\""))
	if !ok || got != text+"\ufffd" {
		t.Errorf("String returned %d bytes and %v", len(got), ok)
	}
	// Looking ahead from each byte again takes half a minute; the rest is room for slow machines.
	if took := time.Since(start); took > 5*time.Second {
		t.Errorf("1 MiB took %v", took)
	}
}
