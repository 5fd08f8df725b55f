package rawjson

import (
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestEdit(t *testing.T) {
	t.Parallel()
	set := func(d *Doc) []byte { return d.Set("b", []byte(`"new"`)) }
	del := func(d *Doc) []byte { return d.Delete("b") }
	for _, test := range []struct {
		name, body string
		edit       func(*Doc) []byte
		want       string
	}{
		{"set first", `{"b":1,"a":2}`, set, `{"b":"new","a":2}`},
		{"set last", ` { "a" : 1.0 , "b" : [ 1 ] } `, set, ` { "a" : 1.0 , "b" : "new" } `},
		{"set escaped", `{"\u0062":1}`, set, `{"\u0062":"new"}`},
		{"set missing", ` { "a":1e2}`, set, ` {"b":"new", "a":1e2}`},
		{"set in empty", ` { } `, set, ` {"b":"new" } `},
		{"set key to quote", `{"a":1}`, func(d *Doc) []byte { return d.Set("\"\n", []byte("1")) }, `{"\"\n":1,"a":1}`},
		{"delete first", `{ "b":1, "a":2 }`, del, `{ "a":2 }`},
		{"delete middle", `{"a":1, "b":2, "c":3}`, del, `{"a":1, "c":3}`},
		{"delete last", `{"a":1 , "b":2 }`, del, `{"a":1 }`},
		{"delete only", `{ "b":{"b":1} }`, del, `{  }`},
		{"delete missing", `{ "a":{"b":1} }`, del, `{ "a":{"b":1} }`},
		{"set after nothing scanned", `[]`, set, ``},
		{"delete after nothing scanned", `[]`, del, ``},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			var d Doc
			body := []byte(test.body)
			_ = d.Scan(body, Options{})
			if got := string(test.edit(&d)); got != test.want {
				t.Errorf("got %q, want %q", got, test.want)
			}
			if string(body) != test.body {
				t.Errorf("the scanned body changed to %q", body)
			}
		})
	}
}

func TestRaw(t *testing.T) {
	t.Parallel()
	var d Doc
	body := []byte(`{"a": {"x" : 1} ,"é":2,"\u00e4\n":"s","\\u0061":[ ]}`)
	if err := d.Scan(body, Options{}); err != nil {
		t.Fatal(err)
	}
	for key, want := range map[string]string{"a": `{"x" : 1}`, "é": "2", "ä\n": `"s"`, `\u0061`: "[ ]"} {
		raw, ok := d.Raw(key)
		if !ok || string(raw) != want {
			t.Errorf("Raw(%q) = %q, %t, want %q", key, raw, ok, want)
		}
		_ = append(raw, "overwritten"...)
	}
	for _, key := range []string{"", "A", "x", `\u00e4\n`, "é "} {
		if raw, ok := d.Raw(key); ok {
			t.Errorf("Raw(%q) = %q, want nothing", key, raw)
		}
	}
	want := []string{"a", "é", "ä\n", `\u0061`}
	if diff := cmp.Diff(want, slices.Collect(d.Keys())); diff != "" {
		t.Errorf("Keys mismatch (-want +got):\n%s", diff)
	}
	if raw, ok := d.Raw("a"); string(raw) != `{"x" : 1}` || !ok {
		t.Errorf("appending to a value reached into the body: %s", body)
	}
}
