package browser

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"

	"github.com/ccproxy-go/ccproxy"
	"github.com/ccproxy-go/ccproxy/providers/echo"
	"github.com/ccproxy-go/ccproxy/system/dashboard"
)

const key = "ccp-5f0c77b1d3a94e26-alice"

func settings(keys ...string) ccproxy.Settings {
	s := ccproxy.Settings{Plugins: map[string]map[string]any{dashboard.Name: {"enabled": true}}}
	for _, k := range keys {
		s.Security.Keys = append(s.Security.Keys, ccproxy.APIKey{Name: "alice", Value: ccproxy.NewSecret(k)})
	}
	return s
}

// call sends a request to the provider echo.
func call(t *testing.T, server *httptest.Server, prefix, model string) {
	t.Helper()
	body := fmt.Sprintf(`{"model":%q,"max_tokens":9,"messages":[{"role":"user","content":"hi"}]}`, model)
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, server.URL+prefix+"/echo/v1/messages",
		strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("X-Api-Key", key)
	res, err := server.Client().Do(req)
	if err != nil {
		t.Fatal(err)
	}
	_ = res.Body.Close()
	if res.StatusCode != http.StatusOK {
		t.Fatalf("status %d", res.StatusCode)
	}
}

const (
	live      = `document.querySelector("#link").dataset.state === "live"`
	noOverrun = `document.documentElement.scrollWidth <= document.documentElement.clientWidth`
)

func size(width, height int64) chromedp.Action[chromedp.Void] {
	return chromedp.EmulateViewport(width, height, chromedp.EmulateScale(1))
}

func theme(name string) chromedp.Action[chromedp.Void] {
	return command(emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{Features: []*emulation.MediaFeature{
		{Name: "prefers-color-scheme", Value: name}, {Name: "prefers-reduced-motion", Value: "reduce"},
	}})
}

// TestDashboard looks at the page of a proxy below a prefix: empty, then with an hour of traffic, at the widths of a
// desktop and of a phone, light and dark.
func TestDashboard(t *testing.T) {
	t.Parallel()
	feed := new(feeder)
	server := serve(t, "/team/llm", settings(), dashboard.Factory(), echo.Factory(), feed.factory())
	b := open(t, server)
	b.run(size(1360, 900), theme("light"), chromedp.Navigate(server.URL+"/team/llm/dashboard/")) // leads to the page
	b.until(live)
	b.until(`!document.querySelector("#empty").hidden`)
	if at := value[string](b, "location.pathname"); at != "/team/llm/dashboard" {
		t.Errorf("the page is at %s", at)
	}
	b.shot("empty")

	call(t, server, "/team/llm", "echo-1") // is seen without a reload
	b.until(`document.querySelector("#requests tbody").innerText.includes("echo-1")`)
	b.until(`document.querySelector("#models tbody").innerText.includes("echo-1")`)
	if !value[bool](b, `document.querySelector("#empty").hidden`) {
		t.Error("the page says that there were no requests")
	}

	feed.hour()
	b.until(`document.querySelector("#models tbody").innerText.includes("gpt-5-mini")`)
	for _, width := range []int64{1360, 900, 390, 320} {
		for _, name := range []string{"light", "dark"} {
			b.run(size(width, 900), theme(name))
			b.until(noOverrun)
			b.shot(fmt.Sprintf("%s-%d", name, width))
		}
	}
	b.run(size(1360, 900), theme("light"))
	for _, wanted := range []string{"6h", "24h"} {
		b.run(chromedp.Click(chromedp.CSS(`#ranges input[value="` + wanted + `"]`)))
		b.until(live + ` && document.querySelectorAll(".plot .f0").length > 0`)
		b.shot("range-" + wanted)
	}
}

// TestDashboardByKeyboard reaches a chart, a row and the search without a mouse.
func TestDashboardByKeyboard(t *testing.T) {
	t.Parallel()
	feed := new(feeder)
	server := serve(t, "/", settings(), dashboard.Factory(), feed.factory())
	feed.hour()
	b := open(t, server)
	b.run(size(1200, 900), theme("dark"), chromedp.Navigate(server.URL+"/dashboard"))
	b.until(`document.querySelectorAll("#requests .open-row").length > 10`)
	b.until(`document.querySelectorAll(".plot .f0").length > 10`)
	b.run(chromedp.Focus(chromedp.CSS(".plot")), chromedp.KeyEvent(kb.End), chromedp.KeyEvent(kb.ArrowLeft))
	b.until(`!document.querySelector(".tip").hidden && /Answered \d/.test(document.querySelector(".plot").ariaValueText)`)
	b.shot("keyboard")
	b.run(chromedp.Focus(chromedp.CSS(".open-row")), chromedp.KeyEvent(kb.Enter))
	b.until(`document.activeElement.getAttribute("aria-expanded") === "true" && document.querySelector(".detail dl")`)
	b.run(chromedp.SendKeys(chromedp.CSS("#find"), "529 codex"))
	b.until(`[...document.querySelectorAll("#requests tbody tr:not(.detail)")].every((r) => r.innerText.includes("529"))`)
}

