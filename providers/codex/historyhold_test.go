package codex_test

import (
	"fmt"
	"runtime"
	"strings"
	"testing"
)

// What a connection remembers has a limit, in bytes: that of one frame.
func TestHistoryHoldsNoMore(t *testing.T) {
	t.Parallel()
	up := upstream(textStream("ok"))
	s := settings(chatGPT(nil))
	const limit = 1 << 20
	s.Limits.BodyBytes = limit
	conn := dial(t, start(t, up, s), "/codex/v1/responses", nil)
	conn.SetReadLimit(-1)
	heap := func() uint64 {
		runtime.GC()
		runtime.GC()
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return m.HeapAlloc
	}
	before := heap()
	large := `{"role":"user","content":"` + strings.Repeat("x", limit*9/10) + `"}`
	warm := func(previous, item string) string {
		return member(t, last(turn(t, conn, turnFrame(previous, `,"generate":false`, item))), "response", "id")
	}
	small := func(i int) string { return fmt.Sprintf(`{"role":"user","content":"%d"}`, i) }
	var leaves []string // each with a megabyte of its own before it
	for i := range 60 { // none of which asks the upstream for anything
		root := warm("", large)
		leaves = append(leaves, warm(root, small(i)))
		for j := range leaves {
			leaves[j] = warm(leaves[j], small(j)) // so that the connection goes on remembering it
		}
	}
	if grown := int64(heap()) - int64(before); grown > 20*limit {
		t.Errorf("one client, which the limit lets remember %d MiB, holds %d MiB", limit>>20, grown>>20)
	}
	if n := len(up.Requests()); n != 0 {
		t.Errorf("%d requests upstream", n)
	}
}
