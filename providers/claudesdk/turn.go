package claudesdk

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/ccproxy-go/ccproxy"
	"github.com/ccproxy-go/ccproxy/adapters"
)

// pingEvery is how often a client is told at least that a tool of the CLI still runs or is asked for.
const pingEvery = 30 * time.Second

// answer asks a CLI and yields what it says.
func (p *provider) answer(ctx context.Context, j *job, yield func(adapters.Event, error) bool) {
	t := newTranslator(p.config, yield)
	reused, err := p.attempt(ctx, j, t, j.owner != "")
	if reused && !t.started && (errors.Is(err, errEnded) || errors.Is(err, errStray)) {
		// It died or went astray while it was kept, so another takes its place.
		_, err = p.attempt(ctx, j, t, false)
	}
	if err != nil && !errors.Is(err, errLeft) {
		yield(adapters.Event{}, t.final(explain(err)))
	}
}

// attempt answers with one CLI, and tells whether it was one that had been kept.
func (p *provider) attempt(ctx context.Context, j *job, t *translator, reuse bool) (reused bool, err error) {
	s, err := p.pool.take(ctx, j.key, j.conversation.before, reuse)
	if err != nil {
		return false, err
	}
	if s == nil {
		s, err = p.start(ctx, j)
	} else {
		reused = true
	}
	if err != nil {
		return false, err
	}
	answering, done := true, false
	defer func() { // also where the client's side panics
		if done {
			p.pool.give(s)
			return
		}
		p.end(s, answering)
	}()
	m, err := p.converse(ctx, s, j, t, !reused)
	if err != nil {
		answering = !errors.Is(err, errEnded) && !errors.Is(err, errSilent)
		return reused, err
	}
	answering = false
	cost := m.TotalCostUSD - s.cost
	s.cost = m.TotalCostUSD
	if err := t.finish(m, max(cost, 0)); err != nil {
		return reused, err
	}
	s.memory = j.conversation.after.answered(t.text)
	done = m.Subtype == "success"
	return reused, nil
}

// start starts a CLI that knows the conversation up to the last message.
func (p *provider) start(ctx context.Context, j *job) (*session, error) {
	dir, err := p.dir()
	if err != nil {
		p.pool.gone(nil)
		return nil, fmt.Errorf("%w: %w", errBegin, err)
	}
	l := j.launch
	l.dir, l.ended = dir, p.pool.expire
	limit := p.config.SessionPool.StreamFirstChunkTimeout
	s, err := startSession(ctx, &l, limit)
	if s == nil {
		p.pool.gone(nil)
		return nil, fmt.Errorf("%w: %w", errBegin, err)
	}
	s.key, s.owner, s.counted = j.key, j.owner, true
	if err == nil {
		messages := j.conversation.messages
		err = s.recall(ctx, messages[:len(messages)-1], limit)
	}
	if err == nil {
		return s, nil
	}
	if ctx.Err() == nil {
		p.logger.WarnContext(ctx, "the CLI did not begin", "error", err, "stderr", s.proc.Stderr())
	}
	p.end(s, false)
	return nil, fmt.Errorf("%w: %w", errBegin, err)
}

// converse asks for an answer and passes it on, up to the result. A CLI that was kept begins each answer by saying
// so; what comes before belongs to nothing that was asked.
func (p *provider) converse(
	ctx context.Context, s *session, j *job, t *translator, begun bool,
) (*message, error) {
	limits := p.config.SessionPool
	messages := j.conversation.messages
	if err := s.ask(ctx, &messages[len(messages)-1], limits.StreamFirstChunkTimeout); err != nil {
		return nil, err
	}
	open := newQuestions()
	defer func() { s.open = open.close() }()
	wait := limits.StreamFirstChunkTimeout
	for {
		line, err := p.await(ctx, s, t, open, wait)
		if err != nil {
			return nil, err
		}
		wait = limits.StreamOngoingTimeout
		var m message
		if json.Unmarshal(line, &m) != nil { // such as a warning of a library
			continue
		}
		begun = begun || m.Type == typeSystem && m.Subtype == "init"
		switch {
		case m.Type == typeControlCancel:
			open.drop(m.RequestID)
		case !begun && m.Type != typeSystem && m.Type != typeControlRequest:
			return nil, errStray
		case m.Type == typeResult:
			return &m, nil
		case m.Type == typeControlRequest:
			err = p.control(ctx, s, open, &m)
		default:
			err = t.take(&m, line)
		}
		if err != nil {
			return nil, err
		}
	}
}

