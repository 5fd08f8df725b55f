package storetest

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"testing"
	"time"

	"github.com/ccproxy-go/ccproxy/oauth"
)

const (
	childCommand = "storetest-child"
	childToken   = "of the child"
	childReady   = "locked\n"
)

// Child does the part of another process if args, which are os.Args, say that the suite started this one for
// it. Then it returns true, and TestMain returns at once. open opens the store that [Suite.Place] named.
//
//	func TestMain(m *testing.M) {
//		if storetest.Child(os.Args, open) {
//			return
//		}
//		goleak.VerifyTestMain(m)
//	}
func Child(args []string, open func(place string) (oauth.Store, error)) bool {
	if len(args) != 4 || args[1] != childCommand {
		return false
	}
	if err := child(os.Stdin, os.Stdout, args[2], args[3], open); err != nil {
		fmt.Fprintln(os.Stderr, err)
	}
	return true
}

// child holds the lock until its input ends.
func child(
	in io.Reader, out io.Writer, place, id string, open func(place string) (oauth.Store, error),
) error {
	s, err := open(place)
	if err != nil {
		return err
	}
	locker, ok := s.(oauth.Locker)
	if !ok {
		return fmt.Errorf("%T is not an oauth.Locker", s)
	}
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	unlock, err := locker.Lock(ctx, id)
	if err != nil {
		return err
	}
	defer unlock()
	if err := s.Save(ctx, id, minimal(childToken)); err != nil {
		return err
	}
	if _, err := io.WriteString(out, childReady); err != nil {
		return err
	}
	_, err = io.Copy(io.Discard, in)
	return err
}

// process is a child that holds a lock.
type process struct {
	cmd   *exec.Cmd
	input io.Closer
}

func startChild(t *testing.T, place, id string) *process {
	t.Helper()
	program, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), program, childCommand, place, id)
	cmd.Stderr = os.Stderr
	cmd.WaitDelay = time.Second
	input, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	output, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	line, err := bufio.NewReader(output).ReadString('\n')
	if err != nil || line != childReady {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
		t.Fatalf("the other process did not lock: %q, %v; does TestMain call storetest.Child?", line, err)
	}
	return &process{cmd: cmd, input: input}
}

// finish lets the child give the lock back.
func (p *process) finish(t *testing.T) {
	t.Helper()
	if err := p.input.Close(); err != nil {
		t.Error(err)
	}
	if err := p.cmd.Wait(); err != nil {
		t.Errorf("the other process: %v", err)
	}
}

// kill ends the child without giving it any chance.
func (p *process) kill(t *testing.T) {
	t.Helper()
	if err := p.cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = p.cmd.Wait() // it says that it was killed
}
