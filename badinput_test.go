package ccproxy_test

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strings"
	"testing"

	"github.com/klauspost/compress/zstd"

	"github.com/ccproxy-go/ccproxy"
)

func nested(levels int) string {
	return `{"model":"m","x":` + strings.Repeat("[", levels-1) + strings.Repeat("]", levels-1) + "}"
}

func gzipped(body string) string {
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	_, _ = io.WriteString(z, body)
	_ = z.Close()
	return b.String()
}

func zstandard(body string) string {
	z, err := zstd.NewWriter(nil)
	if err != nil {
		return ""
	}
	return string(z.EncodeAll([]byte(body), nil))
}

func encodedAs(names ...string) http.Header { return http.Header{"Content-Encoding": names} }

func typed(contentType ...string) http.Header { return http.Header{"Content-Type": contentType} }

type badBody struct {
	name   string
	header http.Header
	body   string
	status int    // zero means 400
	typ    string // empty means invalid_request_error
	names  string // what the message must hold
}

func syntaxCases() []badBody {
	return []badBody{
		{name: "empty", names: "body is empty"},
		{name: "white space", body: " \r\n\t ", names: "body is empty"},
		{name: "not JSON", body: "hello", names: "request body: invalid JSON at byte 0"},
		{name: "form", body: "model=m&stream=true", names: "at byte 0"},
		{name: "HTML", body: "<html>", names: "at byte 0"},
		{name: "array", body: `[{"model":"m"}]`, names: "not a JSON object"},
		{name: "string", body: `"model"`, names: "not a JSON object"},
		{name: "number", body: `1`, names: "not a JSON object"},
		{name: "negative number", body: `-1`, names: "not a JSON object"},
		{name: "true", body: `true`, names: "not a JSON object"},
		{name: "false", body: `false`, names: "not a JSON object"},
		{name: "null", body: `null`, names: "not a JSON object"},
		{name: "open object", body: `{"model":"m"`, names: "at byte 12"},
		{name: "open string", body: `{"model":"m`, names: "at byte 11"},
		{name: "open key", body: `{"model`, names: "at byte 7"},
		{name: "only a brace", body: `{`, names: "at byte 1"},
		{name: "no colon", body: `{"model" "m"}`, names: "expected ':'"},
		{name: "no comma", body: `{"model":"m" "stream":true}`, names: "at byte 13"},
		{name: "trailing comma", body: `{"model":"m",}`, names: "at byte 13"},
		{name: "trailing comma in an array", body: `{"x":[1,]}`, names: "at byte 8"},
		{name: "trailing object", body: `{"model":"m"}{"model":"n"}`, names: "data after the JSON object at byte 13"},
		{name: "trailing brace", body: `{"model":"m"}}`, names: "at byte 13"},
		{name: "trailing NUL", body: "{\"model\":\"m\"}\x00", names: "at byte 13"},
		{name: "comment", body: `{"model":"m"/* */}`, names: "at byte 12"},
		{name: "single quotes", body: `{'model':'m'}`, names: "at byte 1"},
		{name: "bare key", body: `{model:"m"}`, names: "at byte 1"},
		{name: "mismatched brackets", body: `{"x":[1}}`, names: "at byte 7"},
		{name: "NaN", body: `{"temperature":NaN}`, names: "at byte 15"},
		{name: "Infinity", body: `{"temperature":Infinity}`, names: "at byte 15"},
		{name: "minus Infinity", body: `{"temperature":-Infinity}`, names: "invalid number"},
		{name: "leading zero", body: `{"n":01}`, names: "at byte 6"},
		{name: "plus sign", body: `{"n":+1}`, names: "at byte 5"},
		{name: "dot first", body: `{"n":.5}`, names: "at byte 5"},
		{name: "dot last", body: `{"n":1.}`, names: "invalid number"},
		{name: "exponent without digits", body: `{"n":1e}`, names: "invalid number"},
		{name: "hexadecimal", body: `{"n":0x10}`, names: "at byte 6"},
		{name: "capital literal", body: `{"stream":True}`, names: "at byte 10"},
		{name: "cut literal", body: `{"stream":tru}`, names: "invalid literal"},
		{name: "unknown escape", body: `{"x":"\x41"}`, names: "invalid string"},
		{name: "short unicode escape", body: `{"x":"\u12"}`, names: "invalid string"},
		{name: "unicode escape of no digits", body: `{"x":"\uZZZZ"}`, names: "invalid string"},
		{name: "line feed in a string", body: "{\"x\":\"a\nb\"}", names: "invalid string"},
		{name: "tab in a string", body: "{\"x\":\"a\tb\"}", names: "invalid string"},
		{name: "NUL in a string", body: "{\"x\":\"a\x00b\"}", names: "invalid string"},
		{name: "vertical tab as space", body: "{\v\"x\":1}", names: "at byte 1"},
		{name: "no-break space", body: "{\u00a0\"x\":1}", names: "at byte 1"},
		{name: "byte order mark", body: "\ufeff" + wholeBody, names: "byte order mark"},
		{name: "UTF-16 little endian", body: "\xff\xfe{\x00}\x00", names: "at byte 0"},
		{name: "UTF-16 big endian", body: "\xfe\xff\x00{\x00}", names: "at byte 0"},
		{name: "257 levels", body: nested(257), names: "nested too deep"},
		{name: "a million levels", body: nested(1_000_000), names: "nested too deep"},
		{name: "a million open brackets", body: `{"x":` + strings.Repeat("[", 1_000_000), names: "nested too deep"},
		{name: "a million open objects", body: strings.Repeat(`{"x":`, 1_000_000), names: "nested too deep"},
	}
}

