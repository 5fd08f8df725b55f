package rawjson

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

// scanError scans body and gives the error in its own type, nil for none.
func scanError(tb testing.TB, body string, o Options) *Error {
	tb.Helper()
	err := new(Doc).Scan([]byte(body), o)
	if err == nil {
		return nil
	}
	var e *Error
	if !errors.As(err, &e) {
		tb.Fatalf("Scan() = %T, want *Error", err)
	}
	return e
}

func TestScanAccepts(t *testing.T) {
	t.Parallel()
	for _, body := range []string{
		`{}`, " \t\r\n{ \t\r\n} \t\r\n", `{"a":1}`, `{"":0}`, `{"a":[]}`, `{"a":{}}`, `{"a" : [ 1 , 2 ] , "b" : { } }`,
		`{"a":[0,-0,1.5,-1.5e+10,1E-7,10e2,12345678901234567890,1e400]}`, `{"a":[true,false,null]}`,
		`{"a":"\"\\\/\b\f\n\r\t\u00e9\uD83C\uDF89"}`, `{"a":"\ud800"}`, "{\"a\":\"\xff\"}", "{\"a\":\"\x7f\"}",
		`{"a":"a string longer than one word, than four words, and than the block of four after them \" end"}`,
		`{"a":{"x":1,"x":2,"X":3}}`, `{"a":[[[[[{"b":[{}]}]]]]]}`, `{"model":1,"m\u006fde":2}`,
	} {
		if e := scanError(t, body, Options{Known: []string{"model", "stream"}}); e != nil {
			t.Errorf("Scan(%q) = %v, want nil", body, e)
		}
	}
}

