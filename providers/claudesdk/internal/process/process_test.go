//go:build unix

package process_test

import (
	"context"
	"errors"
	"os"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/ccproxy-go/ccproxy/providers/claudesdk/internal/process"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// shell runs a script; it is ended with the test.
func shell(t *testing.T, script string, maxLine int) *process.Process {
	t.Helper()
	p, err := process.Start(process.Spec{Path: "/bin/sh", Args: []string{"-c", script}, Env: os.Environ(), MaxLine: maxLine})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { p.Close(context.Background(), 0) })
	return p
}

// lines reads all that a program writes.
func lines(p *process.Process) string {
	var all []string
	for line := range p.Lines() {
		all = append(all, string(line))
	}
	return strings.Join(all, "|")
}

func gone(t *testing.T, pid int) {
	t.Helper()
	deadline := time.Now().Add(10 * time.Second)
	for syscall.Kill(pid, 0) == nil {
		stat, _ := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat")
		if strings.Contains(string(stat), ") Z ") {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("%d still runs", pid)
		}
		time.Sleep(time.Millisecond)
	}
}

func number(t *testing.T, line []byte) int {
	t.Helper()
	n, err := strconv.Atoi(string(line))
	if err != nil {
		t.Fatal(err)
	}
	return n
}

func TestLines(t *testing.T) {
	t.Parallel()
	p := shell(t, `printf 'a\r\n\nb\n'; printf 'oops' >&2; printf 'c'`, 0)
	if got := lines(p); got != "a|b|c" || p.Err() != nil {
		t.Errorf("%q %v", got, p.Err())
	}
	<-p.Exited()
	if p.Alive() || p.Stderr() != "oops" {
		t.Errorf("alive %v, stderr %q", p.Alive(), p.Stderr())
	}
}

func TestLongLines(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("x", 100_000)
	p := shell(t, "cat", 200_000)
	if err := p.Write(t.Context(), []byte(long+"\n")); err != nil {
		t.Fatal(err)
	}
	if got := <-p.Lines(); string(got) != long {
		t.Errorf("%d bytes", len(got))
	}
	p = shell(t, "cat", 1000)
	_ = p.Write(t.Context(), []byte(long+"\n"))
	if got := lines(p); got != "" || !errors.Is(p.Err(), process.ErrLineTooLong) {
		t.Errorf("%d bytes, %v", len(got), p.Err())
	}
	if p.Alive() {
		t.Error("a program whose output is not read counts as alive")
	}
}

func TestStderrIsBounded(t *testing.T) {
	t.Parallel()
	p := shell(t, `i=0; while [ $i -lt 3000 ]; do echo "line $i" >&2; i=$((i+1)); done`, 0)
	lines(p)
	<-p.Exited()
	if got := p.Stderr(); len(got) > 4096 || !strings.HasSuffix(got, "line 2999") {
		t.Errorf("%d bytes, %q", len(got), got[max(0, len(got)-20):])
	}
}

func TestNoProgram(t *testing.T) {
	t.Parallel()
	if _, err := process.Start(process.Spec{Path: "/nowhere/program"}); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("%v", err)
	}
}

// A program that does not read its input holds a writer up no longer than the writer says.
func TestWriteToTheDeaf(t *testing.T) {
	t.Parallel()
	p := shell(t, "exec sleep 300", 0)
	why := errors.New("enough")
	ctx, cancel := context.WithTimeoutCause(t.Context(), 50*time.Millisecond, why)
	defer cancel()
	if err := p.Write(ctx, make([]byte, 1<<20)); !errors.Is(err, why) {
		t.Errorf("Write: %v", err)
	}
	<-p.Exited()
	if err := p.Write(t.Context(), []byte("x\n")); err == nil {
		t.Error("a program that has ended was written to")
	}
}

// Close gives a program the time to end by itself, then tells it, then kills it.
func TestClose(t *testing.T) {
	t.Parallel()
	for name, script := range map[string]string{
		"ends with its input": "cat >/dev/null",
		"ends when told":      "sleep 300 & wait",
		"does not listen":     `trap "" TERM INT; while :; do sleep 300; done`,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := shell(t, "echo $$; "+script, 0)
			pid := number(t, <-p.Lines())
			p.Close(t.Context(), 100*time.Millisecond)
			gone(t, pid)
			p.Close(t.Context(), time.Hour)
		})
	}
}

// What a program has started ends with it.
func TestChildren(t *testing.T) {
	t.Parallel()
	ended := make(chan struct{})
	p, err := process.Start(process.Spec{
		Path: "/bin/sh", Args: []string{"-c", "sleep 300 & echo $!; exit 0"}, Env: os.Environ(), Ended: func() { close(ended) },
	})
	if err != nil {
		t.Fatal(err)
	}
	pid := number(t, <-p.Lines())
	<-ended
	gone(t, pid)
	if _, open := <-p.Lines(); open {
		t.Error("there is more to read")
	}
	p.Close(t.Context(), time.Hour)
}

// A program whose lines nobody takes ends all the same.
func TestLinesThatNobodyTakes(t *testing.T) {
	t.Parallel()
	p := shell(t, "while :; do echo more; done", 0)
	<-p.Lines()
	p.Close(t.Context(), 10*time.Millisecond)
	<-p.Exited()
}