func memberCases() []badBody {
	return []badBody{
		{name: "model twice", body: `{"model":"a","model":"b"}`, names: `duplicate key "model"`},
		{name: "model twice, one escaped", body: `{"model":"a","\u006dodel":"b"}`, names: `duplicate key "model"`},
		{name: "model twice, escaped first", body: `{"mode\u006c":"a","model":"b"}`, names: `duplicate key "model"`},
		{name: "stream twice", body: `{"stream":true,"stream":false}`, names: `duplicate key "stream"`},
		{name: "messages twice", body: `{"messages":[],"messages":[1]}`, names: `duplicate key "messages"`},
		{name: "unknown key twice", body: `{"x":1,"y":2,"x":1}`, names: `duplicate key "x"`},
		{name: "empty key twice", body: `{"":1,"":2}`, names: "duplicate key"},
		{name: "MODEL alone", body: `{"MODEL":"a"}`, names: `"MODEL"`},
		{name: "Model beside model", body: `{"model":"a","Model":"b"}`, names: `"Model"`},
		{name: "Stream alone", body: `{"Stream":true}`, names: `"Stream"`},
		{name: "long s", body: "{\"\u017ftream\":true}", names: `"\u017ftream"`},
		{name: "long s escaped", body: `{"\u017Ftream":true}`, names: `"\u017ftream"`},
		{name: "escaped capital", body: `{"\u004dodel":"a"}`, names: `"Model"`},
		{name: "Messages beside messages", body: `{"messages":[],"Messages":[]}`, names: `"Messages"`},
		{name: "duplicate after many keys", body: manyKeys(100) + `,"k7":1}`, names: `duplicate key "k7"`},
		{name: "too many keys", body: manyKeys(1<<17) + `,"one":1}`, names: "too many top-level keys"},
		{name: "model number", body: `{"model":5}`, names: "model: must be a string"},
		{name: "model null", body: `{"model":null}`, names: "model: must be a string"},
		{name: "model true", body: `{"model":true}`, names: "model: must be a string"},
		{name: "model array", body: `{"model":["m"]}`, names: "model: must be a string"},
		{name: "model object", body: `{"model":{"id":"m"}}`, names: "model: must be a string"},
		{name: "stream string", body: `{"stream":"true"}`, names: "stream: must be true or false"},
		{name: "stream number", body: `{"stream":1}`, names: "stream: must be true or false"},
		{name: "stream object", body: `{"stream":{}}`, names: "stream: must be true or false"},
		{name: "stream array", body: `{"stream":[true]}`, names: "stream: must be true or false"},
	}
}

func manyKeys(n int) string {
	var b strings.Builder
	b.WriteString(`{"model":"m"`)
	for i := range n - 1 {
		fmt.Fprintf(&b, `,"k%d":0`, i)
	}
	return b.String()
}