func TestScanRefuses(t *testing.T) {
	t.Parallel()
	known := Options{Known: []string{"model", "stream", "k"}}
	for _, test := range []struct {
		name, body string
		o          Options
		want       Error
	}{
		{"empty", "", known, Error{Kind: KindEmpty}},
		{"spaces", " \n ", known, Error{Kind: KindEmpty, Offset: 3}},
		{"array", ` [1]`, known, Error{Kind: KindNotObject, Offset: 1}},
		{"string", `"x"`, known, Error{Kind: KindNotObject}},
		{"null", `null`, known, Error{Kind: KindNotObject}},
		{"BOM", "\ufeff{}", known, Error{Kind: KindSyntax}},
		{"word", `hello`, known, Error{Kind: KindSyntax}},
		{"trailing", `{"a":1} x`, known, Error{Kind: KindTrailing, Offset: 8}},
		{"two", `{}{}`, known, Error{Kind: KindTrailing, Offset: 2}},
		{"open", `{`, known, Error{Kind: KindSyntax, Offset: 1}},
		{"comma", `{,}`, known, Error{Kind: KindSyntax, Offset: 1}},
		{"trailing comma", `{"a":1,}`, known, Error{Kind: KindSyntax, Offset: 7}},
		{"no colon", `{"a" 1}`, known, Error{Kind: KindSyntax, Offset: 5}},
		{"no value", `{"a":}`, known, Error{Kind: KindSyntax, Offset: 5}},
		{"no comma", `{"a":1 "b":2}`, known, Error{Kind: KindSyntax, Offset: 7}},
		{"wrong bracket", `{"a":[1}}`, known, Error{Kind: KindSyntax, Offset: 7}},
		{"array comma", `{"a":[1,]}`, known, Error{Kind: KindSyntax, Offset: 8}},
		{"array end", `{"a":[1`, known, Error{Kind: KindSyntax, Offset: 7}},
		{"inner key", `{"a":{b:1}}`, known, Error{Kind: KindSyntax, Offset: 6}},
		{"inner comma", `{"a":{"b":1,}}`, known, Error{Kind: KindSyntax, Offset: 12}},
		{"NaN", `{"a":NaN}`, known, Error{Kind: KindSyntax, Offset: 5}},
		{"Infinity", `{"a":-Infinity}`, known, Error{Kind: KindSyntax, Offset: 6}},
		{"leading zero", `{"a":01}`, known, Error{Kind: KindSyntax, Offset: 6}},
		{"plus", `{"a":+1}`, known, Error{Kind: KindSyntax, Offset: 5}},
		{"no fraction", `{"a":1.}`, known, Error{Kind: KindSyntax, Offset: 7}},
		{"no exponent", `{"a":1e}`, known, Error{Kind: KindSyntax, Offset: 7}},
		{"literal", `{"a":trux}`, known, Error{Kind: KindSyntax, Offset: 8}},
		{"capital literal", `{"a":True}`, known, Error{Kind: KindSyntax, Offset: 5}},
		{"control byte", "{\"a\":\"b\n\"}", known, Error{Kind: KindSyntax, Offset: 7}},
		{
			"late control byte", "{\"a\":\"" + strings.Repeat("x", 100) + "\x00\"}", known,
			Error{Kind: KindSyntax, Offset: 106},
		},
		{"escape", `{"a":"\x"}`, known, Error{Kind: KindSyntax, Offset: 7}},
		{"hex", `{"a":"\u12G4"}`, known, Error{Kind: KindSyntax, Offset: 10}},
		{"string end", `{"a":"bcdefghijkl`, known, Error{Kind: KindSyntax, Offset: 17}},
		{"escape end", `{"a":"bcdefghijk\`, known, Error{Kind: KindSyntax, Offset: 17}},
		{"single quotes", `{'a':1}`, known, Error{Kind: KindSyntax, Offset: 1}},
		{"depth", `{"a":[{"b":[]}]}`, Options{MaxDepth: 3}, Error{Kind: KindDepth, Offset: 11}},
		{"depth 1", `{"a":{}}`, Options{MaxDepth: 1}, Error{Kind: KindDepth, Offset: 5}},
		{"duplicate", `{"a":1,"b":2,"a":3}`, known, Error{Kind: KindDuplicate, Offset: 13, Key: "a"}},
		{"escaped duplicate", `{"ab":1,"\u0061b":2}`, known, Error{Kind: KindDuplicate, Offset: 8, Key: "ab"}},
		{"duplicate pair", `{"🎉":1,"\ud83c\udf89":2}`, known, Error{Kind: KindDuplicate, Offset: 10, Key: "🎉"}},
		{"lone surrogates", `{"\ud800":1,"\ud801":2}`, known, Error{Kind: KindDuplicate, Offset: 12, Key: "\ufffd"}},
		{"case", `{"foo":1,"Foo":2}`, known, Error{Kind: KindCase, Offset: 9, Key: "Foo"}},
		{"case, lower last", `{"Foo":1,"foo":2}`, known, Error{Kind: KindCase, Offset: 9, Key: "foo"}},
		{"case beyond ASCII", `{"É":1,"é":2}`, known, Error{Kind: KindCase, Offset: 8, Key: "é"}},
		{"three sigmas", `{"σ":1,"ς":2}`, known, Error{Kind: KindCase, Offset: 8, Key: "ς"}},
		{"known alone", `{"MODEL":1}`, known, Error{Kind: KindCase, Offset: 1, Key: "MODEL"}},
		{"known long s", `{"ſtream":1}`, known, Error{Kind: KindCase, Offset: 1, Key: "ſtream"}},
		{"known Kelvin", `{"\u212a":1}`, known, Error{Kind: KindCase, Offset: 1, Key: "\u212a"}},
		{"known escaped", `{"m\u004fdel":1}`, known, Error{Kind: KindCase, Offset: 1, Key: "mOdel"}},
		{"keys", `{"a":1,"b":2,"c":3}`, Options{MaxKeys: 2}, Error{Kind: KindKeys, Offset: 13}},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			got := scanError(t, test.body, test.o)
			if got == nil {
				t.Fatalf("Scan(%q) = nil, want %v", test.body, &test.want)
			}
			opts := cmp.Options{cmpopts.IgnoreUnexported(Error{}), cmpopts.IgnoreFields(Error{}, "Msg")}
			if diff := cmp.Diff(&test.want, got, opts); diff != "" {
				t.Errorf("Scan(%q) mismatch (-want +got):\n%s", test.body, diff)
			}
		})
	}
}

// TestStringEverywhere puts whatever a string may hold, or may not, at each offset from the words and blocks that
// are looked at together, with text before it, after it, and none.
func TestStringEverywhere(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name, part string
		wrong      int // offset in part of what cannot stand, -1: nothing
	}{
		{"nothing", "", -1},
		{"next string", `","`, -1},
		{"escapes", `\"\\\/\b\f\n\r\t`, -1},
		{"backslashes", `\\\\\\\\`, -1},
		{"unicode escape", `\u00e9`, -1},
		{"bytes beyond ASCII", "\x80\x82\x9f\xa2\xdc\xff", -1},
		{"neighbours", " !#[]\x7f", -1},
		{"NUL", "\x00", 0},
		{"unit separator", "\x1f", 0},
		{"escape of a control byte", "\\\n", 1},
		{"unknown escape", `\\\x`, 3},
		{"short unicode escape", `\u00`, 4},
		{"end of the string", `" "`, 2},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			for before := range 140 {
				for _, after := range []string{"", " ", strings.Repeat("é", 70)} {
					head := `{"a":["` + strings.Repeat("x", before)
					body := head + test.part + after + `"]}`
					e := scanError(t, body, Options{})
					if want := len(head) + test.wrong; (e == nil) != (test.wrong < 0) || e != nil && e.Offset != want {
						t.Fatalf("Scan(%q) = %v, want an error at byte %d: %t", body, e, want, test.wrong >= 0)
					}
					for _, end := range []int{len(head), len(head + test.part + after)} {
						if e := scanError(t, body[:end], Options{}); e == nil || test.wrong < 0 && e.Offset != end {
							t.Fatalf("Scan(%q) = %v, want an error at byte %d", body[:end], e, end)
						}
					}
				}
			}
		})
	}
}

