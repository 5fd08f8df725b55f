package browser

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"time"

	"github.com/ccproxy-go/ccproxy"
	"github.com/ccproxy-go/ccproxy/hooks"
)

// feeder is a plugin that knows prices and makes events: those of an hour of traffic, or of hostile clients.
type feeder struct{ pc *ccproxy.PluginContext }

func (f *feeder) factory() ccproxy.Factory {
	return ccproxy.NewFactory(ccproxy.Manifest{Name: "feeder", Provides: []string{"pricing"}},
		func() ccproxy.Plugin { return f })
}

func (f *feeder) Initialize(_ context.Context, pc *ccproxy.PluginContext) error {
	f.pc = pc
	return pc.Provide("pricing", f)
}

func (*feeder) Shutdown(context.Context) error { return nil }

var errNoPrice = errors.New("no price")

// Cost is what dashboard asks of pricing.
func (*feeder) Cost(u *hooks.Usage, models ...string) (int64, error) {
	if slices.Contains(models, "local-model") {
		return 0, errNoPrice
	}
	return u.InputTokens*3_000_000 + u.CacheReadInputTokens*300_000 + u.OutputTokens*15_000_000, nil
}

func (f *feeder) emit(at time.Time, p hooks.Payload) {
	f.pc.Hooks.Emit(hooks.Context{Time: at, Payload: p})
}

// hour tells of an hour of traffic.
func (f *feeder) hour() {
	models := [][2]string{
		{"claude", "claude-sonnet-4-5"},
		{"claude", "claude-haiku-4-5"},
		{"codex", "gpt-5.1-codex"},
		{"openai", "gpt-5-mini"},
		{"local", "local-model"},
	}
	formats := []string{"anthropic.messages", "openai.chat", "openai.responses"}
	now := time.Now()
	for n := range 460 {
		ago := time.Duration(460-n) * 7800 * time.Millisecond
		m := models[(n*n/7+n)%len(models)*(n%3)/2]
		wave := 1 + math.Sin(float64(n)/40)
		req := hooks.Request{
			ID: fmt.Sprintf("req-%05d", n), Method: "POST", Path: "/v1/messages", Endpoint: "/v1/messages",
			CallerID: []string{"alice", "ci", "notebook"}[n%3], ClientFormat: formats[n%3],
			Provider: m[0], Model: m[1], Stream: n%2 == 0,
		}
		took := time.Duration(900+3000*wave+float64(n%17)*210) * time.Millisecond
		if n%23 == 7 {
			f.emit(now.Add(-ago), &hooks.RequestFailed{
				Request: req, Status: 529, ErrorType: "overloaded_error", Duration: took / 3, Attempts: 2,
				Err: "the upstream is overloaded: Overloaded, try again in a while",
			})
			continue
		}
		f.emit(now.Add(-ago), &hooks.RequestCompleted{
			Request: req, Status: 200, Duration: took, TimeToFirstByte: took / 5, Streamed: req.Stream, Attempts: 1,
			UpstreamModel: m[1], Usage: &hooks.Usage{
				InputTokens: int64(400 + 300*wave), CacheReadInputTokens: int64(9000 * wave),
				CacheCreationInputTokens: int64(n % 5 * 200), OutputTokens: int64(300 + n%11*90),
			},
		})
	}
}

// hostileTexts would do something where a page takes them for more than text.
func hostileTexts() []string {
	return []string{
		`<img src=x onerror="alert(1)">`, `"><script>alert(2)</script>`, `javascript:alert(3)`, `</script><svg onload=alert(4)>`,
		`{{constructor.constructor('alert(5)')()}}`, "\u202egnp.exe\u2066", `'; background:url(https://evil.example/x); x='`,
		`<iframe src="https://evil.example/"></iframe>`, "line\nbreak\tand\x1b[31mred", `__proto__`,
	}
}

// hostile tells of requests with such a text in every field that a client or an upstream fills in.
func (f *feeder) hostile() {
	for i, text := range hostileTexts() {
		req := hooks.Request{
			ID: text, Method: "POST", Path: "/v1/messages", Endpoint: text, CallerID: text, ClientFormat: text,
			Provider: text, Model: text, UserAgent: text,
		}
		usage := &hooks.Usage{InputTokens: 5, OutputTokens: 5, Model: text}
		f.emit(time.Now(), &hooks.RequestStarted{Request: req})
		if i%2 == 0 {
			req.ID = fmt.Sprint(i)
		}
		f.emit(time.Now(), &hooks.RequestCompleted{
			Request: req, Status: 200, Usage: usage, UpstreamModel: text + "!", Account: text,
		})
		f.emit(time.Now(), &hooks.RequestFailed{Request: req, Status: 500, Err: text, ErrorType: text, Account: text})
	}
}
