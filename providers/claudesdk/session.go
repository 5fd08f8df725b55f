package claudesdk

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/ccproxy-go/ccproxy/providers/claudesdk/internal/process"
)

// The ways in which a CLI fails its client.
var (
	errBegin  = errors.New("the CLI did not begin")
	errEnded  = errors.New("the CLI ended")
	errSilent = errors.New("the CLI was silent for too long")
	errStray  = errors.New("the CLI said what nobody asked for")
	errTooOld = errors.New("the CLI answers what only joins the conversation; it is too old")
)

// session is a CLI that runs, with the conversation that it remembers. One goroutine uses it at a time.
type session struct {
	key     string // what it was started for
	owner   string // whose it is, and of which session
	proc    *process.Process
	begun   time.Time
	used    time.Time // when it was last given back
	memory  digest    // of its conversation
	cost    float64   // of its earlier turns
	counter int       // of control requests and messages
	counted bool      // by the pool
	open    []string  // ids of control requests that it was not answered in its last turn
}

// afterExit is how long the output of a CLI that has ended is read, where something else holds it open.
const afterExit = 500 * time.Millisecond

// launch is what a CLI is started with.
type launch struct {
	path, dir    string
	args, env    []string
	system       []string
	appendSystem string
	ended        func()
}

// startSession starts a CLI and tells it its system prompt.
func startSession(ctx context.Context, l *launch, limit time.Duration) (*session, error) {
	proc, err := process.Start(process.Spec{Path: l.path, Args: l.args, Env: l.env, Dir: l.dir, Ended: l.ended})
	if err != nil {
		return nil, err
	}
	s := &session{proc: proc, begun: time.Now()}
	if err := s.initialize(ctx, l, limit); err != nil {
		return s, err
	}
	return s, nil
}

func (s *session) initialize(ctx context.Context, l *launch, limit time.Duration) error {
	id := s.nextID("init")
	err := s.send(ctx, limit, &controlRequest{Type: typeControlRequest, RequestID: id, Request: &initializeRequest{
		Subtype: "initialize", SystemPrompt: l.system, AppendSystemPrompt: l.appendSystem,
	}})
	if err != nil {
		return err
	}
	deadline := time.Now().Add(limit)
	for {
		m, err := s.receive(ctx, time.Until(deadline))
		if err != nil {
			return err
		}
		if m.Type != typeControlResponse {
			continue
		}
		var body responseBody
		if json.Unmarshal(m.Response, &body) != nil || body.RequestID != id {
			continue
		}
		if body.Subtype != "success" {
			return fmt.Errorf("the CLI refused to begin: %s", body.Error)
		}
		return nil
	}
}

// recall puts earlier messages into the CLI's conversation, without an answer. The CLI takes messages of the
// assistant at once and those of the user later, so each of these is waited for.
func (s *session) recall(ctx context.Context, messages []chatMessage, limit time.Duration) error {
	for i := range messages {
		m := messages[i]
		if m.Role == typeAssistant {
			m.ID = s.nextID("msg")
			if err := s.send(ctx, limit, &userMessage{Type: typeAssistant, Message: m}); err != nil {
				return err
			}
			continue
		}
		no := false
		if err := s.send(ctx, limit, &userMessage{Type: typeUser, Message: m, ShouldQuery: &no}); err != nil {
			return err
		}
		if err := s.awaitTaken(ctx, limit); err != nil {
			return err
		}
	}
	return nil
}

func (s *session) awaitTaken(ctx context.Context, limit time.Duration) error {
	deadline := time.Now().Add(limit)
	for {
		m, err := s.receive(ctx, time.Until(deadline))
		switch {
		case err != nil:
			return err
		case m.Type == typeStreamEvent, m.Type == typeAssistant, m.Type == typeResult && m.NumTurns > 0:
			return errTooOld
		case m.Type == typeResult:
			return nil
		}
	}
}

