package permissions

import (
	"embed"
	"net/http"

	"github.com/ccproxy-go/ccproxy"
)

//go:embed assets/page.html assets/page.js assets/page.css
var files embed.FS

// policy lets the page have what comes from here and nothing else: no text on it can become a script, a style or a
// request elsewhere.
const policy = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src data:; " +
	"base-uri 'none'; form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'; " +
	"trusted-types 'none'"

func pageEndpoints() []ccproxy.Endpoint {
	return []ccproxy.Endpoint{
		{Pattern: "/page", Summary: "A page that answers permission requests", Auth: ccproxy.AuthPublic},
		{Pattern: "/page.js", Summary: "A part of the page", Auth: ccproxy.AuthPublic},
		{Pattern: "/page.css", Summary: "A part of the page", Auth: ccproxy.AuthPublic},
	}
}

// addPage serves the page, which anybody may have: the requests on it come from the routes that ask for a key.
func addPage(mux *http.ServeMux) error {
	for _, part := range []struct{ path, file, mimeType string }{
		{"/page", "page.html", "text/html; charset=utf-8"},
		{"/page.js", "page.js", "text/javascript; charset=utf-8"},
		{"/page.css", "page.css", "text/css; charset=utf-8"},
	} {
		body, err := files.ReadFile("assets/" + part.file)
		if err != nil {
			return err
		}
		mux.HandleFunc("GET /permissions"+part.path, func(w http.ResponseWriter, _ *http.Request) {
			h := w.Header()
			h.Set("Content-Type", part.mimeType)
			h.Set("Content-Security-Policy", policy)
			h.Set("Cross-Origin-Opener-Policy", "same-origin")
			h.Set("X-Content-Type-Options", "nosniff")
			h.Set("X-Frame-Options", "DENY")
			h.Set("Referrer-Policy", "no-referrer")
			h.Set("Cache-Control", "no-cache")
			_, _ = w.Write(body) // a client that is gone needs no answer
		})
	}
	return nil
}
