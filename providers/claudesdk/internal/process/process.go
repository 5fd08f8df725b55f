// Package process runs a program that speaks lines over its standard streams, and ends it with everything that it has
// started.
package process

import (
	"bufio"
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"sync"
	"time"
)

// Spec says what to run.
type Spec struct {
	// Path of the program. Required.
	Path string
	// Args are its arguments, without its name.
	Args []string
	// Env is the environment. Empty means none at all.
	Env []string
	// Dir is the working directory. Empty means that of this process.
	Dir string
	// MaxLine is the longest line that is read. Zero means 32 MiB.
	MaxLine int
	// Ended, if set, is called once when the program has ended and everything that it had started was killed. It runs
	// on a goroutine of the process.
	Ended func()
}

const (
	defaultMaxLine = 32 << 20
	readBuffer     = 32 << 10
)

// ErrLineTooLong tells that the program wrote a line longer than Spec.MaxLine.
var ErrLineTooLong = errors.New("line too long")

// Process is a program that runs. Its methods may be called concurrently.
type Process struct {
	cmd    *exec.Cmd
	mark   string // in the environment of all that it starts
	stdin  *os.File
	stdout *os.File
	errors *os.File // the standard error
	stderr tail
	ended  func()

	lines  chan []byte   // unbuffered: what nobody takes stays in the pipe
	read   chan struct{} // closed when the reader has ended
	exited chan struct{} // closed when the program has ended, with all that it had started
	copied chan struct{} // closed when there is no more of the standard error
	closed chan struct{} // closed by Close: nobody takes lines any more
	close  sync.Once
	err    error // of the reader; valid once read is closed
}

// Start runs a program. Its goroutines end some time after Close, at the latest when Kill was called.
func Start(spec Spec) (*Process, error) {
	p := &Process{
		mark: "CCPROXY_PROCESS=" + rand.Text(), ended: spec.Ended, lines: make(chan []byte),
		read: make(chan struct{}), exited: make(chan struct{}), copied: make(chan struct{}),
		closed: make(chan struct{}),
	}
	theirs, err := p.open()
	if err != nil {
		return nil, err
	}
	// The program outlives the request that it was started for, so no context ends it.
	p.cmd = exec.Command(spec.Path, spec.Args...) //nolint:gosec,noctx // the operator's program; see above
	p.cmd.Dir, p.cmd.Env = spec.Dir, append(append([]string{}, spec.Env...), p.mark)
	// They are files, so that the end of the program is known at once, whatever else holds them open.
	p.cmd.Stdin, p.cmd.Stdout, p.cmd.Stderr = theirs[0], theirs[1], theirs[2]
	ownGroup(p.cmd)
	err = p.cmd.Start()
	closeAll(theirs)
	if err != nil {
		closeAll([]*os.File{p.stdin, p.stdout, p.errors})
		return nil, fmt.Errorf("start %s: %w", spec.Path, err)
	}
	limit := spec.MaxLine
	if limit <= 0 {
		limit = defaultMaxLine
	}
	go p.readLines(limit)
	go p.readErrors()
	go p.wait()
	return p, nil
}

// open makes the pipes, and returns the program's ends of them.
func (p *Process) open() ([]*os.File, error) {
	var all []*os.File
	for range 3 {
		r, w, err := os.Pipe()
		if err != nil {
			closeAll(all)
			return nil, err
		}
		all = append(all, r, w)
	}
	p.stdin, p.stdout, p.errors = all[1], all[2], all[4]
	return []*os.File{all[0], all[3], all[5]}, nil
}

func closeAll(files []*os.File) {
	for _, f := range files {
		_ = f.Close()
	}
}

// Lines are what the program writes to its standard output, without line ends. The channel is closed when there is no
// more; Err then says why.
func (p *Process) Lines() <-chan []byte { return p.lines }

// Exited is closed when the program has ended and what it had started was killed. Lines that it wrote before may still
// be there.
func (p *Process) Exited() <-chan struct{} { return p.exited }

