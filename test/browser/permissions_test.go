package browser

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"

	"github.com/ccproxy-go/ccproxy"
	"github.com/ccproxy-go/ccproxy/system/permissions"
)

const agentKey = "ccp-91be20d47a6f4c53-agent"

// permissionSettings have a key that may only ask and one that may answer.
func permissionSettings() ccproxy.Settings {
	return ccproxy.Settings{
		Plugins: map[string]map[string]any{permissions.Name: {"enabled": true, "approvers": []any{"alice"}}},
		Security: ccproxy.Security{Keys: []ccproxy.APIKey{
			{Name: "alice", Value: ccproxy.NewSecret(key)}, {Name: "agent", Value: ccproxy.NewSecret(agentKey)},
		}},
	}
}

// post sends JSON and returns the answer's.
func post(ctx context.Context, server *httptest.Server, path, key string, body any) (int, map[string]any, error) {
	var sent bytes.Buffer
	enc := json.NewEncoder(&sent)
	enc.SetEscapeHTML(false) // the page shows the very bytes
	if err := enc.Encode(body); err != nil {
		return 0, nil, err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, server.URL+path, &sent)
	if err != nil {
		return 0, nil, err
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Authorization", "Bearer "+key)
	res, err := server.Client().Do(req)
	if err != nil {
		return 0, nil, err
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	if err != nil {
		return 0, nil, err
	}
	var out map[string]any
	err = json.Unmarshal(text, &out)
	return res.StatusCode, out, err
}

// asked is a question that waits for its answer.
type asked struct {
	t       *testing.T
	outcome chan map[string]any
}

// question asks whether a tool may be used, and does not wait.
func question(t *testing.T, server *httptest.Server, prefix, tool string, input map[string]any) *asked {
	t.Helper()
	a := &asked{t: t, outcome: make(chan map[string]any, 1)}
	ctx := t.Context()
	go func() { // ends with the answer, or with the test
		defer close(a.outcome)
		body := map[string]any{"tool_name": tool, "input": input}
		if _, out, err := post(ctx, server, prefix+"/mcp/permission/check", agentKey, body); err == nil {
			a.outcome <- out
		}
	}()
	return a
}

// want waits for the answer.
func (a *asked) want(behavior string) {
	a.t.Helper()
	if out := <-a.outcome; out["behavior"] != behavior {
		a.t.Errorf("who asked is told %v, want %q", out, behavior)
	}
}

// login opens the page, which asks for the key.
func (b *tab) login(page string) {
	b.t.Helper()
	b.allow("/permissions/stream") // browsers log every 401
	b.run(chromedp.Navigate(page))
	b.until(`!document.querySelector("#login").hidden`)
	b.shot("permissions-login")
	b.run(chromedp.SendKeys(chromedp.CSS("#key"), "wrong-key-0123456789"+kb.Enter))
	b.until(`document.querySelector("#state").innerText.includes("does not know this key")`)
	b.allow("")
	b.run(chromedp.SendKeys(chromedp.CSS("#key"), key+kb.Enter))
	b.until(`document.querySelector("#login").hidden && document.querySelector("#state").innerText === "Nothing is waiting."`)
}

const answerable = `document.querySelectorAll("#requests button:enabled").length >= 2`

// TestPermissions answers questions on the page of a proxy below a prefix, as they come.
func TestPermissions(t *testing.T) {
	t.Parallel()
	const prefix = "/team/llm"
	server := serve(t, prefix, permissionSettings(), permissions.Factory())
	b := open(t, server)
	b.run(size(1360, 900), theme("light"))
	b.login(server.URL + prefix + "/permissions/page")
	if html := value[string](b, "document.documentElement.outerHTML + JSON.stringify(localStorage) + location.href"); strings.Contains(html, key) {
		t.Error("the key is still on the page")
	}
	b.shot("permissions-empty")

	allowed := question(t, server, prefix, "Bash", map[string]any{"command": "rm -r build && make"})
	b.until(answerable) // it came without a reload
	text := value[string](b, `document.querySelector("#requests").innerText`)
	for _, want := range []string{"Bash", `"command": "rm -r build && make"`, "by agent", "s left"} {
		if !strings.Contains(text, want) {
			t.Errorf("the page does not show %q, but %q", want, text)
		}
	}
	if title := value[string](b, "document.title"); title != "(1) Permissions" {
		t.Errorf("the title is %q", title)
	}
	b.shot("permissions-question")
	b.run(chromedp.Click(chromedp.CSS("#requests button.allow")))
	allowed.want("allow")
	b.until(`document.querySelector("#state").innerText === "Nothing is waiting."`)

	denied := question(t, server, prefix, "Write", map[string]any{"file_path": "/etc/passwd"})
	b.until(answerable)
	b.run(chromedp.Focus(chromedp.CSS("#requests button.deny")), chromedp.KeyEvent(kb.Enter)) // without a mouse
	denied.want("deny")
	b.until(`document.querySelectorAll("#requests li").length === 0`)
	if said := value[string](b, `document.querySelector("#notice").innerText`); said != "" {
		t.Errorf("answers that counted, and the page says %q", said)
	}
}

// TestPermissionsAnsweredElsewhere has somebody else answer between a click on the page and its answer.
func TestPermissionsAnsweredElsewhere(t *testing.T) {
	t.Parallel()
	clicked, released := make(chan string, 1), make(chan struct{})
	host := func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if strings.HasSuffix(r.URL.Path, "/respond") && r.Header.Get("Sec-Fetch-Mode") != "" { // of a browser
				clicked <- r.URL.Path
				select {
				case <-released:
				case <-r.Context().Done():
				}
			}
			next.ServeHTTP(w, r)
		})
	}
	server := serveBehind(t, host, "/", permissionSettings(), permissions.Factory())
	b := open(t, server)
	b.run(size(390, 800), theme("dark"))
	b.login(server.URL + "/permissions/page")
	a := question(t, server, "", "Bash", map[string]any{"command": "make"})
	b.until(answerable)
	b.allow("/respond") // browsers log every 409
	b.run(chromedp.Click(chromedp.CSS("#requests button.allow")))
	status, out, err := post(t.Context(), server, <-clicked, key, map[string]any{"allowed": false, "reason": "not now"})
	if err != nil || status != http.StatusOK {
		t.Fatalf("answering elsewhere: %d %v, %v", status, out, err)
	}
	a.want("deny") // the first answer counts
	close(released)
	b.until(`document.querySelector("#notice").innerText === ` +
		`"Your answer does not count: Bash has been answered by somebody else."`)
	b.until(`document.querySelectorAll("#requests li").length === 0`)
	b.until(noOverrun)
	if color := value[string](b, "getComputedStyle(document.body).color"); color != "rgb(255, 255, 255)" {
		t.Errorf("in the dark the text has the color %s", color)
	}
	b.shot("permissions-answered")
}