// TestDashboardIsHarmless has texts that want to be more than text in every field.
func TestDashboardIsHarmless(t *testing.T) {
	t.Parallel()
	feed := new(feeder)
	server := serve(t, "/", settings(), dashboard.Factory(), feed.factory())
	feed.hostile()
	b := open(t, server)
	b.run(size(390, 800), theme("light"), chromedp.Navigate(server.URL+"/dashboard"))
	b.until(`document.querySelectorAll("#requests .open-row").length >= 20`)
	b.run(chromedp.Evaluate[chromedp.Void](`document.querySelectorAll("#requests .open-row").forEach((_, i) =>
		document.querySelectorAll("#requests .open-row")[i].click())`))
	b.until(`document.querySelectorAll(".detail").length > 5`)
	b.until(noOverrun)
	if n := value[int](b, `document.querySelectorAll("main img, iframe, main script, main a, main [onerror], main [onload]").length`); n != 0 {
		t.Errorf("%d elements were made of text", n)
	}
	text := value[string](b, `document.querySelector("main").textContent`)
	for _, want := range []string{`<img src=x onerror="alert(1)">`, `\u202egnp.exe\u2066`, `</script><svg onload=alert(4)>`} {
		if !strings.Contains(text, want) {
			t.Errorf("the page does not show %q as it is", want)
		}
	}
	if strings.ContainsAny(text, "\u202e\u2066\x1b") {
		t.Error("the page has characters that turn text around")
	}
	b.run(size(1360, 900))
	b.shot("hostile")
}

// TestDashboardLogin logs in with a key, and out again; scripts never see the cookie.
func TestDashboardLogin(t *testing.T) {
	t.Parallel()
	server := serve(t, "/llm", settings(key), dashboard.Factory(), echo.Factory())
	call(t, server, "/llm", "echo-1")
	b := open(t, server)
	b.run(size(390, 800), theme("light"), chromedp.Navigate(server.URL+"/llm/dashboard"))
	b.until(`!document.querySelector("#login").hidden && document.activeElement.id === "key"`)
	b.shot("login")
	b.allow("/dashboard/session") // browsers log every 401
	b.run(chromedp.SendKeys(chromedp.CSS("#key"), "wrong-key-0123456789"+kb.Enter))
	b.until(`document.querySelector("#login-error").textContent !== ""`)
	b.allow("")
	b.run(chromedp.SendKeys(chromedp.CSS("#key"), key+kb.Enter))
	b.until(live + ` && document.querySelector("#who").innerText.includes("alice")`)
	b.until(`document.querySelector("#requests tbody").innerText.includes("echo-1")`)
	if c := value[string](b, "document.cookie"); c != "" {
		t.Errorf("scripts see the cookie %q", c)
	}
	if html := value[string](b, "document.documentElement.outerHTML + JSON.stringify(localStorage)"); strings.Contains(html, key) {
		t.Error("the key is still on the page")
	}
	b.run(chromedp.Reload())
	b.until(live)
	b.run(chromedp.Click(chromedp.CSS("#logout")))
	b.until(`!document.querySelector("#login").hidden`)
	if text := value[string](b, "document.body.innerText"); strings.Contains(text, "echo-1") {
		t.Error("figures are shown after the logout")
	}
}

// TestDashboardLost shows that the connection is gone, keeps the figures, and goes on by itself.
func TestDashboardLost(t *testing.T) {
	t.Parallel()
	feed := new(feeder)
	server := serve(t, "/", settings(), dashboard.Factory(), echo.Factory(), feed.factory())
	feed.hour()
	b := open(t, server)
	b.run(size(390, 800), theme("light"), chromedp.Navigate(server.URL+"/dashboard"))
	b.until(live + ` && document.querySelectorAll("#requests .open-row").length > 10`)
	b.allow("Failed to load resource") // what the browser says of a server that is away
	b.run(chromedp.Evaluate[chromedp.Void](`window.realFetch = window.fetch, window.fetch = () => Promise.reject(new Error("away"))`))
	server.CloseClientConnections()
	b.until(`document.querySelector("#link").dataset.state === "lost" && !document.querySelector("#lost").hidden`)
	if n := value[int](b, `document.querySelectorAll("#requests .open-row").length`); n < 10 {
		t.Errorf("%d rows are left", n)
	}
	b.shot("lost")
	b.run(chromedp.Evaluate[chromedp.Void](`void (window.fetch = window.realFetch)`))
	b.until(live + ` && document.querySelector("#lost").hidden`)
}

// TestDashboardWithoutStreams has a host that holds answers back: the page asks from time to time.
func TestDashboardWithoutStreams(t *testing.T) {
	t.Parallel()
	host := func(h http.Handler) http.Handler { return http.TimeoutHandler(h, time.Minute, "late") }
	server := serveBehind(t, host, "/", settings(), dashboard.Factory(), echo.Factory())
	b := open(t, server)
	b.allow("/dashboard/events") // browsers log every 500
	b.run(size(390, 800), theme("light"), chromedp.Navigate(server.URL+"/dashboard"))
	b.until(live + ` && document.querySelector("#link").innerText.includes("Every")`)
	call(t, server, "", "echo-1")
	b.until(`document.querySelector("#requests tbody").innerText.includes("echo-1")`)
}
