package config

import (
	"context"
	"crypto/sha256"
	"fmt"
	"log/slog"
	"reflect"
	"sync"
	"time"

	"github.com/ccproxy-go/ccproxy"
)

// The defaults of a Reloader.
const (
	defaultInterval = 2 * time.Second
	defaultDrain    = 5 * time.Minute
)

// Reloader puts a new proxy in the place of the running one when the configuration's file changes. A wrong file
// changes nothing: the running proxy stays, and the log says what is wrong, once for each change.
//
// The file is looked at every Interval: files that are renamed over, linked anew or on a network are noticed alike.
// Changes of the environment are not. The server is the application's: but for server.public_url, its keys take effect
// with a restart.
//
// Its fields must not change once Run or Reload was called.
type Reloader struct {
	// Registry and Options are those of [Load].
	Registry *ccproxy.Registry
	Options  Options
	// Handle is what serves. Required.
	Handle *ccproxy.Handle
	// Current is the configuration that Handle's proxy was built from. Nil means that there is no proxy yet: Run
	// begins with putting one there.
	Current *File
	// Build makes the proxy. Nil means Registry.Build with the settings, the public URL and Logger.
	Build func(*File) (*ccproxy.Proxy, error)
	// OnLoad, if set, is called with each new configuration that is right, after its proxy was built and before
	// that takes over; such as to set the level of a logger.
	OnLoad func(*File)
	// Interval is the time between looks at the file. Defaults to 2 seconds.
	Interval time.Duration
	// Drain is how long the old proxy's requests may go on. Further changes wait for it. Defaults to 5 minutes.
	Drain time.Duration
	// Logger is told of reloads and of what is wrong. Nil means nobody is.
	Logger *slog.Logger

	mu      sync.Mutex
	current *File
	seen    snapshot
}

// snapshot is what a look at the file finds. It can be compared.
type snapshot struct {
	path    string
	content digest
	problem string
}

// look reads the file anew.
func (r *Reloader) look() snapshot {
	path := find(r.Options, r.Options.environ())
	if path == "" {
		return snapshot{}
	}
	content, _, err := read(path)
	if err != nil {
		return snapshot{path: path, problem: err.Error()}
	}
	return snapshot{path: path, content: sha256.Sum256(content)}
}

// Run watches until ctx ends, and returns nil then. It fails only if there is no proxy yet and the first one cannot be
// put in place. The proxy goes on when Run has returned: the application stops it.
func (r *Reloader) Run(ctx context.Context) error {
	if r.Current == nil {
		if err := r.Reload(ctx); err != nil {
			return err
		}
	} else {
		r.adopt(r.Current)
	}
	ticker := time.NewTicker(orDefault(r.Interval, defaultInterval))
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-ticker.C:
			r.check(ctx)
		}
	}
}

// adopt notes which configuration is in use, unless a reload has been there first.
func (r *Reloader) adopt(f *File) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.current == nil {
		r.current, r.seen = f, snapshot{path: f.Path, content: f.content}
	}
}

// check reloads if the file is another one than at the last time.
func (r *Reloader) check(ctx context.Context) {
	now, changed := r.settled(ctx)
	if !changed {
		return
	}
	if now.path == "" {
		r.note(now)
		r.logger().ErrorContext(ctx, "configuration file is gone, the running configuration stays")
		return
	}
	if err := r.reload(ctx, now); err != nil {
		r.logger().ErrorContext(ctx, "configuration not reloaded, the running one stays", "error", err.Error())
	}
}

// settled waits until two looks find the same, so that a file that is just being written is not taken for whole.
func (r *Reloader) settled(ctx context.Context) (now snapshot, changed bool) {
	r.mu.Lock()
	seen := r.seen
	r.mu.Unlock()
	now = r.look()
	for now != seen {
		select {
		case <-ctx.Done():
			return now, false
		case <-time.After(orDefault(r.Interval, defaultInterval) / 10):
		}
		again := r.look()
		if again == now {
			return now, true
		}
		now = again
	}
	return now, false
}

func (r *Reloader) note(s snapshot) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.seen = s
}

// Reload loads the configuration and puts a proxy of it in place, whether the file has changed or not. It returns
// when the old proxy's requests have ended, or Drain has passed. An error means that the old proxy goes on.
func (r *Reloader) Reload(ctx context.Context) error { return r.reload(ctx, r.look()) }

func (r *Reloader) reload(ctx context.Context, now snapshot) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.seen = now
	f, err := Load(r.Registry, r.Options)
	if err != nil {
		return err
	}
	next, err := r.build(f)
	if err != nil {
		return err
	}
	r.seen = snapshot{path: f.Path, content: f.content}
	if r.OnLoad != nil {
		r.OnLoad(f)
	}
	if err := r.swap(ctx, next, f.Server.ShutdownTimeout); err != nil {
		return err
	}
	r.report(ctx, f)
	return nil
}

func (r *Reloader) build(f *File) (*ccproxy.Proxy, error) {
	if r.Build != nil {
		return r.Build(f)
	}
	opts := []ccproxy.Option{ccproxy.WithLogger(r.logger())}
	if f.Server.PublicURL != "" {
		opts = append(opts, ccproxy.WithPublicURL(f.Server.PublicURL))
	}
	return r.Registry.Build(f.Settings, opts...)
}

// swap puts next in place. When ctx ends meanwhile, the application is stopping, and the old proxy's requests get the
// time that those of the server get.
func (r *Reloader) swap(ctx context.Context, next *ccproxy.Proxy, grace time.Duration) error {
	draining, cancel := context.WithTimeout(context.WithoutCancel(ctx), orDefault(r.Drain, defaultDrain))
	defer cancel()
	stop := context.AfterFunc(ctx, func() {
		select {
		case <-draining.Done():
		case <-time.After(grace):
			cancel()
		}
	})
	defer stop()
	err := r.Handle.Swap(draining, next)
	if err != nil && r.Handle.Proxy() != next {
		return fmt.Errorf("reload: %w", err)
	}
	if err != nil {
		r.logger().WarnContext(ctx, "old proxy did not stop in order", "error", err.Error())
	}
	return nil
}

// report tells of a reload, with what needs a person.
func (r *Reloader) report(ctx context.Context, f *File) {
	old := r.current
	if old == nil {
		old = r.Current
	}
	r.current = f
	for _, w := range f.Warnings {
		r.logger().WarnContext(ctx, "configuration is doubtful", "warning", w)
	}
	if old != nil {
		if keys := changedKeys(old.Server, f.Server); len(keys) > 0 {
			r.logger().WarnContext(ctx, "these keys take effect with a restart", "keys", keys)
		}
	}
	r.logger().InfoContext(ctx, "configuration loaded", "path", f.Path)
}

// changedKeys lists the keys of [server] that differ, but for the one that is the proxy's.
func changedKeys(old, now Server) []string {
	before, after := reflect.ValueOf(old), reflect.ValueOf(now)
	fields, _ := fieldsOf(before.Type())
	var keys []string
	for _, f := range fields {
		if f.key != "public_url" && !before.FieldByIndex(f.index).Equal(after.FieldByIndex(f.index)) {
			keys = append(keys, join("server", f.key))
		}
	}
	return keys
}

func (r *Reloader) logger() *slog.Logger {
	if r.Logger == nil {
		return slog.New(slog.DiscardHandler)
	}
	return r.Logger
}

func orDefault(d, fallback time.Duration) time.Duration {
	if d <= 0 {
		return fallback
	}
	return d
}
