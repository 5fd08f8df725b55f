package rawjson

import (
	"bytes"
	"encoding/json"
	"errors"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

var seeds = []string{
	`{}`, `{"model":"m","stream":true,"messages":[{"role":"user","content":"hi \n\u00e9\ud83c\udf89"}]}`,
	` { "a" : [ -1.5e+3 , 0 , { } ] , "b" : null } `, `{"a":1,"A":2}`, `{"a":1,"\u0061":2}`, `{"ſ":1,"S":2}`,
	`[1]`, `{"a":01}`, `{"a":"\x"}`, "{\"a\":\"\xff\",\"\xff\":2}", `{"a":trux}`,
	`{"a":{"b":[[[["long enough to leave the first words"]]]]}`,
	"\ufeff{}", `{"a":1}}`, `{"":"","b":{"":[]}}`, "{\"a\":\"\x01\"}",
}

// topKeys gives the keys of a valid object as encoding/json reads them.
func topKeys(t *testing.T, body []byte) (keys []string) {
	t.Helper()
	dec := json.NewDecoder(bytes.NewReader(body))
	if _, err := dec.Token(); err != nil {
		t.Fatal(err)
	}
	for dec.More() {
		key, err := dec.Token()
		if err != nil {
			t.Fatal(err)
		}
		var value json.RawMessage
		if err := dec.Decode(&value); err != nil {
			t.Fatal(err)
		}
		keys = append(keys, key.(string))
	}
	return keys
}

// depth is how deep a valid document nests.
func depth(body []byte) (deepest int) {
	level, inString := 0, false
	for i := 0; i < len(body); i++ {
		switch c := body[i]; {
		case inString && c == '\\':
			i++
		case c == '"':
			inString = !inString
		case inString:
		case c == '{', c == '[':
			level++
			deepest = max(deepest, level)
		case c == '}', c == ']':
			level--
		}
	}
	return deepest
}

// clashing tells whether two keys are equal but for case.
func clashing(keys []string) bool {
	for i, a := range keys {
		for _, b := range keys[:i] {
			if strings.EqualFold(a, b) {
				return true
			}
		}
	}
	return false
}

// FuzzScan compares with encoding/json: the same bodies pass, but for the refusals that are our own, and what
// is wrong is wrong at the same byte.
func FuzzScan(f *testing.F) {
	for _, s := range seeds {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		const maxDepth = 16
		var d Doc
		err := d.Scan(body, Options{MaxDepth: maxDepth})
		trimmed := bytes.TrimLeft(body, " \t\r\n")
		if !json.Valid(body) {
			if err == nil {
				t.Fatalf("Scan(%q) = nil, but it is not valid", body)
			}
			sameOffset(t, body, err)
			return
		}
		isObject := trimmed[0] == '{'
		want := isObject && depth(body) <= maxDepth && !clashing(topKeys(t, body))
		if want != (err == nil) {
			t.Fatalf("Scan(%q) = %v, want success: %t", body, err, want)
		}
		if err != nil {
			return
		}
		keys := topKeys(t, body)
		if diff := cmp.Diff(keys, slices.Collect(d.Keys())); diff != "" {
			t.Fatalf("Keys of %q mismatch (-want +got):\n%s", body, diff)
		}
		checkEdits(t, &d, body, keys)
	})
}

// sameOffset compares the place of an error with the one that encoding/json gives.
func sameOffset(t *testing.T, body []byte, err error) {
	t.Helper()
	var e *Error
	if !errors.As(err, &e) {
		t.Fatalf("Scan(%q) = %T, want *Error", body, err)
	}
	if !exactOffsets() {
		return
	}
	if e.Kind != KindSyntax && e.Kind != KindTrailing && e.Kind != KindEmpty {
		return // our own refusal came before the place where encoding/json stops
	}
	var value json.RawMessage
	var std *json.SyntaxError
	closed := append(slices.Clip(body), 0x01) // stands nowhere, and so gives the end of the body an offset
	if !errors.As(json.Unmarshal(closed, &value), &std) {
		t.Fatalf("Unmarshal(%q) gives no syntax error", body)
	}
	if want := int(std.Offset) - 1; e.Offset != want {
		t.Errorf("Scan(%q) = %v, want the error at byte %d: %v", body, e, want, std)
	}
}

