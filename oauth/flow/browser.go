package flow

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"sync"
	"syscall"
	"time"

	"github.com/ccproxy-go/ccproxy/oauth"
)

// browser waits for a browser on this machine.
func (a *attempt) browser(ctx context.Context) (*oauth.Credentials, error) {
	at, err := url.Parse(a.methods.LoopbackURI)
	if err != nil || at.Scheme != "http" || !isLoopback(at.Hostname()) {
		return nil, fmt.Errorf("%s: login by browser: %w", a.name, errors.ErrUnsupported)
	}
	listeners, port, err := a.listen(ctx, at)
	if err != nil {
		return nil, err
	}
	at.Host = net.JoinHostPort(at.Hostname(), strconv.Itoa(port))
	redirectURI := at.String()
	timeout := a.Timeout
	if timeout <= 0 {
		timeout = DefaultTimeout
	}
	s, address, err := a.begin(ctx, redirectURI)
	if err != nil {
		closeAll(listeners)
		return nil, err
	}
	d := &door{path: at.Path, arrived: make(chan redirected, 1), state: s.State}
	stop := d.serve(listeners)
	defer stop()
	waiting, cancel := context.WithTimeoutCause(ctx, timeout, ErrTimeout)
	defer cancel()
	visit := Visit{Method: Browser, URL: address, Expires: time.Now().Add(timeout)}
	if err := a.UI.Show(ctx, visit); err != nil {
		return nil, err
	}
	select {
	case r := <-d.arrived:
		return a.finish(ctx, redirectURI, r)
	case <-waiting.Done():
		return nil, context.Cause(waiting)
	}
}

// listen opens the port on the loopback interface, and nowhere else. A browser takes localhost for either
// address, so both must be ours.
func (a *attempt) listen(ctx context.Context, at *url.URL) ([]net.Listener, int, error) {
	open := a.Listen
	if open == nil {
		open = new(net.ListenConfig).Listen
	}
	port := at.Port()
	if port == "" {
		port = "80"
	}
	hosts := []string{at.Hostname()}
	if hosts[0] == "localhost" {
		hosts = []string{"127.0.0.1", "::1"}
	}
	var listeners []net.Listener
	for i, host := range hosts {
		l, err := open(ctx, "tcp", net.JoinHostPort(host, port))
		if err != nil && i > 0 && !errors.Is(err, syscall.EADDRINUSE) {
			continue // there is no IPv6 here
		}
		if err != nil {
			closeAll(listeners)
			return nil, 0, fmt.Errorf("%w: %w", ErrListen, err)
		}
		listeners = append(listeners, l)
		if tcp, ok := l.Addr().(*net.TCPAddr); ok {
			port = strconv.Itoa(tcp.Port)
		}
	}
	number, err := strconv.Atoi(port)
	if err != nil {
		closeAll(listeners)
		return nil, 0, fmt.Errorf("%w: port %q", ErrListen, port)
	}
	return listeners, number, nil
}

func closeAll(listeners []net.Listener) {
	for _, l := range listeners {
		_ = l.Close()
	}
}

func isLoopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}

// door is where the browser comes back to. It lets in one visitor, who knows the state; others learn nothing
// and change nothing.
type door struct {
	path    string
	arrived chan redirected

	mu    sync.Mutex
	state oauth.Secret // of the login that is waited for; none once somebody entered
}

// serve answers at the listeners until the function it returns is called, which waits for answers under way.
func (d *door) serve(listeners []net.Listener) (stop func()) {
	server := &http.Server{
		Handler: d, ReadHeaderTimeout: 10 * time.Second, ReadTimeout: 10 * time.Second,
		WriteTimeout: 10 * time.Second, MaxHeaderBytes: 64 << 10,
	}
	server.SetKeepAlivesEnabled(false)
	var wg sync.WaitGroup
	for _, l := range listeners {
		wg.Go(func() { _ = server.Serve(l) }) // always ends with ErrServerClosed
	}
	return func() {
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		if server.Shutdown(ctx) != nil {
			_ = server.Close()
		}
		wg.Wait()
	}
}

// ServeHTTP takes the redirect. What is in it never gets into the page.
func (d *door) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	h := w.Header()
	h.Set("Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'")
	h.Set("Referrer-Policy", "no-referrer") // the address holds the code
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Cache-Control", "no-store")
	h.Set("Content-Type", "text/html; charset=utf-8")
	host, _, err := net.SplitHostPort(r.Host)
	if err != nil {
		host = r.Host
	}
	if r.URL.Path != d.path || !isLoopback(host) {
		answer(w, http.StatusNotFound, "There is nothing here.")
		return
	}
	if r.Method != http.MethodGet {
		h.Set("Allow", http.MethodGet)
		answer(w, http.StatusMethodNotAllowed, "This address is for browsers.")
		return
	}
	back, err := fromQuery(r.URL.Query())
	if err != nil || !d.enter(back.state) {
		answer(w, http.StatusBadRequest, "This is not the login that is waited for.")
		return
	}
	d.arrived <- back // there is room: only one enters
	if back.problem != nil {
		answer(w, http.StatusOK, "The login was refused. You may close this window.")
		return
	}
	answer(w, http.StatusOK, "The login goes on where you began it. You may close this window.")
}

func (d *door) enter(state string) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	if state == "" || !d.state.Equal(oauth.NewSecret(state)) {
		return false
	}
	d.state = oauth.Secret{}
	return true
}

func answer(w http.ResponseWriter, status int, text string) {
	w.WriteHeader(status)
	_, _ = io.WriteString(w, "<!doctype html><meta charset=\"utf-8\"><title>Login</title><p>"+text+"</p>\n")
}