func TestErrorText(t *testing.T) {
	t.Parallel()
	for _, test := range []struct{ body, want string }{
		{`{"model":1,"model":2}`, `duplicate key "model" at byte 11`},
		{`{"MODEL":1}`, `key "MODEL" at byte 1 differs only in case from a known key`},
		{`{"aB":1,"Ab":1}`, `key "Ab" at byte 8 differs only in case from another key`},
		{`{"a":1 2}`, `invalid JSON at byte 7: expected ',' or '}', found "2"`},
		{"{\"a\":\x1b}", `invalid JSON at byte 5: expected a value, found "\x1b"`},
		{`{"a":"b`, `invalid JSON at byte 7: unexpected end, invalid string`},
		{"\ufeff{}", `invalid JSON at byte 0: byte order mark before the object, found "\xef"`},
		{`{} x`, `data after the JSON object at byte 3`},
		{``, `the body is empty at byte 0`},
	} {
		if got := scanError(t, test.body, Options{Known: []string{"model"}}); got == nil || got.Error() != test.want {
			t.Errorf("Scan(%q) = %v, want %s", test.body, got, test.want)
		}
	}
	key := strings.Repeat("\u202e", 1000)
	got := scanError(t, `{"`+key+`":1,"`+key+`":2}`, Options{}).Error()
	if strings.ContainsRune(got, '\u202e') || len(got) > 64*6 {
		t.Errorf("the error repeats too much of the body, or unquoted: %q", got)
	}
}

// TestDeep nests up to a million levels: the limit holds exactly, far beyond what a register's bits count.
func TestDeep(t *testing.T) {
	t.Parallel()
	for _, levels := range []int{1, 63, 64, 65, 127, 128, 129, 255, 256, 257, 10_000, 1_000_000} {
		for _, shape := range []struct{ open, shut string }{{"[", "]"}, {`{"a":`, "}"}} {
			n := levels - 1
			body := `{"a":` + strings.Repeat(shape.open, n) + "1" + strings.Repeat(shape.shut, n) + "}"
			if e := scanError(t, body, Options{MaxDepth: levels}); e != nil {
				t.Errorf("%d levels of %s: %v, want nil", levels, shape.open, e)
			}
			e := scanError(t, body, Options{})
			if over := levels > DefaultMaxDepth; over != (e != nil && e.Kind == KindDepth) {
				t.Errorf("%d levels of %s: %v, want KindDepth: %t", levels, shape.open, e, over)
			}
		}
	}
	// Objects and arrays in turn, closed by the wrong bracket at the very end.
	body := strings.Repeat(`{"a":[`, 100) + strings.Repeat("]}", 99) + "}}"
	if e := scanError(t, body, Options{}); e == nil || e.Offset != len(body)-2 {
		t.Errorf("wrong bracket: %v, want an error at byte %d", e, len(body)-2)
	}
	start := time.Now()
	if e := scanError(t, strings.Repeat(`{"a":`, 1_000_000), Options{}); e == nil || e.Kind != KindDepth {
		t.Errorf("a million objects: %v, want KindDepth", e)
	}
	if took := time.Since(start); took > time.Second {
		t.Errorf("refusing a million levels took %v", took)
	}
}

