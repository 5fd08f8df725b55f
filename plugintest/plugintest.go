// Package plugintest is a conformance suite for those who write plugins: [TestFactory] takes a factory through its
// whole life and checks what every plugin promises, whatever it does.
//
//	func TestPlugin(t *testing.T) {
//		plugintest.TestFactory(t, myplugin.Factory(), plugintest.Table(map[string]any{"url": "https://example.com"}))
//	}
//
// The suite knows nothing of a plugin's own behaviour; that is for the plugin's own tests. It will grow, so a plugin
// that passes today may fail a later version for something that it always got wrong.
package plugintest

import (
	"testing"

	"github.com/ccproxy-go/ccproxy"
)

// Option says what a plugin needs in order to run.
type Option interface{ apply(s *suite) }

type optionFunc func(*suite)

func (f optionFunc) apply(s *suite) { f(s) }

// Table sets the plugin's table of settings. The default is none, so that its defaults are tested.
func Table(table map[string]any) Option { return optionFunc(func(s *suite) { s.table = table }) }

// Plugins adds the plugins that the plugin depends on, or doubles of them.
func Plugins(factories ...ccproxy.Factory) Option {
	return optionFunc(func(s *suite) { s.others = append(s.others, factories...) })
}

// Build adds options of [ccproxy.Registry.Build], such as [ccproxy.WithPluginConfig] and [ccproxy.WithTransport].
func Build(options ...ccproxy.Option) Option {
	return optionFunc(func(s *suite) { s.options = append(s.options, options...) })
}

// TestFactory checks that a factory and its plugins keep the contract of package ccproxy:
//
//   - Its manifest is valid and always the same, and its runtimes are values of their own.
//   - Tables with unknown keys and values of wrong types are an ErrConfig that tells no value.
//   - It builds, starts and is healthy, and the routes that it declares answer.
//   - Broken bodies, from several clients at a time, are neither a 500 nor a panic.
//   - Its hooks take events with nothing in them, and more than can wait, and do not keep it from stopping.
//   - Without a network it runs or fails, but does not panic or hang.
//   - Shutdown ends it, may come twice, before a start, after one that failed, and in a hurry.
//   - A start whose context has ended comes back.
//   - Two proxies can run it side by side.
//   - Secrets of the table that [Table] gives are in no log.
//   - Starting and stopping it leaves no goroutine behind.
//
// Other tests may run in parallel with it.
func TestFactory(t *testing.T, f ccproxy.Factory, opts ...Option) {
	t.Helper()
	s := &suite{factory: f, name: f.Manifest().Name}
	for _, o := range opts {
		o.apply(s)
	}
	t.Run("manifest", s.testManifest)
	t.Run("runtimes", s.testRuntimes)
	t.Run("wrong configuration", s.testWrongConfig)
	t.Run("life", s.testLife)
	t.Run("requests", s.testRequests)
	t.Run("hooks", s.testHooks)
	t.Run("no network", s.testAway)
	t.Run("shutdown before start", s.testShutdownFirst)
	t.Run("hurried shutdown", s.testHurriedShutdown)
	t.Run("failed start", s.testFailedStart)
	t.Run("ended context", s.testEndedContext)
	t.Run("side by side", s.testSideBySide)
	t.Run("goroutines", s.testGoroutines)
}