// Alive tells whether the program still runs.
func (p *Process) Alive() bool {
	select {
	case <-p.exited:
		return false
	case <-p.read: // without its output it is as good as dead
		return false
	default:
		return true
	}
}

// Err is why there are no more lines: [ErrLineTooLong], an error of reading, or nil at the end. It is valid once Lines
// is closed.
func (p *Process) Err() error { return p.err }

// Stderr is the end of what the program wrote to its standard error. Of a program that has ended it is all of that, but
// for what something else still writes there.
func (p *Process) Stderr() string {
	if !p.Alive() {
		t := time.NewTimer(stderrDelay)
		defer t.Stop()
		select {
		case <-p.copied:
		case <-t.C:
		}
	}
	return p.stderr.String()
}

const stderrDelay = 100 * time.Millisecond

func (p *Process) readErrors() {
	defer close(p.copied)
	_, _ = io.Copy(&p.stderr, p.errors) // it ends with the program, or with Close
}

// Write writes to the standard input. A program that does not read holds it up until ctx ends, which kills the
// program, since half a line was written.
func (p *Process) Write(ctx context.Context, b []byte) error {
	stop := context.AfterFunc(ctx, p.Kill)
	_, err := p.stdin.Write(b)
	if !stop() {
		return context.Cause(ctx)
	}
	return err
}

// Close ends the program: its standard input is closed, and what it has not done by itself within the grace is done
// by a signal, and after that time once more by a kill. Close returns when nothing of it runs any more; ctx cuts the
// grace short.
func (p *Process) Close(ctx context.Context, grace time.Duration) {
	p.close.Do(func() {
		close(p.closed)
		_ = p.stdin.Close()
	})
	if grace > 0 && !p.endsWithin(ctx, grace) {
		p.terminate()
		p.endsWithin(ctx, grace)
	}
	p.Kill()
	<-p.exited
	_, _ = p.stdout.Close(), p.errors.Close() // also where something else still holds the other ends
	<-p.read
	<-p.copied
}

func (p *Process) endsWithin(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-p.exited:
		return true
	case <-t.C:
	case <-ctx.Done():
	}
	return false
}

// Kill kills the program and all that it has started. It does not wait.
func (p *Process) Kill() {
	select {
	case <-p.exited: // its number may be another program's by now
	default:
		p.killAll()
	}
}

func (p *Process) wait() {
	_ = p.cmd.Wait() // how it ended says less than what it wrote
	p.sweep()
	_ = p.stdin.Close()
	close(p.exited)
	if p.ended != nil {
		p.ended()
	}
}

func (p *Process) readLines(limit int) {
	defer close(p.lines)
	defer close(p.read)
	r := bufio.NewReaderSize(p.stdout, readBuffer)
	for {
		line, err := readLine(r, limit)
		if len(line) > 0 {
			select {
			case p.lines <- line:
			case <-p.closed: // what is left is read, so that the program can end
			}
		}
		if err != nil {
			if !errors.Is(err, io.EOF) && !errors.Is(err, os.ErrClosed) {
				p.err = err
			}
			return
		}
	}
}

// readLine gives a line of its own memory.
func readLine(r *bufio.Reader, limit int) ([]byte, error) {
	var line []byte
	for {
		part, err := r.ReadSlice('\n')
		if len(line)+len(part) > limit {
			return nil, ErrLineTooLong
		}
		line = append(line, part...)
		if !errors.Is(err, bufio.ErrBufferFull) {
			return bytes.TrimSpace(line), err
		}
	}
}

// tail keeps the end of what is written to it.
type tail struct {
	mu  sync.Mutex
	buf []byte
}

const maxTail = 4 << 10

func (t *tail) Write(b []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.buf = append(t.buf, b[max(0, len(b)-maxTail):]...)
	if over := len(t.buf) - maxTail; over > 0 {
		t.buf = append(t.buf[:0], t.buf[over:]...)
	}
	return len(b), nil
}

func (t *tail) String() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return string(bytes.ToValidUTF8(bytes.TrimSpace(t.buf), nil))
}