// TestPermissionsAreHarmless has texts that want to be more than text as names and inputs of tools.
func TestPermissionsAreHarmless(t *testing.T) {
	t.Parallel()
	server := serve(t, "/", permissionSettings(), permissions.Factory())
	b := open(t, server)
	b.run(size(1360, 900), theme("light"))
	b.login(server.URL + "/permissions/page")
	for _, text := range append(hostileTexts(), strings.Repeat("W", 256)) {
		question(t, server, "", text, map[string]any{text: text, "long": strings.Repeat("x", 3000)})
	}
	b.until(fmt.Sprintf(`document.querySelectorAll("#requests li").length === %d`, len(hostileTexts())+1))
	const made = `#requests :not(li, h2, p, span, pre, button), [onerror], [onload], [style]`
	if n := value[int](b, "document.querySelectorAll(`"+made+"`).length"); n != 0 {
		t.Errorf("%d elements were made of text", n)
	}
	text := value[string](b, `document.querySelector("#requests").textContent`)
	for _, want := range []string{
		`<img src=x onerror="alert(1)">`, `\u202egnp.exe\u2066`, `</script><svg onload=alert(4)>`, `__proto__`,
	} {
		if !strings.Contains(text, want) {
			t.Errorf("the page does not show %q as it is", want)
		}
	}
	if strings.ContainsAny(text, "\u202e\u2066\x1b") {
		t.Error("the page has characters that turn text around")
	}
	for _, width := range []int64{1360, 390, 320} {
		for _, name := range []string{"light", "dark"} {
			b.run(size(width, 900), theme(name))
			b.until(noOverrun)
			b.shot(fmt.Sprintf("permissions-%s-%d", name, width))
		}
	}
	b.allow("TrustedHTML") // browsers log what they refuse
	if !value[bool](b, `(() => { try { document.body.innerHTML = "<b>x</b>"; return false } catch { return true } })()`) {
		t.Error("the page's policy lets a text become markup")
	}
}
