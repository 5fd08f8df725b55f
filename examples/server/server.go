package main

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"os"
	"sync"

	"github.com/ccproxy-go/ccproxy"
	"github.com/ccproxy-go/ccproxy/bundled"
	"github.com/ccproxy-go/ccproxy/config"
)

// server is a proxy behind a port.
type server struct {
	process  process
	options  config.Options
	registry ccproxy.Registry
	file     *config.File // as it was at the start: what of it is not the proxy's stays
	logger   *slog.Logger
	listener net.Listener
	http     *http.Server
	handle   ccproxy.Handle
}

// open reads the configuration, listens, and starts the proxy. After an error nothing is left open.
func (s *server) open(ctx context.Context) error {
	if err := s.registry.Register(bundled.Factories()...); err != nil {
		return err
	}
	file, err := config.Load(&s.registry, s.options)
	if err != nil {
		return err
	}
	s.file = file
	s.logger = newLogger(s.process.stderr, file.Logging, s.process.hasVariable("NO_COLOR"))
	for _, w := range file.Warnings {
		s.logger.WarnContext(ctx, "configuration is doubtful", "warning", w)
	}
	// A port that is taken is an error before any plugin has begun its work.
	if s.listener, err = file.Listen(ctx); err != nil {
		return err
	}
	proxy, err := s.build(file)
	if err == nil {
		err = s.handle.Swap(ctx, proxy)
	}
	if err != nil {
		return errors.Join(err, s.listener.Close())
	}
	s.http = ccproxy.NewServer(&s.handle)
	s.http.ReadHeaderTimeout = file.Server.ReadHeaderTimeout
	s.http.IdleTimeout = file.Server.IdleTimeout
	s.http.ErrorLog = slog.NewLogLogger(s.logger.Handler(), slog.LevelWarn)
	return nil
}

// build makes the proxy of a file. Where the name of the host led to is known by now.
func (s *server) build(f *config.File) (*ccproxy.Proxy, error) {
	settings, err := f.SettingsAt(s.listener.Addr())
	if err != nil {
		return nil, err
	}
	options := []ccproxy.Option{ccproxy.WithLogger(s.logger)}
	if f.Server.PublicURL != "" {
		options = append(options, ccproxy.WithPublicURL(f.Server.PublicURL))
	}
	return s.registry.Build(settings, options...)
}

// serve answers until ctx ends or the port fails. It returns nil if all that was being served then came to its end.
func (s *server) serve(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	failed := make(chan error, 1)
	go func() { failed <- s.http.Serve(s.listener) }()
	reloader := &config.Reloader{
		Registry: &s.registry, Options: s.options, Handle: &s.handle, Current: s.file, Build: s.build,
		OnLoad: s.compareLogging, Logger: s.logger,
	}
	var reloads sync.WaitGroup
	reloads.Go(func() { _ = reloader.Run(ctx) }) // it has no error where there is a proxy already
	reloads.Go(func() { s.reloadOnHangup(ctx, reloader) })
	var err error
	select {
	case <-ctx.Done():
		s.logger.Info("stopping", "shutdown_timeout", s.file.Server.ShutdownTimeout.String())
	case err = <-failed:
	}
	cancel()
	return errors.Join(err, s.stop(context.WithoutCancel(ctx), &reloads))
}

func (s *server) reloadOnHangup(ctx context.Context, r *config.Reloader) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-s.process.hangup:
			if err := r.Reload(ctx); err != nil {
				s.logger.ErrorContext(ctx, "configuration not reloaded, the running one stays", "error", err.Error())
			}
		}
	}
}

// compareLogging tells of changes that a running logger does not take.
func (s *server) compareLogging(f *config.File) {
	if f.Logging != s.file.Logging {
		s.logger.Warn("[logging] takes effect with a restart")
	}
}

// stop lets requests finish, and cuts off those that take longer than the file says.
func (s *server) stop(ctx context.Context, reloads *sync.WaitGroup) error {
	stopping, cancel := context.WithTimeout(ctx, s.file.Server.ShutdownTimeout)
	defer cancel()
	err := s.handle.StopServer(stopping, s.http)
	reloads.Wait()
	if errors.Is(err, context.DeadlineExceeded) {
		s.logger.WarnContext(ctx, "requests were cut off", "reason", context.DeadlineExceeded.Error())
	}
	return err
}

// hasVariable tells whether a variable of the environment is set to anything.
func (p process) hasVariable(name string) bool {
	if p.environ == nil {
		return os.Getenv(name) != ""
	}
	for _, entry := range p.environ {
		if len(entry) > len(name)+1 && entry[:len(name)+1] == name+"=" {
			return true
		}
	}
	return false
}
