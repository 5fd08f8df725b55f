package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"time"
)

// stalledClients has clients ask for streams without end and take nothing of them, while others go on.
func stalledClients(ctx context.Context, s scale, f *finding) (err error) {
	site, err := open(ctx, spec{Role: roleProxied, WriteIdle: s.writeIdle})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, site.close()) }()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	pace := newPace(ctx, site.proxy.url(), s.healthy)
	defer pace.stop(f)
	if err := pause(ctx, s.writeIdle); err != nil {
		return err
	}
	before, err := site.proxy.usage()
	if err != nil {
		return err
	}
	memory, calm := tcpMemory(), pace.take()
	conns, err := stall(ctx, site.proxy.addr, s.stalled)
	defer closeAll(conns)
	if err != nil {
		return err
	}
	seen, err := site.watch(ctx, s, pace)
	if err != nil {
		return err
	}
	crowded := pace.take()
	f.figuref("%d/%d upstreams free, the slowest %v after it could not go on", seen.fires.Ended, s.stalled,
		seen.fires.Slowest.Round(time.Millisecond))
	f.figuref("all after %v", seen.took.Round(100*time.Millisecond))
	if seen.fires.Ended != s.stalled {
		f.failf("%d of %d upstreams go on", s.stalled-seen.fires.Ended, s.stalled)
	}
	f.within("the slowest upstream", seen.fires.Slowest, s.writeIdle+2*time.Second)
	f.figuref("RSS %s + %s", mebibytes(before.RSS), mebibytes(seen.rss-before.RSS))
	if more := seen.rss - before.RSS; more > 64<<20 {
		f.failf("RSS grew by %s, the limit is 64 MiB", mebibytes(more))
	}
	f.figuref("p99 of %d others %v, before %v, while buffers filled %v", s.healthy, crowded.Round(time.Microsecond),
		calm.Round(time.Microsecond), seen.flooded.Round(time.Microsecond))
	const noise = 20 * time.Millisecond // of a machine with other work
	f.within("p99 of the others", crowded, max(2*calm, noise))
	return checkMemory(ctx, f, memory, seen.memory, conns)
}

// checkMemory tells what TCP holds when the proxy has given its clients up, and when these are gone.
func checkMemory(ctx context.Context, f *finding, before, most int64, conns []net.Conn) error {
	const floor = 8 << 20
	held, err := settled(ctx, before+floor)
	if err != nil {
		return err
	}
	closeAll(conns)
	after, err := settled(ctx, before+max(before/20, floor))
	if err != nil {
		return err
	}
	f.figuref("TCP memory %s, at most %s, %s while stalled clients stay, %s after", mebibytes(before), mebibytes(most),
		mebibytes(held), mebibytes(after))
	if after > before+max(before/20, floor) {
		f.failf("TCP memory was %s and is %s", mebibytes(before), mebibytes(after))
	}
	return nil
}

// settled waits up to 3 seconds until TCP holds no more than a limit, and returns what it holds.
func settled(ctx context.Context, limit int64) (int64, error) {
	for range 30 {
		if held := tcpMemory(); held <= limit {
			return held, nil
		}
		if err := pause(ctx, 100*time.Millisecond); err != nil {
			return 0, err
		}
	}
	return tcpMemory(), nil
}

// stall opens connections, asks for streams without end, and reads nothing.
func stall(ctx context.Context, addr string, n int) (conns []net.Conn, err error) {
	d := dialects()[0]
	for id := range n {
		conn, err := (&net.Dialer{}).DialContext(ctx, "tcp", addr)
		if err != nil {
			return conns, err
		}
		conns = append(conns, conn)
		if err := request(conn, d.path, d.body(order{kind: kindFire, id: id}), -1); err != nil {
			return conns, err
		}
	}
	return conns, nil
}

// request writes a request with a body, of which it announces size bytes, or as many as there are.
func request(conn net.Conn, path, body string, size int) error {
	if size < 0 {
		size = len(body)
	}
	_, err := fmt.Fprintf(conn, "POST %s%s HTTP/1.1\r\nHost: proxy\r\nContent-Type: application/json\r\n"+
		"Content-Length: %d\r\n\r\n%s", provider, path, size, body)
	return err
}

func closeAll(conns []net.Conn) {
	for _, c := range conns {
		_ = c.Close() // its error says nothing new
	}
}

// stalledSite is what was seen of a site while clients took nothing.
type stalledSite struct {
	fires   fires
	took    time.Duration // until the last upstream was free
	rss     int64         // the most
	memory  int64         // of TCP, the most
	flooded time.Duration // 99th percentile of the others' delays while all between upstream and clients filled up
}

// watch waits until all streams without end are over, or should have been.
func (st *site) watch(ctx context.Context, s scale, p *pace) (seen stalledSite, err error) {
	begun := time.Now()
	// Before an upstream cannot go on, what is between it and the client has to fill up.
	const fill = 20 * time.Second
	for time.Since(begun) < s.writeIdle+fill && seen.fires.Ended < s.stalled {
		if err := pause(ctx, 100*time.Millisecond); err != nil {
			return seen, err
		}
		r, err := st.upstream.do(command{Do: doFires})
		if err != nil {
			return seen, err
		}
		u, err := st.proxy.usage()
		if err != nil {
			return seen, err
		}
		if seen.flooded == 0 && r.Fires.Taken == seen.fires.Taken && r.Fires.Begun == s.stalled {
			seen.flooded = p.take()
		}
		seen.fires, seen.took = r.Fires, time.Since(begun)
		seen.rss, seen.memory = max(seen.rss, u.RSS), max(seen.memory, tcpMemory())
	}
	return seen, nil
}

func pause(ctx context.Context, d time.Duration) error {
	select {
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-time.After(d):
		return nil
	}
}
