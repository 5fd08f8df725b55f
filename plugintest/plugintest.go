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
//   - It builds, starts and is healthy, and the routes that it declares answer.
//   - Shutdown ends it, may come twice, before a start and after one that failed.
//   - A start whose context has ended comes back.
//   - Two proxies can run it side by side.
//   - Starting and stopping it leaves no goroutine behind.
//
// Goroutines are counted, so a test that calls TestFactory must not run in parallel with others.
func TestFactory(t *testing.T, f ccproxy.Factory, opts ...Option) {
	t.Helper()
	s := &suite{factory: f, name: f.Manifest().Name}
	for _, o := range opts {
		o.apply(s)
	}
	t.Run("manifest", s.testManifest)
	t.Run("runtimes", s.testRuntimes)
	t.Run("life", s.testLife)
	t.Run("shutdown before start", s.testShutdownFirst)
	t.Run("failed start", s.testFailedStart)
	t.Run("ended context", s.testEndedContext)
	t.Run("side by side", s.testSideBySide)
	t.Run("goroutines", s.testGoroutines)
}