// await waits for a line, and meanwhile answers the CLI's questions. While one of these is open, or a tool of the CLI
// runs, there is nothing to be heard, which is no fault.
func (p *provider) await(
	ctx context.Context, s *session, t *translator, open *questions, limit time.Duration,
) ([]byte, error) {
	for {
		busy, wait := t.running > 0 || len(open.open) > 0, limit
		if busy {
			wait = min(limit, pingEvery)
		}
		line, d, err := s.next(ctx, wait, open.decided)
		switch {
		case d != nil:
			err = p.pass(ctx, s, open, d)
		case !busy || !errors.Is(err, errSilent):
			return line, err
		case t.started:
			err = t.emit("ping", map[string]string{"type": "ping"})
		default:
			err = nil
		}
		if err != nil {
			return nil, err
		}
	}
}

// pass passes a decision on, unless the CLI has taken its question back.
func (p *provider) pass(ctx context.Context, s *session, open *questions, d *decision) error {
	if open.open[d.question.id] != d.question {
		return nil
	}
	open.drop(d.question.id)
	return s.reply(ctx, d.question.id, d.answer, "", p.config.SessionPool.StreamFirstChunkTimeout)
}

// control takes a request of the CLI, and answers it if nobody has to be asked.
func (p *provider) control(ctx context.Context, s *session, open *questions, m *message) error {
	limit := p.config.SessionPool.StreamFirstChunkTimeout
	var q toolQuestion
	if json.Unmarshal(m.Request, &q) != nil || q.Subtype != "can_use_tool" {
		return s.reply(ctx, m.RequestID, nil, "not supported", limit)
	}
	if open.open[m.RequestID] == nil && len(open.open) >= maxQuestions {
		return s.reply(ctx, m.RequestID, denied(&q, "Too many tools are asked for at the same time."), "", limit)
	}
	open.put(ctx, p, m.RequestID, &q)
	return nil
}

// closeGrace is how long a CLI may take to end by itself.
const closeGrace = 2 * time.Second

// end ends a CLI in the background, since nobody waits for it. One that is answering is told to stop first, so that
// what it does and what it has started stops in good order.
func (p *provider) end(s *session, answering bool) {
	limit := p.config.SessionPool.StreamInterruptTimeout
	p.pool.ending.Add(1)
	p.spawn("end of a CLI", func(ctx context.Context) {
		defer p.pool.gone(s)
		if answering {
			s.interrupt(ctx, limit)
		}
		s.proc.Close(ctx, min(closeGrace, limit))
	})
}

// explain is what a client is told of a failure. With 503 nothing was asked of a model.
func explain(err error) error {
	if _, ok := errors.AsType[*ccproxy.Error](err); ok {
		return err
	}
	status := http.StatusBadGateway
	if errors.Is(err, errBegin) {
		status = http.StatusServiceUnavailable
	}
	switch {
	case errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		return err
	case errors.Is(err, errSilent):
		return &ccproxy.Error{Status: http.StatusGatewayTimeout, Message: errSilent.Error(), Err: err}
	case errors.Is(err, errEnded):
		return &ccproxy.Error{Status: status, Message: "the CLI ended before its answer did", Err: err}
	case errors.Is(err, errTooOld):
		return &ccproxy.Error{Status: status, Message: "the installed CLI is too old for conversations", Err: err}
	default:
		return &ccproxy.Error{Status: status, Message: "the CLI could not be used", Err: err}
	}
}

// final makes a failure one after which nobody is asked again, if the CLI has used tools: what they did is done.
func (t *translator) final(err error) error {
	if e, ok := errors.AsType[*ccproxy.Error](err); ok && t.worked {
		e.Err = errors.Join(ccproxy.ErrBegun, e.Err)
	}
	return err
}