// exactOffsets tells whether encoding/json places errors at the byte that is wrong, which it does not do when
// it is built on its second version.
func exactOffsets() bool {
	var value json.RawMessage
	var std *json.SyntaxError
	return errors.As(json.Unmarshal([]byte(`{"a":01}`), &value), &std) && std.Offset == 7
}

// checkEdits compares Set and Delete of each key, and of one that is missing, with edits of the decoded body.
func checkEdits(t *testing.T, d *Doc, body []byte, keys []string) {
	t.Helper()
	const missing = "a key \" that is not there"
	for _, key := range append(slices.Clip(keys), missing) {
		want := decode(t, body)
		if raw, ok := d.Raw(key); ok != (key != missing) || ok && !json.Valid(raw) {
			t.Fatalf("Raw(%q) of %q = %q, %t", key, body, raw, ok)
		}
		delete(want, key)
		deleted := decode(t, d.Delete(key))
		if diff := cmp.Diff(want, deleted); diff != "" {
			t.Fatalf("Delete(%q) of %q mismatch (-want +got):\n%s", key, body, diff)
		}
		want[key] = `["new"]`
		set := decode(t, d.Set(key, []byte(`["new"]`)))
		if diff := cmp.Diff(want, set); diff != "" {
			t.Fatalf("Set(%q) of %q mismatch (-want +got):\n%s", key, body, diff)
		}
	}
}

// decode gives the members of a body, values raw.
func decode(t *testing.T, body []byte) map[string]string {
	t.Helper()
	var m map[string]json.RawMessage
	if err := json.Unmarshal(body, &m); err != nil {
		t.Fatalf("Unmarshal(%q): %v", body, err)
	}
	out := make(map[string]string, len(m))
	for k, v := range maps.All(m) {
		out[k] = string(v)
	}
	return out
}

// FuzzString compares String and AppendString with encoding/json.
func FuzzString(f *testing.F) {
	for _, s := range []string{`"a"`, `"\ud83c\udf89\ud800"`, "\"\xff\"", `"\"`, "x\n\"\\<>\u2028", ` "" `, `"ü`} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		var want string
		wantOK := json.Unmarshal(raw, &want) == nil && string(bytes.TrimSpace(raw)) != "null"
		if got, ok := String(raw); ok != wantOK || ok && got != want {
			t.Errorf("String(%q) = %q, %t, want %q, %t", raw, got, ok, want, wantOK)
		}
		token := AppendString(nil, string(raw))
		if !json.Valid(token) {
			t.Fatalf("AppendString(%q) = %s, not valid", raw, token)
		}
		if got, ok := String(token); !ok || got != string([]rune(string(raw))) {
			t.Errorf("String(AppendString(%q)) = %q, %t", raw, got, ok)
		}
	})
}

// FuzzFind feeds anything to the functions that do not check: no panic, no endless loop, and of valid objects
// the same members that encoding/json reads.
func FuzzFind(f *testing.F) {
	for _, s := range seeds {
		f.Add([]byte(s), "a")
	}
	f.Add([]byte(`{"a":" `), "a")
	f.Fuzz(func(t *testing.T, raw []byte, key string) {
		found, _ := Find(raw, key, key)
		each := []Wanted{{Key: "b"}, {Key: key}}
		FindEach(raw, each)
		if alone, _ := Find(raw, key); key != "b" && !bytes.Equal(each[1].Value, alone) {
			t.Errorf("FindEach(%q) finds %q for %q, Find %q", raw, each[1].Value, key, alone)
		}
		for range Elements(raw) {
			continue
		}
		for range Elements(found) {
			continue
		}
		members := map[string]string{}
		for token, value := range Members(raw) {
			name, _ := String(token)
			members[name] = string(value)
		}
		Int(raw)
		Bool(raw)
		var want map[string]json.RawMessage
		if json.Unmarshal(raw, &want) != nil || want == nil {
			return
		}
		if diff := cmp.Diff(decode(t, raw), members); diff != "" {
			t.Errorf("Members(%q) mismatch (-want +got):\n%s", raw, diff)
		}
		for name := range want {
			if _, ok := Find(raw, name); !ok && !strings.ContainsRune(name, '\ufffd') {
				t.Errorf("Find(%q, %q) finds nothing", raw, name)
			}
		}
	})
}
