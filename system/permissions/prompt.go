package permissions

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"time"
)

const (
	// settleTime is how long a question has to be on the screen before an answer to it is believed: what is typed
	// earlier was meant for the one before.
	settleTime = 500 * time.Millisecond
	// maxShown is how much of an input the terminal shows. What is longer cannot be allowed here.
	maxShown         = 8 << 10
	maxLine          = 4 << 10
	firstWait        = time.Second
	longestWait      = 30 * time.Second
	maxQueued        = 1000
	eventPing        = "ping"
	eventLost        = "lost" // the connection is gone; no event of the proxy
	noteBuffer       = 16
	hint             = "y allows, n denies, Ctrl-C leaves them to others"
	tooLongToBeShown = "This input is too long for a terminal: it can be denied here, and allowed on the page."
)

// prompter asks the person at a terminal, one request at a time.
type prompter struct {
	client *client
	in     io.Reader
	out    io.Writer

	queue  []*prompt // the first is on the screen, if shown
	fresh  map[string]bool
	number int
	lost   bool
	// numbered tells that the question before went away by itself: an answer to it may be on its way.
	numbered bool
}

// prompt is a request to be asked for.
type prompt struct {
	view

	number  int
	shown   time.Time // zero while it is not on the screen
	tooLong bool
}

// run asks until ctx ends, which is no error, or there is no use in going on.
func (p *prompter) run(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	notes := make(chan note, noteBuffer)
	over := make(chan error, 1)
	go func() {
		defer close(over)
		over <- p.follow(ctx, notes)
	}()
	defer func() {
		cancel()
		for range over { // until it has ended
		}
	}()
	lines := make(chan string)
	go readLines(ctx, p.in, lines)
	p.sayf("Watching %s: %s.\n", Plain(p.client.base), hint)
	for {
		var err error
		select {
		case <-ctx.Done():
			p.sayf("\nStopped. What is pending can be answered elsewhere.\n")
			return nil
		case err = <-over:
		case n := <-notes:
			err = p.hear(n)
		case line, ok := <-lines:
			if err = errTerminalGone; ok {
				err = p.take(ctx, line)
			}
		}
		if err != nil && ctx.Err() == nil {
			return err
		}
		p.next()
	}
}

var errTerminalGone = errors.New("the terminal is gone")

// follow reads the stream of events, and connects again when it ends.
func (p *prompter) follow(ctx context.Context, notes chan<- note) error {
	tell := func(n note) {
		select {
		case notes <- n:
		case <-ctx.Done():
		}
	}
	for wait := firstWait; ; wait = min(2*wait, longestWait) {
		err := p.client.stream(ctx, func(n note) {
			wait = firstWait / 2 // it works
			tell(n)
		})
		if e, ok := errors.AsType[*statusError](err); ok && e.final() {
			return err
		}
		if ctx.Err() == nil {
			tell(note{kind: eventLost, data: []byte(err.Error())})
		}
		t := time.NewTimer(wait)
		select {
		case <-ctx.Done():
			t.Stop()
			return context.Cause(ctx)
		case <-t.C:
		}
	}
}

// readLines reads lines as long as ctx lasts; a read that has begun goes on to the end of the program.
func readLines(ctx context.Context, from io.Reader, lines chan<- string) {
	defer close(lines)
	in := bufio.NewReader(from)
	for {
		line, err := nextLine(in, maxLine)
		if err != nil {
			return
		}
		select {
		case lines <- string(line):
		case <-ctx.Done():
			return
		}
	}
}

func (p *prompter) sayf(format string, args ...any) { fmt.Fprintf(p.out, format, args...) }

// hear takes an event.
func (p *prompter) hear(n note) error {
	switch n.kind {
	case eventRequest:
		var v view
		if err := json.Unmarshal(n.data, &v); err != nil {
			return fmt.Errorf("the proxy's events are not as they should be: %w", err)
		}
		p.add(v)
	case eventResolved, eventExpired:
		var e ending
		if err := json.Unmarshal(n.data, &e); err != nil {
			return fmt.Errorf("the proxy's events are not as they should be: %w", err)
		}
		p.drop(e.ID, "has been "+Plain(string(e.Status))+by(e.By))
	case eventLost:
		if !p.lost {
			p.sayf("\nNo connection: %s. Trying again …\n", Plain(string(n.data)))
		}
		p.lost, p.fresh = true, map[string]bool{}
	case eventPing:
		p.sync()
	}
	return nil
}

func by(who string) string {
	if who == "" {
		return ""
	}
	return " by " + Plain(who)
}

