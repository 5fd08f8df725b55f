package command

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"sync"

	"github.com/ccproxy-go/ccproxy"
	"github.com/ccproxy-go/ccproxy/config"
)

// server is a proxy behind a port.
type server struct {
	app      *app
	options  config.Options
	logFile  string
	reload   bool
	file     *config.File // as it was at the start: what of it is not the proxy's stays
	logger   *slog.Logger
	log      io.Closer
	listener net.Listener
	http     *http.Server
	handle   ccproxy.Handle
}

// open reads the configuration, listens, and starts the proxy. After an error nothing is left open.
func (s *server) open(ctx context.Context) error {
	file, err := config.Load(&s.app.registry, s.options)
	if err != nil {
		return err
	}
	s.file = file
	handler, log, err := openLog(s.logFile, file.Logging,
		newHandler(s.app.Stderr, file.Logging, s.app.variable("NO_COLOR") != ""))
	if err != nil {
		return err
	}
	s.logger, s.log = slog.New(handler), log
	for _, w := range file.Warnings {
		s.logger.WarnContext(ctx, "configuration is doubtful", "warning", w)
	}
	// A port that is taken is an error before any plugin has begun its work.
	if s.listener, err = file.Listen(ctx); err != nil {
		return errors.Join(err, s.log.Close())
	}
	proxy, err := s.build(file)
	if err == nil {
		err = s.handle.Swap(ctx, proxy)
	}
	if err != nil {
		return errors.Join(err, s.listener.Close(), s.log.Close())
	}
	s.http = ccproxy.NewServer(&s.handle)
	s.http.ReadHeaderTimeout = file.Server.ReadHeaderTimeout
	s.http.IdleTimeout = file.Server.IdleTimeout
	s.http.ErrorLog = slog.NewLogLogger(handler, slog.LevelWarn)
	return nil
}

// abandon gives up a server that was opened and never served.
func (s *server) abandon(ctx context.Context, err error) error {
	return errors.Join(err, s.listener.Close(), s.handle.Proxy().Shutdown(context.WithoutCancel(ctx)))
}

// build makes the proxy of a file. Where the name of the host led to is known by now.
func (s *server) build(f *config.File) (*ccproxy.Proxy, error) {
	settings, err := f.SettingsAt(s.listener.Addr())
	if err != nil {
		return nil, err
	}
	var extra []ccproxy.Option
	if f.Server.PublicURL != "" {
		extra = append(extra, ccproxy.WithPublicURL(f.Server.PublicURL))
	}
	return s.app.build(settings, s.logger, extra...)
}

// serve answers until ctx ends or the port fails. It returns nil if all that was being served then came to its end.
func (s *server) serve(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	failed := make(chan error, 1)
	go func() { failed <- s.http.Serve(s.listener) }()
	reloader := &config.Reloader{
		Registry: &s.app.registry, Options: s.options, Handle: &s.handle, Current: s.file, Build: s.build,
		OnLoad: s.compareLogging, Logger: s.logger,
	}
	var reloads sync.WaitGroup
	if s.reload {
		reloads.Go(func() { _ = reloader.Run(ctx) }) // it has no error where there is a proxy already
	}
	reloads.Go(func() { s.reloadOnHangup(ctx, reloader) })
	var err error
	select {
	case <-ctx.Done():
		s.logger.InfoContext(ctx, "stopping", "shutdown_timeout", s.file.Server.ShutdownTimeout.String())
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
		case <-s.app.Hangup:
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
