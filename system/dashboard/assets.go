package dashboard

import (
	"bytes"
	"crypto/sha256"
	"embed"
	"encoding/base64"
	"net/http"
	"path"
	"time"
)

//go:embed assets/index.html assets/app.css assets/app.js assets/chart.js assets/icon.svg
var files embed.FS

// assetNames are those of what the page is made of, the page itself left out.
func assetNames() []string { return []string{"app.css", "app.js", "chart.js", "icon.svg"} }

// policy lets the page have what comes from here and nothing else: no text on it can become a script, a style or a
// request elsewhere.
const policy = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self' data:; " +
	"base-uri 'none'; form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'; " +
	"trusted-types 'none'"

// asset is a file of the page. Browsers keep it, and ask whether it is still the same.
type asset struct {
	body     []byte
	mimeType string
	tag      string
}

func newAsset(name string) (*asset, error) {
	body, err := files.ReadFile("assets/" + name)
	if err != nil {
		return nil, err
	}
	sum := sha256.Sum256(body)
	// By hand: the types that the system knows may be others.
	types := map[string]string{
		".html": "text/html; charset=utf-8", ".css": "text/css; charset=utf-8",
		".js": "text/javascript; charset=utf-8", ".svg": "image/svg+xml",
	}
	return &asset{
		body: body, mimeType: types[path.Ext(name)], tag: `"` + base64.RawURLEncoding.EncodeToString(sum[:12]) + `"`,
	}, nil
}

// ServeHTTP implements [http.Handler].
func (a *asset) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	h := w.Header()
	secured(h)
	h.Set("Content-Type", a.mimeType)
	h.Set("Cache-Control", "no-cache")
	h.Set("ETag", a.tag)
	h.Set("Content-Security-Policy", policy)
	h.Set("Cross-Origin-Opener-Policy", "same-origin")
	http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(a.body))
}
