package accesslog

import (
	"encoding/json"
	"regexp"
	"strings"
	"testing"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/ccproxy-go/ccproxy/hooks"
)

func TestHostileFields(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name     string
		text     string
		json     string
		combined string
	}{
		{name: "line ends", text: "a\r\nb", json: `"a\u000d\u000ab"`, combined: `"a\x0d\x0ab"`},
		{name: "quotes", text: `a" 200 "\`, json: `"a\" 200 \"\\"`, combined: `"a\" 200 \"\\"`},
		{name: "terminal", text: "\x1b[31mred\x7f", json: `"\u001b[31mred\u007f"`, combined: `"\x1b[31mred\x7f"`},
		{name: "C1 control", text: "\u009b2J", json: `"\u009b2J"`, combined: `"\xc2\x9b2J"`},
		{name: "line separator", text: "a\u2028b", json: `"a\u2028b"`, combined: `"a\xe2\x80\xa8b"`},
		{name: "direction", text: "\u202egpj", json: `"\u202egpj"`, combined: `"\xe2\x80\xaegpj"`},
		{name: "tag", text: "\U000e0041", json: `"\udb40\udc41"`, combined: `"\xf3\xa0\x81\x81"`},
		{name: "not UTF-8", text: "a\xff", json: `"a` + "\ufffd" + `"`, combined: `"a\xff"`},
		{name: "plain", text: "Grüße, 世界 <b>&", json: `"Grüße, 世界 <b>&"`, combined: `"Grüße, 世界 <b>&"`},
		{name: "empty", text: "", json: `""`, combined: `"-"`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			if got := string(appendJSONString(nil, tt.text)); got != tt.json {
				t.Errorf("JSON = %s, want %s", got, tt.json)
			}
			if got := string(appendQuoted(nil, tt.text)); got != tt.combined {
				t.Errorf("quoted = %s, want %s", got, tt.combined)
			}
		})
	}
}

// combinedLine is how a program that reads such lines takes them apart.
var combinedLine = regexp.MustCompile(
	`^\S+ - \S+ \[01/Jan/2000:00:00:00 \+0000\] "((?:[^"\\]|\\.)*)" 200 - "((?:[^"\\]|\\.)*)" "((?:[^"\\]|\\.)*)"$`)

// FuzzLine holds that no text of a client leaves its field, in any format.
func FuzzLine(f *testing.F) {
	for _, s := range []string{
		"curl/8", "a\r\n127.0.0.1 - - [x] \"GET / HTTP/1.1\" 200 1", `\"`, `\`, "\x1b]0;t\x07", "\u2028\u2029\u0085", "\xc2",
		`","status_code":500,"x":"`, " ", "\x00", "\U000e0001",
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		hc := &hooks.Context{Time: time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC), Payload: &hooks.RequestCompleted{
			Status: 200, Request: hooks.Request{
				Method: "GET", Path: "/" + s, Query: s, ClientIP: s, UserAgent: s, CallerID: s, Model: s, ID: s,
				Header: hooks.SnapshotHeader(map[string][]string{"Referer": {"/" + s}}),
			},
		}}
		e := newEntry(hc)
		if e == nil {
			t.Fatal("event is not taken")
		}
		combined := string(e.line(FormatCombined, new(draft)))
		if !combinedLine.MatchString(combined) {
			t.Errorf("line cannot be taken apart: %s", combined)
		}
		structured := string(e.line(FormatStructured, new(draft)))
		for _, line := range []string{combined, structured} {
			if !utf8.ValidString(line) || strings.ContainsFunc(line, func(r rune) bool { return !unicode.IsPrint(r) }) {
				t.Errorf("line does not print: %q", line)
			}
		}
		var got struct {
			Agent  string `json:"user_agent"`
			Status int    `json:"status_code"`
		}
		if err := json.Unmarshal([]byte(structured), &got); err != nil {
			t.Fatalf("%v in %s", err, structured)
		}
		if want := strings.ToValidUTF8(s, "\ufffd"); utf8.ValidString(s) && got.Agent != want || got.Status != 200 {
			t.Errorf("line reads back as %+v, want %q and 200", got, want)
		}
	})
}