func (p *prompter) add(v view) {
	if p.fresh != nil {
		p.fresh[v.ID] = true
	}
	known := slices.ContainsFunc(p.queue, func(q *prompt) bool { return q.ID == v.ID })
	if known || len(p.queue) >= maxQueued {
		return
	}
	p.number++
	p.queue = append(p.queue, &prompt{view: v, number: p.number})
}

// sync forgets, after the connection was gone, what is not pending any more.
func (p *prompter) sync() {
	if p.lost {
		p.sayf("\nConnected again.\n")
	}
	if p.fresh != nil {
		for _, q := range slices.Clone(p.queue) {
			if !p.fresh[q.ID] {
				p.drop(q.ID, "has ended meanwhile")
			}
		}
	}
	p.lost, p.fresh = false, nil
}

// drop takes a request out, and says so if it was on the screen.
func (p *prompter) drop(id, why string) {
	i := slices.IndexFunc(p.queue, func(q *prompt) bool { return q.ID == id })
	if i < 0 {
		return
	}
	q := p.queue[i]
	p.queue = slices.Delete(p.queue, i, i+1)
	if !q.shown.IsZero() {
		p.sayf("\n#%d %s.\n", q.number, why)
		p.numbered = true
	}
}

// next puts the first request on the screen.
func (p *prompter) next() {
	if len(p.queue) == 0 || !p.queue[0].shown.IsZero() || p.lost {
		return
	}
	q := p.queue[0]
	q.shown = time.Now()
	text := InputText(q.Input) // made here: what another machine calls plain need not be
	if q.tooLong = len(text) > maxShown; q.tooLong {
		text = strings.ToValidUTF8(text[:maxShown], "") + fmt.Sprintf(" … and %d bytes more", len(text)-maxShown)
	}
	p.sayf("\n#%d  %s  (%s%s, %s left, %d more)\n  %s\n", q.number, Plain(q.Tool), Plain(q.Source), by(q.Caller),
		time.Until(q.Expires).Round(time.Second), len(p.queue)-1, strings.ReplaceAll(text, "\n", "\n  "))
	if q.tooLong {
		p.sayf("%s\n", tooLongToBeShown)
	}
	p.ask(q)
}

func (p *prompter) ask(q *prompt) {
	if p.numbered {
		p.sayf("Allow #%d? Since the question before it went away, with its number: y%d or n%d: ",
			q.number, q.number, q.number)
		return
	}
	p.sayf("Allow #%d? y or n: ", q.number)
}

// take takes a line that was typed.
func (p *prompter) take(ctx context.Context, line string) error {
	if len(p.queue) == 0 || p.queue[0].shown.IsZero() {
		return nil // nothing was asked
	}
	q := p.queue[0]
	if time.Since(q.shown) < settleTime {
		p.sayf("That was too fast to be an answer to #%d. ", q.number)
		p.ask(q)
		return nil
	}
	allow, ok := p.parse(line, q.number)
	switch {
	case !ok:
		p.ask(q)
		return nil
	case allow && q.tooLong:
		p.sayf("%s ", tooLongToBeShown)
		p.ask(q)
		return nil
	}
	return p.send(ctx, q, allow)
}

// parse reads an answer: y or n, and where it is needed, the number of the question.
func (p *prompter) parse(line string, number int) (allow, ok bool) {
	word := strings.ToLower(strings.Join(strings.Fields(line), ""))
	letters := strings.TrimRight(word, "0123456789")
	digits := word[len(letters):]
	if digits != "" && digits != strconv.Itoa(number) || digits == "" && p.numbered {
		return false, false
	}
	switch letters {
	case "y", "yes":
		return true, true
	case "n", "no":
		return false, true
	default:
		return false, false
	}
}

// send sends an answer. Only what cannot be mended ends the command.
func (p *prompter) send(ctx context.Context, q *prompt, allow bool) error {
	err := p.client.respond(ctx, q.ID, allow)
	e, told := errors.AsType[*statusError](err)
	switch {
	case err == nil && allow:
		p.sayf("#%d is allowed.\n", q.number)
	case err == nil:
		p.sayf("#%d is denied.\n", q.number)
	case told && (e.status == 404 || e.status == 409 || e.status == 410):
		p.sayf("#%d: %s.\n", q.number, e.message)
	case told && e.final():
		return err
	case ctx.Err() == nil:
		p.sayf("The answer was not taken: %s. ", Plain(err.Error()))
		p.ask(q)
		return nil
	default:
		return nil // stopped: whether the answer came through is not known
	}
	p.queue = p.queue[1:]
	p.numbered = false
	return nil
}