// manyKeys is a body of n keys, with every tenth in need of folding.
func manyKeys(n int, last string) string {
	var b strings.Builder
	b.WriteString("{")
	for i := range n {
		key := fmt.Sprintf("key_%d", i)
		if i%10 == 0 {
			key = fmt.Sprintf("Kéy_\\u0041%d", i)
		}
		fmt.Fprintf(&b, `"%s":%d,`, key, i)
	}
	fmt.Fprintf(&b, `"%s":null}`, last)
	return b.String()
}

func TestManyKeys(t *testing.T) {
	t.Parallel()
	for _, n := range []int{inlineMembers - 1, inlineMembers, inlineMembers + 1, 100, 100_000} {
		start := time.Now()
		var d Doc
		if err := d.Scan([]byte(manyKeys(n, "last")), Options{}); err != nil || d.Len() != n+1 {
			t.Fatalf("%d keys: %v and %d members, want nil and %d", n, err, d.Len(), n+1)
		}
		if raw, ok := d.Raw("last"); !ok || string(raw) != "null" {
			t.Errorf("%d keys: Raw(last) = %q, %t", n, raw, ok)
		}
		for last, kind := range map[string]Kind{
			"key_1": KindDuplicate, "KEY_1": KindCase, "kÉy_a0": KindCase, "Kéy_A10": KindDuplicate,
		} {
			if e := scanError(t, manyKeys(n, last), Options{}); e == nil || e.Kind != kind {
				t.Errorf("%d keys and %s: %v, want %s", n, last, e, kind)
			}
		}
		// Comparing each key with each takes minutes; the rest is room for slow machines and the race detector.
		if took := time.Since(start); took > 30*time.Second {
			t.Errorf("%d keys took %v", n, took)
		}
		err := d.Scan([]byte(`{"last":1}`), Options{})
		if keys := slices.Collect(d.Keys()); err != nil || !slices.Equal(keys, []string{"last"}) {
			t.Errorf("the Doc scanned again: %v, keys %q", err, keys)
		}
	}
}

//nolint:paralleltest // it counts allocations
func TestScanAllocatesNothing(t *testing.T) {
	body := agentBody()
	known := []string{"model", "stream"}
	var d Doc
	if n := testing.AllocsPerRun(10, func() {
		if err := d.Scan(body, Options{Known: known}); err != nil {
			t.Error(err)
		}
		if _, ok := d.Raw("model"); !ok {
			t.Error("no model")
		}
		if _, ok := Find(body, "metadata", "user_id"); !ok {
			t.Error("no user")
		}
	}); n > 0 {
		t.Errorf("%v allocations, want 0", n)
	}
}

// TestEveryKeyIsRemembered repeats each of many keys in turn, on both sides of where the way of finding them
// changes.
func TestEveryKeyIsRemembered(t *testing.T) {
	t.Parallel()
	for _, n := range []int{inlineMembers + 2, 3 * inlineMembers} {
		for i := range n {
			e := scanError(t, manyKeys(n, fmt.Sprintf("key_%d", i)), Options{})
			if clash := i%10 != 0; clash != (e != nil && e.Kind == KindDuplicate) {
				t.Errorf("key %d of %d again: %v, want KindDuplicate: %t", i, n, e, clash)
			}
		}
	}
}
