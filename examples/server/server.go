package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"time"

	"github.com/lmittmann/tint"

	"github.com/ccproxy-go/ccproxy"
	"github.com/ccproxy-go/ccproxy/bundled"
)

const (
	drainTime = 10 * time.Second
	// partingTime is for the last bytes of requests that the end of drainTime cut off.
	partingTime = time.Second
)

// run serves until ctx ends. It returns nil when everything that was being served then has come to its end.
func run(ctx context.Context, args []string, stdout, stderr io.Writer, env func(string) string) error {
	cfg, err := load(args, env, stderr)
	if err != nil {
		return err
	}
	logger := newLogger(stderr, cfg.level, env("NO_COLOR") != "")
	var reg ccproxy.Registry
	if err := reg.Register(bundled.Factories()...); err != nil {
		return err
	}
	proxy, err := reg.Build(cfg.settings, ccproxy.WithLogger(logger))
	if err != nil {
		return err
	}
	// A port that is taken is an error before any plugin has begun its work.
	listener, err := listen(ctx, cfg)
	if err != nil {
		return errors.Join(err, proxy.Shutdown(ctx))
	}
	if err := proxy.Start(ctx); err != nil {
		return errors.Join(err, listener.Close())
	}
	s := &server{proxy: proxy, http: newHTTPServer(guard(proxy, cfg.allowRemote), logger), logger: logger}
	b := newBanner(listener.Addr(), reg.Manifests(), proxy.Statuses())
	if err := b.write(stdout); err != nil {
		return errors.Join(err, listener.Close(), s.stop(ctx))
	}
	return s.serve(ctx, listener)
}

// newLogger writes for people if w is a terminal, and JSON otherwise.
func newLogger(w io.Writer, level slog.Level, plain bool) *slog.Logger {
	if isTerminal(w) {
		return slog.New(tint.NewTextHandler(w, &tint.Options{Level: level, TimeFormat: time.TimeOnly, NoColor: plain}))
	}
	return slog.New(slog.NewJSONHandler(w, &slog.HandlerOptions{Level: level}))
}

func isTerminal(w io.Writer) bool {
	f, ok := w.(*os.File)
	if !ok {
		return false
	}
	info, err := f.Stat()
	return err == nil && info.Mode()&os.ModeCharDevice != 0
}

// listen opens the port. A name such as localhost may lead anywhere, so what it led to is checked once more.
func listen(ctx context.Context, cfg config) (net.Listener, error) {
	var lc net.ListenConfig
	listener, err := lc.Listen(ctx, "tcp", cfg.address())
	if err != nil {
		return nil, err
	}
	tcp, ok := listener.Addr().(*net.TCPAddr)
	if !cfg.allowRemote && (!ok || !tcp.IP.IsLoopback()) {
		return nil, errors.Join(fmt.Errorf("host %q is %s: %w", cfg.host, listener.Addr(), errRemote), listener.Close())
	}
	return listener, nil
}

func newHTTPServer(h http.Handler, logger *slog.Logger) *http.Server {
	return &http.Server{
		Handler:           h,
		ReadHeaderTimeout: 10 * time.Second,
		IdleTimeout:       120 * time.Second,
		MaxHeaderBytes:    64 << 10,
		// No WriteTimeout: answers stream for as long as models think, and the proxy itself gives up on clients
		// that take nothing.
		ErrorLog: slog.NewLogLogger(logger.Handler(), slog.LevelWarn),
	}
}

// server is a proxy behind a port.
type server struct {
	proxy  *ccproxy.Proxy
	http   *http.Server
	logger *slog.Logger
}

// serve answers until ctx ends or the port fails.
func (s *server) serve(ctx context.Context, l net.Listener) error {
	failed := make(chan error, 1)
	go func() { failed <- s.http.Serve(l) }()
	var err error
	select {
	case <-ctx.Done():
		s.logger.Info("stopping", "drain_time", drainTime.String())
	case err = <-failed:
	}
	return errors.Join(err, s.stop(ctx))
}

// stop lets requests finish, and cuts off those that take longer than drainTime. The proxy goes last, when its hooks
// have been told of everything.
func (s *server) stop(ctx context.Context) error {
	ctx = context.WithoutCancel(ctx)
	draining, cancel := context.WithTimeout(ctx, drainTime)
	defer cancel()
	drained := s.proxy.Drain(draining)
	if drained == nil {
		drained = s.http.Shutdown(draining)
	}
	stopped := s.proxy.Shutdown(draining)
	if drained == nil {
		return stopped
	}
	parting, cancelParting := context.WithTimeout(ctx, partingTime)
	defer cancelParting()
	if s.http.Shutdown(parting) != nil {
		_ = s.http.Close() // they had their time
	}
	s.logger.Warn("requests were cut off", "reason", drained)
	return stopped
}
