package command

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/mdp/qrterminal/v3"

	"github.com/ccproxy-go/ccproxy/oauth/flow"
)

// terminal talks to the user about a login, on standard error: standard output is for results.
type terminal struct {
	app  *app
	open func(address string) error // nil for no browser
	in   lines
}

var _ flow.UI = (*terminal)(nil)

// Show implements flow.UI.
func (t *terminal) Show(_ context.Context, v flow.Visit) error {
	var out strings.Builder
	if v.Fallback != nil {
		fmt.Fprintf(&out, "That did not work: %s. A code can be pasted instead.\n", plain(v.Fallback.Error()))
	}
	address := v.URL
	switch {
	case v.Method == flow.Device:
		if v.Complete != "" {
			address = v.Complete
		}
		fmt.Fprintf(&out, "Open this address on any device:\n\n  %s\n\nand enter the code  %s\n\n", v.URL, v.UserCode)
		t.code(&out, address)
	case t.browse(&out, address):
		fmt.Fprintf(&out, "The browser is open. If it is not, open this address:\n\n  %s\n\n", address)
	case v.Method == flow.Browser:
		fmt.Fprintf(&out, "Open this address in a browser on this machine:\n\n  %s\n\n", address)
	default:
		fmt.Fprintf(&out, "Open this address in a browser:\n\n  %s\n\n", address)
	}
	if v.Method != flow.Manual {
		out.WriteString("Waiting for you to log in there. Ctrl-C gives up.\n")
	}
	_, err := io.WriteString(t.app.Stderr, out.String())
	return err
}

// browse opens an address, if there is a browser. One that does not open is no reason to give up.
func (t *terminal) browse(out io.Writer, address string) bool {
	if t.open == nil {
		return false
	}
	if err := t.open(address); err != nil {
		fmt.Fprintf(out, "No browser could be opened: %s.\n", plain(err.Error()))
		return false
	}
	return true
}

// code draws an address for cameras, where there is a screen.
func (t *terminal) code(out io.Writer, address string) {
	if isTerminal(t.app.Stderr) {
		qrterminal.GenerateHalfBlock(address, qrterminal.L, out)
		fmt.Fprintln(out)
	}
}

// Paste implements flow.UI.
func (t *terminal) Paste(ctx context.Context, problem error) (string, error) {
	if problem != nil {
		fmt.Fprintf(t.app.Stderr, "%s. Once more, please.\n", plain(problem.Error()))
	}
	fmt.Fprint(t.app.Stderr, "Paste the code, or the address that the browser ended up at: ")
	line, err := t.in.next(ctx, t.app.Stdin)
	if errors.Is(err, io.EOF) {
		return "", errors.New("no code came in")
	}
	return line, err
}

// lines reads lines from a stream that cannot be interrupted.
type lines struct{ in *bufio.Reader }

// maxLine bounds what a user types; addresses are shorter.
const maxLine = 16 << 10

// next waits for a line as long as ctx lasts. The read itself goes on then, to the end of the program at most.
func (l *lines) next(ctx context.Context, from io.Reader) (string, error) {
	if l.in == nil {
		l.in = bufio.NewReaderSize(from, maxLine)
	}
	type result struct {
		line string
		err  error
	}
	done := make(chan result, 1)
	go func() {
		line, err := l.in.ReadSlice('\n')
		if len(line) > 0 && errors.Is(err, io.EOF) {
			err = nil
		}
		done <- result{strings.TrimSpace(string(line)), err}
	}()
	select {
	case r := <-done:
		return r.line, r.err
	case <-ctx.Done():
		return "", ctx.Err()
	}
}
