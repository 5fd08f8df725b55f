package ccproxy

import (
	"errors"
	"net/http"
	"time"

	"github.com/ccproxy-go/ccproxy/hooks"
	"github.com/ccproxy-go/ccproxy/internal/retryafter"
)

// setback is a failure of an attempt for which the client has not been sent anything.
type setback struct {
	cause   error  // as it came
	err     *Error // in the terms of clients
	status  int
	after   time.Duration // how long the upstream wants to be left alone; 0 where it does not say
	latency time.Duration
	unsent  bool // the upstream has not seen the request
	unasked bool // nobody has tried to send it
	told    bool // it was the upstream that said so
	final   bool // nobody is to be asked again
}

// setbackOf tells what an error is worth.
func setbackOf(err error, latency time.Duration) *setback {
	e := asError(err)
	s := &setback{cause: err, err: e, status: e.status(), after: e.RetryAfter, latency: latency, unsent: unsent(err)}
	if s.after == 0 && e.Header != nil {
		s.after, _ = retryafter.From(e.Header, time.Now())
	}
	// These two are the proxy's own words.
	s.told = s.status != http.StatusBadGateway && s.status != http.StatusGatewayTimeout
	s.final = isOurs(err) || errors.Is(err, ErrBegun)
	s.unasked = errors.Is(err, ErrNotAsked)
	return s
}

// setback is what an answer with the status of an error is worth.
func (t *relay) setback() *setback {
	s := &setback{
		err: &Error{Status: t.ans.Status, Message: http.StatusText(t.ans.Status)}, status: t.ans.Status,
		latency: time.Since(t.begun), told: true,
	}
	s.after, _ = retryafter.From(t.ans.Header, time.Now())
	if t.ans.Header.Get("X-Should-Retry") == "false" {
		s.told = false // it wants no other, whatever the status
	}
	return s
}

// isOurs tells of failures that the provider has no part in.
func isOurs(err error) bool {
	_, refused := errors.AsType[*hooks.MutatorError](err)
	return refused || errors.Is(err, errClientGone) || errors.Is(err, ErrDraining)
}

// fallsBack tells whether somebody else may be asked: after failures that the client is not to blame for.
func (s *setback) fallsBack() bool {
	switch s.status {
	case http.StatusUnauthorized, http.StatusPaymentRequired, http.StatusForbidden, http.StatusNotFound,
		http.StatusRequestTimeout, http.StatusConflict, http.StatusTooManyRequests:
		return true
	}
	return s.status >= http.StatusInternalServerError
}

// judge tells the breaker how an attempt has gone, and the budget of retries if it went well.
func (t *relay) judge(err error) {
	if err == nil && t.ans.estimated {
		return // nobody was called
	}
	if err == nil && t.ex.failure == nil && t.ans.Status < http.StatusBadRequest {
		t.leave.end(succeeded)
		if t.memory.retry.Max > 0 {
			t.memory.budget.earn(t.memory.retry.Budget)
		}
		return
	}
	if t.leave.of != nil {
		t.leave.end(t.outcome(err))
	}
}

func (t *relay) outcome(err error) outcome {
	if err == nil {
		err = t.ex.failure
	}
	status := 0
	switch {
	case isOurs(err), errors.Is(err, ErrNotAsked):
		return undecided
	case t.blamed > 0:
		status = t.blamed
	case t.ans != nil && t.ans.Status >= http.StatusBadRequest:
		status = t.ans.Status
	case err != nil:
		status = asError(err).status()
	}
	switch {
	case status >= http.StatusInternalServerError:
		return failed
	case t.ans == nil:
		return undecided // the provider may have refused the call by itself
	}
	return succeeded
}

// attemptFailed tells hooks of a failure that the provider has a part in, and what comes next.
func (t *relay) attemptFailed(s *setback, again bool, to target) {
	if !t.ex.enabled(hooks.EventProviderError) || isOurs(s.cause) {
		return
	}
	event := &hooks.ProviderError{
		Status: t.upstreamStatus(s), Type: typeOf(t.ex.format, s.err.info("")), Err: s.err.Error(), Latency: s.latency,
		Attempt: t.ex.attempts, Retrying: again,
	}
	if s.unasked {
		event.Attempt = 0
	}
	if to != (target{}) {
		event.Failover, event.FailoverProvider = to.String(), to.provider
	}
	t.ex.emit(event)
}

// upstreamStatus is what the upstream has answered, zero if it has not.
func (t *relay) upstreamStatus(s *setback) int {
	e, said := errors.AsType[*Error](s.cause)
	switch {
	case s.unasked:
		return 0
	case said && s.told && e.Status != 0:
		return s.status
	case t.ans != nil:
		return t.ans.Status
	}
	return 0
}
