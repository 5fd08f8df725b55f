package browser

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"

	"github.com/ccproxy-go/ccproxy"
)

// browserPath finds a browser, or skips the test.
func browserPath(t *testing.T) string {
	t.Helper()
	for _, name := range []string{"chromium", "chromium-browser", "google-chrome", "headless-shell"} {
		if path, err := exec.LookPath(name); err == nil {
			return path
		}
	}
	t.Skip("no chromium on this machine: it is Debian's package chromium")
	return ""
}

// tab is a page of the browser, and what it did that it should not.
type tab struct {
	t    *testing.T
	ctx  context.Context // chromedp keeps its browser there
	host string

	dialogs sync.WaitGroup // that are being closed

	mu       sync.Mutex
	problems []string
	allowed  string // a part of problems that are none
}

// open starts a browser whose page is for a server.
func open(t *testing.T, server *httptest.Server, options ...chromedp.ExecAllocatorOption) *tab {
	t.Helper()
	address, err := url.Parse(server.URL)
	if err != nil {
		t.Fatal(err)
	}
	options = append(append(chromedp.DefaultExecAllocatorOptions[:],
		chromedp.ExecPath(browserPath(t)), chromedp.NoSandbox, chromedp.DisableGPU, chromedp.UserDataDir(t.TempDir()),
		chromedp.WSURLReadTimeout(60*time.Second)), options...)
	ctx, cancel := context.WithTimeout(context.Background(), 90*time.Second)
	t.Cleanup(cancel)
	ctx, cancelAllocator := chromedp.NewExecAllocator(ctx, options...)
	t.Cleanup(cancelAllocator)
	ctx, cancelTab := chromedp.NewContext(ctx)
	t.Cleanup(cancelTab)
	b := &tab{t: t, ctx: ctx, host: address.Host}
	if err := chromedp.Listen(ctx, b.notice); err != nil {
		t.Fatal(err)
	}
	b.run(command(network.Enable, network.EnableParams{}), command(log.Enable, cdp.Empty{}),
		command(runtime.Enable, cdp.Empty{}), command(page.Enable, page.EnableParams{}))
	t.Cleanup(func() { // before the others
		b.mu.Lock()
		defer b.mu.Unlock()
		for _, p := range b.problems {
			t.Error(p)
		}
		if err := chromedp.Cancel(b.ctx); err != nil {
			t.Log(err)
		}
		b.dialogs.Wait()
	})
	return b
}

// command makes an action of a command of the protocol.
func command[P, R any](c cdp.Command[P, R], params P) chromedp.Action[chromedp.Void] {
	return chromedp.Func(func(ctx context.Context, t *chromedp.Target) error {
		_, err := cdp.Call(ctx, t, c, params)
		return err
	})
}

func (b *tab) notice(ev any) {
	switch e := ev.(type) {
	case *network.EventRequestWillBeSent:
		u, err := url.Parse(e.Request.URL)
		if err != nil || u.Host != b.host && u.Scheme != "data" {
			b.problemf("a request to somewhere else: %s", e.Request.URL)
		}
	case *runtime.EventExceptionThrown:
		b.problemf("an exception: %s", e.ExceptionDetails.Text)
	case *runtime.EventConsoleAPICalled:
		b.problemf("%s on the console: %s", e.Type, fmt.Sprint(e.Args))
	case *log.EventEntryAdded:
		b.problemf("%s in the log: %s %s", e.Entry.Level, e.Entry.Text, e.Entry.URL)
	case *page.EventJavascriptDialogOpening:
		b.problemf("a dialog: %s", e.Message)
		b.dialogs.Go(func() { // the page stands still until then
			_ = chromedp.Do(b.ctx, command(page.HandleJavaScriptDialog, page.HandleJavaScriptDialogParams{}))
		})
	}
}

func (b *tab) problemf(format string, args ...any) {
	text := fmt.Sprintf(format, args...)
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.allowed == "" || !strings.Contains(text, b.allowed) {
		b.problems = append(b.problems, text)
	}
}

// allow lets problems pass that have a text, from now on.
func (b *tab) allow(text string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.allowed = text
}

func (b *tab) run(actions ...chromedp.Action[chromedp.Void]) {
	b.t.Helper()
	if err := chromedp.Do(b.ctx, actions...); err != nil {
		b.t.Fatal(err)
	}
}

// value evaluates an expression.
func value[V any](b *tab, expression string) V {
	b.t.Helper()
	v, err := chromedp.Run(b.ctx, chromedp.Evaluate[V](expression))
	if err != nil {
		b.t.Fatalf("%s: %v", expression, err)
	}
	return v
}

// until waits for an expression to be true.
func (b *tab) until(expression string) {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(b.ctx, 30*time.Second)
	defer cancel()
	// Not by a function that the page evaluates from text: its policy is against that.
	for {
		ok, err := chromedp.Run(ctx, chromedp.Evaluate[bool]("Boolean("+expression+")"))
		if err != nil {
			text := value[string](b, "document.body.innerText")
			b.t.Fatalf("not true: %s: %v; the page is\n%s", expression, err, text)
		}
		if ok {
			return
		}
		select {
		case <-ctx.Done():
		case <-time.After(50 * time.Millisecond): // a browser tells nobody
		}
	}
}

// shot writes a picture of the whole page to the directory that BROWSER_SHOTS names, if it does.
func (b *tab) shot(name string) {
	b.t.Helper()
	dir := os.Getenv("BROWSER_SHOTS")
	if dir == "" {
		return
	}
	picture, err := chromedp.Run(b.ctx, chromedp.FullScreenshot(100))
	if err != nil {
		b.t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, name+".png"), picture, 0o600); err != nil {
		b.t.Fatal(err)
	}
}

// serve runs a proxy below a prefix.
func serve(t *testing.T, prefix string, s ccproxy.Settings, factories ...ccproxy.Factory) *httptest.Server {
	t.Helper()
	return serveBehind(t, func(h http.Handler) http.Handler { return h }, prefix, s, factories...)
}

// serveBehind runs a proxy below a prefix, behind middleware of its host.
func serveBehind(
	t *testing.T, host func(http.Handler) http.Handler, prefix string, s ccproxy.Settings, factories ...ccproxy.Factory,
) *httptest.Server {
	t.Helper()
	var reg ccproxy.Registry
	if err := reg.Register(factories...); err != nil {
		t.Fatal(err)
	}
	proxy, err := reg.Build(s, ccproxy.WithStrictStart())
	if err != nil {
		t.Fatal(err)
	}
	if err := proxy.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(host(proxy.Mount(prefix)))
	t.Cleanup(func() {
		server.CloseClientConnections()
		if err := proxy.Shutdown(context.Background()); err != nil {
			t.Error(err)
		}
		server.Close()
	})
	return server
}
