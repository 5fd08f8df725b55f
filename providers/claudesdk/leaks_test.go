//go:build linux

package claudesdk_test

import (
	"bytes"
	"crypto/rand"
	"errors"
	"fmt"
	"os"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"testing"
)

// left lists the processes that have inherited a variable.
func left(t testing.TB, entry string) []string {
	t.Helper()
	dirs, err := os.ReadDir("/proc")
	if err != nil {
		t.Fatal(err)
	}
	var list []string
	for _, dir := range dirs {
		if _, err := strconv.Atoi(dir.Name()); err != nil {
			continue
		}
		env, err := os.ReadFile("/proc/" + dir.Name() + "/environ")
		if err == nil && bytes.Contains(env, []byte(entry)) {
			cmd, _ := os.ReadFile("/proc/" + dir.Name() + "/cmdline")
			list = append(list, dir.Name()+" "+string(bytes.ReplaceAll(cmd, []byte{0}, []byte(" "))))
		}
	}
	return list
}

// pipes counts the pipes that this process has open.
func pipes(t testing.TB) int {
	t.Helper()
	fds, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	for _, fd := range fds {
		if to, err := os.Readlink("/proc/self/fd/" + fd.Name()); err == nil && strings.HasPrefix(to, "pipe:") {
			n++
		}
	}
	return n
}

// times is how often a test repeats what it does: few times by default, since each time starts programs.
func times(t testing.TB, usual int) int {
	t.Helper()
	n, err := strconv.Atoi(os.Getenv("CLAUDE_SDK_TIMES"))
	if err != nil {
		return usual
	}
	return n
}

// Clients that go away leave nothing behind: no process, no goroutine, no pipe. CLAUDE_SDK_TIMES=1000 does it that
// often; a hundred times shows a leak of one in a hundred.
//
//nolint:paralleltest // it counts
func TestCancels(t *testing.T) {
	goroutines, open := runtime.NumGoroutine(), pipes(t)
	mark := "FAKE_MARK=" + rand.Text()
	name, value, _ := strings.Cut(mark, "=")
	p := start(t, map[string]any{"env": map[string]any{name: value}})
	var group sync.WaitGroup
	work := make(chan int)
	for range 8 {
		group.Go(func() {
			for i := range work {
				path := messages
				if i%2 == 0 {
					path = "/claude/sdk/s" + strconv.Itoa(i%5) + "/v1/messages"
				}
				leave(t, p, path, "slow")
			}
		})
	}
	for i := range times(t, 60) {
		work <- i
	}
	close(work)
	group.Wait()
	await(t, func() bool {
		live, _ := health(t, p)
		return live == 0 && len(left(t, mark)) == 0 && runtime.NumGoroutine() <= goroutines+2 && pipes(t) <= open
	})
	if got := say(t, p, messages, "", nil, "hello"); got != "You said: hello" {
		t.Errorf("afterwards: %q", got)
	}
}

// What a CLI has started ends with it, also what is in a session of its own and holds its output open, and however it
// ends: after the answer, with its client, or by itself.
func TestChildren(t *testing.T) { //nolint:paralleltest // it counts
	mark := "FAKE_MARK=" + rand.Text()
	name, value, _ := strings.Cut(mark, "=")
	p := start(t, map[string]any{"env": map[string]any{name: value}})
	child, err := strconv.Atoi(say(t, p, messages, "", nil, "child"))
	if err != nil {
		t.Fatal(err)
	}
	await(t, func() bool { return !runs(child) && len(left(t, mark)) == 0 })

	const path = "/claude/sdk/s/v1/messages"
	first := say(t, p, path, "", nil, "child")
	child, _ = strconv.Atoi(first)
	if !runs(child) {
		t.Error("the child of a CLI that is kept has ended")
	}
	w := ask(t, p, path, "", body(t, nil, "child", first, "die"))
	await(t, func() bool { return !runs(child) && len(left(t, mark)) == 0 })
	if w.Code < 500 {
		t.Errorf("%d %s", w.Code, w.Body)
	}
}

// A CLI that does not listen is killed.
func TestStubborn(t *testing.T) { //nolint:paralleltest // it counts
	mark := "FAKE_MARK=" + rand.Text()
	name, value, _ := strings.Cut(mark, "=")
	p := start(t, map[string]any{
		"env": map[string]any{name: value}, "session_pool": map[string]any{"stream_interrupt_timeout": "100ms"},
	})
	leave(t, p, messages, "slow stubborn")
	await(t, func() bool { live, _ := health(t, p); return live == 0 && len(left(t, mark)) == 0 })
}

// Many sessions work at the same time, and each keeps its own conversation.
func TestParallelSessions(t *testing.T) {
	t.Parallel()
	const sessions = 100
	p := start(t, map[string]any{"session_pool": map[string]any{"max_sessions": sessions}})
	var group sync.WaitGroup
	errs := make([]error, sessions)
	for i := range sessions {
		group.Go(func() {
			path, mine := fmt.Sprintf("/claude/sdk/s%d/v1/messages", i), "I am "+strconv.Itoa(i)
			w := ask(t, p, path, "", body(t, map[string]any{"stream": true}, mine))
			if !strings.Contains(w.Body.String(), "message_stop") {
				errs[i] = errors.New(w.Body.String())
				return
			}
			w = ask(t, p, path, "", body(t, nil, mine, "You said: "+mine, "history?"))
			if out := w.Body.String(); !strings.Contains(out, mine) || strings.Count(out, "I am ") != 2 {
				errs[i] = fmt.Errorf("session %d: %s", i, out)
			}
		})
	}
	group.Wait()
	if err := errors.Join(errs...); err != nil {
		t.Fatal(err)
	}
	if live, idle := health(t, p); live != sessions || idle != sessions {
		t.Errorf("%d CLIs run, %d are kept", live, idle)
	}
}