func encodingCases() []badBody {
	const media, large = http.StatusUnsupportedMediaType, http.StatusRequestEntityTooLarge
	zeros := `{"x":"` + strings.Repeat("0", 33<<20) + `"}`
	whole, zipped := zstandard(wholeBody), gzipped(wholeBody)
	return []badBody{
		{name: "gzip cut", header: encodedAs("gzip"), body: zipped[:len(zipped)-9], names: "not valid gzip"},
		{name: "gzip checksum", header: encodedAs("gzip"), body: zipped[:len(zipped)-8] + "12345678", names: "gzip"},
		{name: "gzip garbage", header: encodedAs("gzip"), body: wholeBody, names: "not valid gzip"},
		{name: "gzip tail", header: encodedAs("gzip"), body: zipped + "tail", names: "not valid gzip"},
		{name: "gzip empty", header: encodedAs("gzip"), names: "not valid gzip"},
		{name: "gzip around bad JSON", header: encodedAs("gzip"), body: gzipped("{"), names: "at byte 1"},
		{name: "gzip bomb", header: encodedAs("gzip"), body: gzipped(zeros), status: large, typ: "request_too_large", names: "33554432"},
		{name: "zstd cut", header: encodedAs("zstd"), body: whole[:len(whole)-5], names: "not valid zstd"},
		{name: "zstd garbage", header: encodedAs("zstd"), body: wholeBody, names: "not valid zstd"},
		{name: "zstd empty", header: encodedAs("zstd"), names: "body is empty"},
		{name: "zstd bomb", header: encodedAs("zstd"), body: zstandard(zeros), status: large, typ: "request_too_large", names: "33554432"},
		{name: "br", header: encodedAs("br"), body: wholeBody, status: media, names: "Content-Encoding"},
		{name: "deflate", header: encodedAs("deflate"), body: wholeBody, status: media, names: "Content-Encoding"},
		{name: "unknown encoding", header: encodedAs("x-mine"), body: wholeBody, status: media, names: "Content-Encoding"},
		{name: "two encodings", header: encodedAs("gzip, gzip"), body: gzipped(zipped), status: media, names: "Content-Encoding"},
		{name: "two encoding lines", header: encodedAs("gzip", "zstd"), body: zipped, status: media, names: "Content-Encoding"},
		{name: "form type", header: typed("application/x-www-form-urlencoded"), body: wholeBody, status: media, names: "Content-Type"},
		{name: "multipart", header: typed("multipart/form-data; boundary=x"), body: wholeBody, status: media, names: "Content-Type"},
		{name: "text/plain", header: typed("text/plain"), body: wholeBody, status: media, names: "Content-Type"},
		{name: "text/json", header: typed("text/json"), body: wholeBody, status: media, names: "Content-Type"},
		{name: "latin1", header: typed("application/json; charset=iso-8859-1"), body: wholeBody, status: media, names: "Content-Type"},
		{name: "broken type", header: typed("application/json; charset"), body: wholeBody, status: media, names: "Content-Type"},
		{name: "no type at all", header: typed("/"), body: wholeBody, status: media, names: "Content-Type"},
		{name: "two types", header: typed("application/json", "text/plain"), body: wholeBody, status: media, names: "Content-Type"},
		{
			name: "too large", body: `{"x":"` + strings.Repeat("0", 32<<20) + `"}`, status: large, typ: "request_too_large",
			names: "33554432",
		},
	}
}

