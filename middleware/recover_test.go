package middleware_test

import (
	"bytes"
	"errors"
	"io"
	"log"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/ccproxy-go/ccproxy/middleware"
)

const secretValue = "panic-value-of-a-client"

// serve runs the handler inside Recover and gives the answer, the log and what panicked through.
func serve(
	h http.HandlerFunc, render http.HandlerFunc,
) (rec *httptest.ResponseRecorder, logged string, through any) {
	var b bytes.Buffer
	rec = httptest.NewRecorder()
	handler := middleware.RequestID()(middleware.Recover(slog.New(slog.NewTextHandler(&b, nil)), render)(h))
	r := httptest.NewRequest(http.MethodPost, "/secret-path?secret-query=1", strings.NewReader("secret-body"))
	r.Header.Set("X-Request-Id", "id-1")
	func() {
		defer func() { through = recover() }()
		handler.ServeHTTP(rec, r)
	}()
	return rec, b.String(), through
}

func TestRecoverAnswers(t *testing.T) {
	t.Parallel()
	rec, logged, through := serve(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Length", "5")
		w.Header().Set("Content-Encoding", "gzip")
		w.Header().Set("Content-Range", "bytes 0-9/10")
		w.Header().Set("X-Kept", "yes")
		panic(errors.New(secretValue))
	}, nil)
	if through != nil {
		t.Fatalf("panicked through with %v", through)
	}
	want := `{"error":{"type":"api_error","message":"internal server error"}}`
	if rec.Code != http.StatusInternalServerError || rec.Body.String() != want {
		t.Errorf("answer = %d %s", rec.Code, rec.Body)
	}
	h := rec.Header()
	if h.Get("Content-Length")+h.Get("Content-Encoding")+h.Get("Content-Range") != "" || h.Get("X-Kept") != "yes" {
		t.Errorf("header = %v", h)
	}
	for _, want := range []string{
		"type=*errors.errorString", "request_id=id-1", "TestRecoverAnswers", "aborted=false",
	} {
		if !strings.Contains(logged, want) {
			t.Errorf("log lacks %q: %s", want, logged)
		}
	}
	if strings.Contains(logged, secretValue) || strings.Contains(logged, "secret-") {
		t.Errorf("log quotes the request: %s", logged)
	}
}

func TestRecoverRenders(t *testing.T) {
	t.Parallel()
	rec, _, _ := serve(func(http.ResponseWriter, *http.Request) { panic("x") },
		func(w http.ResponseWriter, r *http.Request) {
			w.WriteHeader(http.StatusInternalServerError)
			_, _ = io.WriteString(w, "rendered for "+middleware.RequestIDFrom(r.Context()))
		})
	if rec.Code != http.StatusInternalServerError || rec.Body.String() != "rendered for id-1" {
		t.Errorf("answer = %d %s", rec.Code, rec.Body)
	}
}

func TestRecoverAborts(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name    string
		handler http.HandlerFunc
		render  http.HandlerFunc
		logs    bool
	}{
		{"after a write", func(w http.ResponseWriter, _ *http.Request) {
			_, _ = io.WriteString(w, "half")
			panic("x")
		}, nil, true},
		{"after a status", func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(http.StatusNoContent)
			panic("x")
		}, nil, true},
		{"after a flush", func(w http.ResponseWriter, _ *http.Request) {
			_ = http.NewResponseController(w).Flush()
			panic("x")
		}, nil, true},
		{"handler's own abort", func(http.ResponseWriter, *http.Request) {
			panic(http.ErrAbortHandler)
		}, nil, false},
		{"render panics", func(http.ResponseWriter, *http.Request) {
			panic("x")
		}, func(http.ResponseWriter, *http.Request) { panic(secretValue) }, true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			rec, logged, through := serve(tt.handler, tt.render)
			if through != http.ErrAbortHandler {
				t.Errorf("panicked through with %v, want http.ErrAbortHandler", through)
			}
			if strings.Contains(rec.Body.String(), "internal") {
				t.Errorf("wrote an error into a started answer: %s", rec.Body)
			}
			if (logged != "") != tt.logs {
				t.Errorf("log = %q, want one: %t", logged, tt.logs)
			}
		})
	}
}

func TestRecoverOverTheWire(t *testing.T) {
	t.Parallel()
	truncated := middleware.Recover(nil, nil)(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(w, "half")
		w.(http.Flusher).Flush()
		if err := http.NewResponseController(w).SetWriteDeadline(time.Now().Add(time.Minute)); err != nil {
			t.Errorf("SetWriteDeadline = %v", err)
		}
		panic("x")
	}))
	srv := httptest.NewUnstartedServer(truncated)
	srv.Config.ErrorLog = log.New(io.Discard, "", 0)
	srv.Start()
	defer srv.Close()
	resp, err := srv.Client().Get(srv.URL)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if string(body) != "half" || err == nil {
		t.Errorf("client read %q, %v; a truncated body must not look whole", body, err)
	}
}

func TestRecoverAnswersAfterInformational(t *testing.T) {
	t.Parallel()
	srv := httptest.NewServer(middleware.Recover(nil, nil)(http.HandlerFunc(
		func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(http.StatusEarlyHints)
			panic("x")
		})))
	defer srv.Close()
	resp, err := srv.Client().Get(srv.URL)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusInternalServerError {
		t.Errorf("status = %d, want 500: hints are no answer", resp.StatusCode)
	}
}

func TestRecoverHijack(t *testing.T) {
	t.Parallel()
	srv := httptest.NewServer(middleware.Recover(nil, nil)(http.HandlerFunc(
		func(w http.ResponseWriter, _ *http.Request) {
			conn, _, err := http.NewResponseController(w).Hijack()
			if err != nil {
				t.Errorf("Hijack = %v", err)
				return
			}
			defer conn.Close()
			_, _ = io.WriteString(conn, "HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n")
		})))
	defer srv.Close()
	resp, err := srv.Client().Get(srv.URL)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusNoContent {
		t.Errorf("status = %d, want what the handler wrote to the connection", resp.StatusCode)
	}
}

func TestRecoverTellsWhatCannotFlush(t *testing.T) {
	t.Parallel()
	var got error
	middleware.Recover(nil, nil)(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		got = http.NewResponseController(w).Flush()
	})).ServeHTTP(bareWriter{http.Header{}}, httptest.NewRequest(http.MethodGet, "/", nil))
	if !errors.Is(got, http.ErrNotSupported) {
		t.Errorf("Flush = %v, want ErrNotSupported", got)
	}
}
