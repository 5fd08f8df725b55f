package permissions_test

import (
	"context"
	"encoding/json"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/ccproxy-go/ccproxy"
	"github.com/ccproxy-go/ccproxy/system/permissions"
)

const (
	askerKey    = "kQ7vTz2mWx9pLr4nHs8dBf3gJy6cAe1u"
	approverKey = "Zp5wRb8tNc2kVx7mQj4hGd9sLf6yTe3a"
)

// rig is a proxy on a port, whose key "asker" may only ask and whose key "ann" may answer.
type rig struct {
	url   string
	proxy *ccproxy.Proxy
}

func newRig(t *testing.T, table map[string]any) *rig {
	t.Helper()
	all := map[string]any{"enabled": true, "approvers": []any{"ann"}}
	maps.Copy(all, table)
	var reg ccproxy.Registry
	if err := reg.Register(permissions.Factory()); err != nil {
		t.Fatal(err)
	}
	proxy, err := reg.Build(ccproxy.Settings{
		Plugins: map[string]map[string]any{permissions.Name: all},
		Security: ccproxy.Security{Keys: []ccproxy.APIKey{
			{Name: "asker", Value: ccproxy.NewSecret(askerKey)}, {Name: "ann", Value: ccproxy.NewSecret(approverKey)},
		}},
	}, ccproxy.WithStrictStart())
	if err != nil {
		t.Fatal(err)
	}
	if err := proxy.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(proxy)
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(t.Context()), 20*time.Second)
		defer cancel()
		if err := proxy.Shutdown(ctx); err != nil {
			t.Error(err)
		}
		server.Close()
	})
	return &rig{url: server.URL, proxy: proxy}
}

// send sends a request with a key and returns the status and the answer's object.
func (r *rig) send(t *testing.T, method, path, key, body string) (int, map[string]any) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, r.url+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	if key != "" {
		req.Header.Set("Authorization", "Bearer "+key)
	}
	if body != "" {
		req.Header.Set("Content-Type", "application/json")
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	var out map[string]any
	if err := json.Unmarshal(text, &out); err != nil {
		t.Fatalf("%s %s answers %d %q", method, path, resp.StatusCode, text)
	}
	return resp.StatusCode, out
}

// put asks without waiting and returns the request's id.
func (r *rig) put(t *testing.T, body string) string {
	t.Helper()
	status, out := r.send(t, http.MethodPost, "/mcp/permission/check", askerKey, body)
	id, _ := out["permission_id"].(string)
	if status != http.StatusAccepted || out["behavior"] != "pending" || id == "" {
		t.Fatalf("asking without waiting: %d %v", status, out)
	}
	return id
}

// first waits until a request is pending.
func (r *rig) first(t *testing.T) map[string]any {
	t.Helper()
	for t.Context().Err() == nil {
		_, out := r.send(t, http.MethodGet, "/permissions", approverKey, "")
		if all, _ := out["permissions"].([]any); len(all) > 0 {
			request, _ := all[0].(map[string]any)
			return request
		}
	}
	t.Fatal("nothing is pending")
	return nil
}