// Every body that the proxy cannot read the same way as the upstream would is refused before the upstream sees it.
//
//nolint:paralleltest,tparallel // the cases share one upstream, one after the other
func TestBadBodies(t *testing.T) {
	t.Parallel()
	r := newRig(t, rigSetup{})
	cases := append(append(syntaxCases(), memberCases()...), encodingCases()...)
	if len(cases) < 70 {
		t.Errorf("only %d cases", len(cases))
	}
	for _, tt := range cases {
		for _, path := range []string{messagesPath, countPath} {
			if path == countPath && tt.status == http.StatusRequestEntityTooLarge {
				continue // it takes its time, and the reading is the same
			}
			status, typ := tt.status, tt.typ
			if status == 0 {
				status = http.StatusBadRequest
			}
			if typ == "" {
				typ = "invalid_request_error"
			}
			t.Run(tt.name+" "+path, func(t *testing.T) {
				rec := r.do(t, http.MethodPost, path, tt.header, strings.NewReader(tt.body))
				wantError(t, rec, anthropicDialect, status, typ, tt.names)
				if got := r.failed(t); got.Status != status || got.ErrorType != typ || got.ClientGone {
					t.Errorf("request.failed = %+v", got)
				}
			})
		}
	}
	if seen := r.upstream.Requests(); len(seen) != 0 {
		t.Errorf("the upstream saw %d requests, the first %q", len(seen), seen[0].Body)
	}
}

// A refused encoding tells which ones are taken.
func TestBadEncodingSaysWhatIsTaken(t *testing.T) {
	t.Parallel()
	r := newRig(t, rigSetup{quiet: true})
	rec := r.do(t, http.MethodPost, messagesPath, encodedAs("br"), strings.NewReader(wholeBody))
	if got := rec.Header().Get("Accept-Encoding"); got != "gzip, zstd" {
		t.Errorf("Accept-Encoding = %q", got)
	}
}

// The limit holds whatever the client says of the length, and a length that is a lie costs no memory.
//
//nolint:paralleltest,tparallel // the cases share one upstream, one after the other
func TestBodyLimit(t *testing.T) {
	t.Parallel()
	r := newRig(t, rigSetup{settings: ccproxy.Settings{Limits: ccproxy.Limits{BodyBytes: 1000}}})
	exact := `{"x":"` + strings.Repeat("0", 1000-8) + `"}`
	tests := []struct {
		name   string
		body   string
		length int64
		want   int
	}{
		{"exact", exact, 1000, 200},
		{"exact, chunked", exact, -1, 200},
		{"one too many", exact + " ", 1001, 413},
		{"one too many, chunked", exact + " ", -1, 413},
		{"announced only", "", 1 << 60, 413},
		{"endless", strings.Repeat(" ", 1<<20), -1, 413},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r.upstream.Enqueue(providerAnswer())
			req := httptest.NewRequestWithContext(t.Context(), http.MethodPost, messagesPath, strings.NewReader(tt.body))
			req.ContentLength = tt.length
			rec := httptest.NewRecorder()
			r.proxy.ServeHTTP(rec, req)
			if tt.want == http.StatusOK {
				if rec.Code != tt.want || string(r.last(t).Body) != tt.body {
					t.Errorf("got %d %s", rec.Code, rec.Body)
				}
				return
			}
			wantError(t, rec, anthropicDialect, tt.want, "request_too_large", "1000 bytes")
			if n := len(r.upstream.Requests()); n != 0 {
				t.Errorf("the upstream saw %d requests", n)
			}
		})
	}
}

// A small body that decompresses to 64 MiB costs about as much memory as the limit.
//
//nolint:paralleltest // it measures the memory of the process
func TestBombsCostNoMemory(t *testing.T) {
	r := newRig(t, rigSetup{quiet: true, settings: ccproxy.Settings{Limits: ccproxy.Limits{BodyBytes: 1 << 20}}})
	huge := io.LimitReader(zeroReader{}, 64<<20)
	var packed bytes.Buffer
	z := gzip.NewWriter(&packed)
	if _, err := io.Copy(z, huge); err != nil || z.Close() != nil {
		t.Fatal(err)
	}
	var packedZ bytes.Buffer
	zw, err := zstd.NewWriter(&packedZ, zstd.WithEncoderConcurrency(1))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.Copy(zw, io.LimitReader(zeroReader{}, 64<<20)); err != nil || zw.Close() != nil {
		t.Fatal(err)
	}
	// A frame that claims a window of 2 GiB.
	window := "\x28\xb5\x2f\xfd\x00\xa8" + strings.Repeat("\x01", 64)
	for _, tt := range []struct{ name, encoding, body string }{
		{"gzip", "gzip", packed.String()},
		{"zstd", "zstd", packedZ.String()},
		{"zstd window", "zstd", window},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			rec := r.do(t, http.MethodPost, messagesPath, encodedAs(tt.encoding), strings.NewReader(tt.body))
			runtime.ReadMemStats(&after)
			if rec.Code != http.StatusRequestEntityTooLarge {
				t.Errorf("got %d %s", rec.Code, rec.Body)
			}
			if used := after.TotalAlloc - before.TotalAlloc; used > 32<<20 {
				t.Errorf("a body of %d bytes cost %d MiB", len(tt.body), used>>20)
			}
		})
	}
}

