package providers

import (
	"context"
	"errors"
	"maps"
	"net/http"
	"net/url"
	"sync"
	"time"

	"github.com/ccproxy-go/ccproxy"
)

// attempt sends an authorized request, with one account after the other where there are several. secrets are the
// credentials of the last. It takes over the header. call is nil for what no client has asked for.
func (p *Provider) attempt(
	ctx context.Context, call *ccproxy.Call, method string, u *url.URL, h http.Header, body []byte,
) (resp *http.Response, secrets []string, err error) {
	out := outgoing{call: call, method: method, url: u, header: h, body: body}
	if pool, ok := p.upstream.Credentials.(Pool); ok {
		return newAttempts(p, pool, out).run(ctx)
	}
	return p.attemptWith(ctx, p.upstream.Credentials, "", out)
}

// attempts are those of one request with the accounts of a pool.
type attempts struct {
	provider *Provider
	pool     Pool
	out      outgoing
	header   http.Header // without credentials
	choice   Choice

	begun   time.Time // of the last one
	refused int       // its status, 0 where nothing was sent
	stream  *turnBody // its answer, if that is a stream
}

func newAttempts(p *Provider, pool Pool, out outgoing) *attempts {
	a := &attempts{provider: p, pool: pool, out: out, header: out.header}
	if out.call != nil {
		a.choice.Session, a.choice.Model = out.call.Session, out.call.Model
	}
	return a
}

// run makes attempts until one of them is not refused, or nobody is left. A second run goes on where the first has
// ended; without anybody left there is neither a response nor an error then.
func (a *attempts) run(ctx context.Context) (resp *http.Response, secrets []string, err error) {
	for again := true; again; {
		first := len(a.choice.Tried) == 0
		if ctx.Err() != nil && !first {
			break // nobody waits for another account's answer
		}
		latency := time.Since(a.begun)
		turn, none := a.pool.Next(ctx, a.choice)
		if none != nil && first {
			return nil, nil, none
		}
		if none != nil {
			break // what the last attempt brought says more
		}
		if !first {
			a.out.retrying(a.choice.Tried[len(a.choice.Tried)-1], a.refused, latency)
		}
		last, told := refusal{resp, secrets, a.refused, a.stream}, resp != nil
		a.out.sending = func() {
			if told {
				told = false
				_ = last.resp.Body.Close() // nobody gets this answer
			}
		}
		a.begun = time.Now()
		resp, secrets, again, err = a.take(ctx, turn)
		a.choice.Tried = append(a.choice.Tried, turn.Account())
		if told { // nothing was sent with this account, which says less
			resp, secrets, a.refused, a.stream, err = last.resp, last.secrets, last.status, last.stream, nil
		}
	}
	return resp, secrets, err
}

// refusal is an answer after which another account is tried.
type refusal struct {
	resp    *http.Response
	secrets []string
	status  int
	stream  *turnBody
}

// take sends a request with one account.
func (a *attempts) take(
	ctx context.Context, turn Turn,
) (resp *http.Response, secrets []string, again bool, err error) {
	end := sync.OnceFunc(turn.End)
	defer func() {
		if resp == nil {
			end() // also where credentials panic
		}
	}()
	out := a.out
	out.header = maps.Clone(a.header)
	resp, secrets, err = a.provider.attemptWith(ctx, turn.Credentials(), turn.Account(), out)
	if err != nil {
		a.refused, a.stream = 0, nil
		_, unauthorized := errors.AsType[*authorizeError](err)
		return nil, nil, turn.Report(ctx, Outcome{Err: err, NoCredentials: unauthorized}), err
	}
	if err := decodeStream(resp); err != nil {
		_ = resp.Body.Close() // it is not read
		a.refused, a.stream = 0, nil
		return nil, nil, turn.Report(ctx, Outcome{Err: err}), err
	}
	a.refused = resp.StatusCode
	a.stream, again = newTurnBody(ctx, turn, resp, end)
	resp.Body = a.stream
	return resp, secrets, again, nil
}

// refusedLate tells whether the answer is a stream that has begun with an error, and another account may do better.
func (a *attempts) refusedLate() bool {
	if a.stream == nil || !a.stream.again {
		return false
	}
	a.refused, a.stream = a.stream.status, nil
	return true
}

// sendInTurn sends a request with the accounts of a pool. A stream that begins with an error can be asked for again.
func (p *Provider) sendInTurn(ctx context.Context, a *attempts) (*ccproxy.Answer, error) {
	resp, secrets, err := a.run(ctx) //nolint:bodyclose // it is the answer's
	if err != nil || resp == nil {
		return nil, err
	}
	ans, err := p.answered(a.out.call, resp, secrets)
	if err == nil && a.stream != nil && a.stream.report != nil {
		ans.Again = func(ctx context.Context) (*ccproxy.Answer, error) {
			if !a.refusedLate() {
				return nil, nil //nolint:nilnil // the answer stands
			}
			return p.sendInTurn(ctx, a)
		}
	}
	return ans, err
}

// answered makes an answer of a response.
func (p *Provider) answered(call *ccproxy.Call, resp *http.Response, secrets []string) (*ccproxy.Answer, error) {
	if resp.StatusCode >= http.StatusBadRequest {
		return p.failed(resp, secrets)
	}
	return p.answer(call, resp, secrets)
}
