package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"sync"
	"time"
)

// drains stops a proxy while streams run, again and again.
func drains(ctx context.Context, s scale, f *finding) error {
	sum := new(drained)
	for number := range s.drains {
		before := len(f.wrong)
		if err := sum.once(ctx, s, f); err != nil {
			return fmt.Errorf("run %d: %w", number, err)
		}
		if len(f.wrong)-before > 5 { // the others would say the same
			break
		}
	}
	f.figuref("%d runs, %d whole, %d ended with an error, the slowest exit after %v, %d requests refused, %d taken",
		sum.runs, sum.whole, sum.cut, sum.slowest.Round(time.Millisecond), sum.refused, sum.taken)
	f.within("exit", sum.slowest, s.grace+time.Second)
	if sum.taken > 0 {
		f.failf("%d requests were taken when the proxy was not ready", sum.taken)
	}
	return nil
}

// drained is what came of the runs so far.
type drained struct {
	runs, whole, cut int
	slowest          time.Duration
	refused, taken   int
}

// once starts a proxy, opens streams, stops it, and looks how each stream ended.
func (sum *drained) once(ctx context.Context, s scale, f *finding) (err error) {
	release := make(chan struct{})
	up, err := listen(ctx, &upstream{release: release})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, up.close()) }()
	proxy, err := start(ctx, spec{Role: roleProxied, Upstream: up.url()})
	if err != nil {
		return err
	}
	defer func() { _ = proxy.stop() }() // the second time, if all goes well
	client := newClient()
	defer client.CloseIdleConnections()
	open, err := openStreams(ctx, client, proxy.url()+provider, s.draining)
	if err != nil {
		return err
	}
	p := newProbe(ctx, proxy.url())
	timer := time.AfterFunc(s.grace/2, func() { close(release) })
	begun := time.Now()
	_, stopped := proxy.do(command{Do: doStop, Grace: s.grace})
	exit := proxy.stop()
	took := time.Since(begun)
	p.stop()
	if timer.Stop() {
		close(release)
	}
	if err := errors.Join(stopped, exit); err != nil {
		f.failf("stop: %v", err)
	}
	sum.runs++
	sum.slowest = max(sum.slowest, took)
	sum.refused += p.refused
	sum.taken += p.taken
	sum.judge(open, f)
	return nil
}

// judge looks how each stream ended.
func (sum *drained) judge(open []*openStream, f *finding) {
	for _, o := range open {
		text := <-o.text
		problem := o.dialect.badlyEnded(text)
		if o.order.kind == kindAwait {
			problem = o.dialect.wellEnded(text)
		}
		switch {
		case problem != "":
			f.failf("%s: %s", o.order.kind, problem)
		case o.order.kind == kindAwait:
			sum.whole++
		default:
			sum.cut++
		}
	}
}

// openStream is a stream that has begun.
type openStream struct {
	dialect dialect
	order   order
	text    chan string // all of it, when it has ended
}

// openStreams opens streams in all dialects: every other one ends when the upstream is released, the rest never.
func openStreams(ctx context.Context, c *http.Client, base string, n int) ([]*openStream, error) {
	streams := make([]*openStream, n)
	errs := make([]error, n)
	var opening sync.WaitGroup
	for id := range n {
		o := &openStream{
			dialect: dialects()[id/2%len(dialects())], text: make(chan string, 1),
			order: order{kind: []string{kindAwait, kindHold}[id%2], id: id},
		}
		streams[id] = o
		opening.Go(func() { errs[id] = o.open(ctx, c, base) })
	}
	opening.Wait()
	return streams, errors.Join(errs...)
}

// open returns when the stream has begun.
func (o *openStream) open(ctx context.Context, c *http.Client, base string) error {
	resp, err := post(ctx, c, base, o.dialect, o.order) //nolint:bodyclose // when the stream has ended
	if err != nil {
		return err
	}
	begin := make([]byte, 100)
	if _, err := io.ReadFull(resp.Body, begin); err != nil || resp.StatusCode != http.StatusOK {
		resp.Body.Close()
		return fmt.Errorf("status %d: %q: %w", resp.StatusCode, begin, err)
	}
	go func() {
		defer resp.Body.Close()
		rest, err := io.ReadAll(resp.Body)
		text := string(begin) + string(rest)
		if err != nil {
			text += err.Error()
		}
		o.text <- text
	}()
	return nil
}

// probe asks whether a proxy is ready, and sends it a request where it says that it is not.
type probe struct {
	cancel         context.CancelFunc
	running        sync.WaitGroup
	refused, taken int
}

func newProbe(ctx context.Context, base string) *probe {
	p := new(probe)
	ctx, p.cancel = context.WithCancel(ctx)
	p.running.Go(func() {
		c := newClient()
		defer c.CloseIdleConnections()
		for pause(ctx, 5*time.Millisecond) == nil {
			p.ask(ctx, c, base)
		}
	})
	return p
}

func (p *probe) ask(ctx context.Context, c *http.Client, base string) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, base+"/health/ready", http.NoBody)
	if err != nil {
		return
	}
	resp, err := c.Do(req)
	ready := err == nil && resp.StatusCode == http.StatusOK
	if err == nil {
		resp.Body.Close()
	}
	if ready {
		return
	}
	resp, err = post(ctx, c, base+provider, dialects()[0], order{kind: kindWhole})
	if err != nil {
		p.refused++
		return
	}
	defer resp.Body.Close()
	if resp.StatusCode == http.StatusServiceUnavailable {
		p.refused++
		return
	}
	p.taken++
}

func (p *probe) stop() {
	p.cancel()
	p.running.Wait()
}