type zeroReader struct{}

func (zeroReader) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = '0'
	}
	return len(p), nil
}

// What is odd but valid passes, byte for byte.
//
//nolint:paralleltest,tparallel // the cases share one upstream, one after the other
func TestOddBodiesPass(t *testing.T) {
	t.Parallel()
	r := newRig(t, rigSetup{})
	tests := []struct {
		name   string
		header http.Header
		body   string
		want   string // what the upstream gets, if not body
	}{
		{name: "no members", body: "{}"},
		{name: "space around", body: " \r\n\t{ } \n"},
		{name: "invalid UTF-8 in a string", body: "{\"x\":\"\xff\xfe\x80\"}"},
		{name: "lone surrogates", body: `{"x":"\ud83d","y":"\ude00 \uDBFF"}`},
		{name: "escaped NUL", body: `{"x":"\u0000"}`},
		{name: "escaped slashes", body: `{"x":"\/\u003c<&>"}`},
		{name: "256 levels", body: nested(256)},
		{name: "stream null", body: `{"stream":null}`},
		{name: "stream false", body: `{"stream":false}`},
		{name: "escaped model key", body: `{"\u006dodel":"m"}`},
		{name: "empty model", body: `{"model":""}`},
		{name: "escaped model", body: `{"model":"\u006d"}`},
		{name: "duplicates below the top", body: `{"x":{"a":1,"a":2,"A":3}}`},
		{name: "case variants of unknown keys are different below", body: `{"x":[{"Model":1,"model":2}]}`},
		{name: "big numbers", body: `{"a":12345678901234567890,"b":1e400,"c":-0.0,"d":1E+2}`},
		{name: "many keys", body: manyKeys(5000) + "}"},
		{name: "32 MiB minus one", body: `{"x":"` + strings.Repeat("0", 32<<20-9) + `"}`},
		{name: "32 MiB", body: `{"x":"` + strings.Repeat("0", 32<<20-8) + `"}`},
		{name: "no content type", header: typed(), body: wholeBody},
		{name: "charset", header: typed(`application/json; charset="UTF-8"`), body: wholeBody},
		{name: "json suffix", header: typed("application/problem+json"), body: wholeBody},
		{name: "capitals", header: typed("Application/JSON"), body: wholeBody},
		{name: "identity", header: encodedAs("identity"), body: wholeBody},
		{name: "gzip", header: encodedAs("gzip"), body: gzipped(wholeBody), want: wholeBody},
		{name: "x-gzip", header: encodedAs("X-GZIP"), body: gzipped(wholeBody), want: wholeBody},
		{name: "gzip in two members", header: encodedAs("gzip"), body: gzipped(wholeBody[:9]) + gzipped(wholeBody[9:]), want: wholeBody},
		{name: "zstd", header: encodedAs("zstd"), body: zstandard(wholeBody), want: wholeBody},
		{name: "zstd of 8 MiB", header: encodedAs("zstd"), body: zstandard(`{"x":"` + strings.Repeat("0", 8<<20) + `"}`), want: `{"x":"` + strings.Repeat("0", 8<<20) + `"}`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r.upstream.Enqueue(providerAnswer())
			rec := r.do(t, http.MethodPost, messagesPath, tt.header, strings.NewReader(tt.body))
			if rec.Code != http.StatusOK {
				t.Fatalf("got %d %s", rec.Code, rec.Body)
			}
			want := tt.body
			if tt.want != "" {
				want = tt.want
			}
			got := r.last(t)
			if string(got.Body) != want {
				t.Errorf("the upstream got other bytes: %.200q", got.Body)
			}
			if got.Header.Get("Content-Encoding") != "" {
				t.Error("the upstream is told of an encoding that was undone")
			}
			r.completed(t)
		})
	}
}