// ask sends the message that is to be answered.
func (s *session) ask(ctx context.Context, m *chatMessage, limit time.Duration) error {
	return s.send(ctx, limit, &userMessage{Type: typeUser, Message: *m})
}

// reply answers a control request.
func (s *session) reply(ctx context.Context, id string, answer any, refusal string, limit time.Duration) error {
	body := responseBody{Subtype: "success", RequestID: id, Response: answer}
	if refusal != "" {
		body = responseBody{Subtype: "error", RequestID: id, Error: refusal}
	}
	return s.send(ctx, limit, &controlResponse{Type: typeControlResponse, Response: body})
}

// send writes a line. A CLI that does not read it in time is killed.
func (s *session) send(ctx context.Context, limit time.Duration, v any) error {
	line, err := json.Marshal(v)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeoutCause(ctx, limit, errSilent)
	defer cancel()
	if err := s.proc.Write(ctx, append(line, '\n')); err != nil {
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		return fmt.Errorf("%w: %w", errEnded, err)
	}
	return nil
}

// receive waits for the next message, for so long.
func (s *session) receive(ctx context.Context, limit time.Duration) (*message, error) {
	line, err := s.line(ctx, limit)
	if err != nil {
		return nil, err
	}
	m := new(message)
	_ = json.Unmarshal(line, m) // a line that is none, such as a warning of a library, has no type that counts
	return m, nil
}

func (s *session) line(ctx context.Context, limit time.Duration) ([]byte, error) {
	line, _, err := s.next(ctx, limit, nil)
	return line, err
}

// next waits for a line or a decision, for so long.
func (s *session) next(
	ctx context.Context, limit time.Duration, decided <-chan decision,
) ([]byte, *decision, error) {
	timer := time.NewTimer(limit)
	defer timer.Stop()
	exited, gone := s.proc.Exited(), (<-chan time.Time)(nil)
	for {
		select {
		case line, ok := <-s.proc.Lines():
			if ok {
				return line, nil, nil
			}
			if err := s.proc.Err(); err != nil {
				return nil, nil, fmt.Errorf("%w: %w", errEnded, err)
			}
			return nil, nil, errEnded
		case d := <-decided:
			return nil, &d, nil
		case <-ctx.Done():
			return nil, nil, context.Cause(ctx)
		case <-timer.C:
			return nil, nil, errSilent
		case <-exited: // something else may hold its output open
			exited, gone = nil, time.After(afterExit)
		case <-gone:
			return nil, nil, errEnded
		}
	}
}

// quiet tells whether the CLI has said nothing of weight since it was given back: what nobody asked for is no part of
// the conversation that its client knows.
func (s *session) quiet() bool {
	for {
		select {
		case line, ok := <-s.proc.Lines():
			var m message
			if !ok || json.Unmarshal(line, &m) == nil && m.Type != typeSystem && m.Type != "keep_alive" {
				return false
			}
		default:
			return s.proc.Alive()
		}
	}
}

// interrupt tells a CLI that answers to stop, and waits until it has.
func (s *session) interrupt(ctx context.Context, limit time.Duration) {
	ctx, cancel := context.WithTimeoutCause(ctx, limit, errSilent)
	defer cancel()
	err := s.send(ctx, limit, &controlRequest{
		Type: typeControlRequest, RequestID: s.nextID("interrupt"), Request: map[string]string{"subtype": "interrupt"},
	})
	const refusal = "the request was given up"
	for _, id := range s.open {
		if err == nil {
			err = s.reply(ctx, id, nil, refusal, limit)
		}
	}
	for err == nil {
		var m *message
		if m, err = s.receive(ctx, limit); err != nil || m.Type == typeResult {
			return
		}
		if m.Type == typeControlRequest {
			err = s.reply(ctx, m.RequestID, nil, refusal, limit)
		}
	}
}

func (s *session) nextID(kind string) string {
	s.counter++
	return kind + "_" + strconv.Itoa(s.counter)
}
