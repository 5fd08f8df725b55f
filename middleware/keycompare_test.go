package middleware

import (
	"crypto/subtle"
	"fmt"
	"net/http"
	"strings"
	"testing"
)

// TestEveryKeyIsCompared holds what keeps the time of an answer from telling about keys: as many comparisons, of
// as many bytes, whatever a client sends.
func TestEveryKeyIsCompared(t *testing.T) {
	t.Parallel()
	const n = 20
	var all []Key
	for i := range n {
		all = append(all, Key{Name: fmt.Sprint(i), Value: NewSecret(fmt.Sprintf("Zk3Qv81LmWx0-%d", i))})
	}
	keys, err := NewKeys(all...)
	if err != nil {
		t.Fatal(err)
	}
	calls := 0
	keys.compare = func(a, b []byte) int {
		if len(a) != 32 || len(b) != 32 {
			t.Errorf("compares %d with %d bytes, want MACs", len(a), len(b))
		}
		calls++
		return subtle.ConstantTimeCompare(a, b)
	}
	for name, value := range map[string]string{
		"first": all[0].Value.Reveal(), "middle": all[9].Value.Reveal(), "last": all[n-1].Value.Reveal(),
		"wrong": "Zk3Qv81LmWx0-x", "short": "Z", "long": strings.Repeat("Z", maxKeyBytes),
	} {
		calls = 0
		_, _ = keys.Authenticate(http.Header{"X-Api-Key": {value}})
		if calls != n {
			t.Errorf("%s: %d comparisons, want %d", name, calls, n)
		}
	}
	calls = 0
	_, _ = keys.Authenticate(http.Header{"X-Api-Key": {strings.Repeat("Z", maxKeyBytes+1)}})
	if calls != 0 {
		t.Error("a value that no key can have is copied and compared")
	}
}

// TestInstancesDiffer holds that a MAC of one instance is worth nothing in another, and that no value is kept.
func TestInstancesDiffer(t *testing.T) {
	t.Parallel()
	key := Key{Name: "a", Value: NewSecret("Zk3Qv81LmWx0TfRb")}
	one, err1 := NewKeys(key)
	two, err2 := NewKeys(key)
	if err1 != nil || err2 != nil {
		t.Fatal(err1, err2)
	}
	if one.entries[0].sum == two.entries[0].sum {
		t.Error("two instances have the same MAC of a key")
	}
	if !one.entries[0].key.Value.IsZero() {
		t.Error("the value is kept")
	}
	m := newKeyMAC(one.salt[:])
	m.of("Zk3Qv81LmWx0TfRb")
	if strings.Trim(string(m.value), "\x00") != "" {
		t.Error("the buffer still holds what a client sent")
	}
}
