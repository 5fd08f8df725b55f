package rawjson

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

// walked gives the items of a value at one level, each level in brackets of its own.
func walked(raw []byte, nested bool) (items []string, length int) {
	w := WalkObject(raw)
	if len(raw) > 0 && raw[spaceEnd(raw, 0)%len(raw)] == '[' {
		w = WalkArray(raw)
	}
	for w.Next() {
		tail := w.Tail()
		if nested && len(tail) > 0 && tail[0]|0x20 == '{' {
			inner, n := walked(tail, true)
			w.Skip(n)
			items = append(items, string(w.Key)+"<")
			items = append(items, inner...)
			items = append(items, ">")
			continue
		}
		items = append(items, string(w.Key)+string(w.Value()))
	}
	return items, w.Len()
}

func TestWalk(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name, in     string
		flat, nested []string
		rest         string // after what was walked through
	}{
		{"empty", `{}`, nil, nil, ""},
		{"empty array with more", ` [ ] ,1`, nil, nil, " ,1"},
		{"members", `{"a":1,"b\"":"x\\\"y" , "c":null}`, []string{`"a"1`, `"b\""` + `"x\\\"y"`, `"c"null`}, nil, ""},
		{
			"levels", `{"a":{"b":[1,{"c":"]}"},[]]},"d":[ {} ]}, "next"`,
			[]string{`"a"{"b":[1,{"c":"]}"},[]]}`, `"d"[ {} ]`},
			[]string{`"a"<`, `"b"<`, `1`, `<`, `"c""]}"`, `>`, `<`, `>`, `>`, `>`, `"d"<`, `<`, `>`, `>`},
			`, "next"`,
		},
		{"array", `["a" , 2,[3]]x`, []string{`"a"`, `2`, `[3]`}, []string{`"a"`, `2`, `<`, `3`, `>`}, "x"},
		{"no container", `"a"`, nil, nil, ""},
		{"cut key", `{"a`, nil, nil, ""},
		{"cut value", `{"a":`, nil, nil, ""},
		{"cut after a comma", `[1,`, []string{`1`}, nil, ""},
		{"nothing", ``, nil, nil, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			for nested, want := range map[bool][]string{false: tt.flat, true: tt.nested} {
				if nested && want == nil {
					want = tt.flat
				}
				got, n := walked([]byte(tt.in), nested)
				if diff := cmp.Diff(want, got); diff != "" || tt.in[n:] != tt.rest {
					t.Errorf("nested %t: rest %q, want %q, items (-want +got):\n%s", nested, tt.in[n:], tt.rest, diff)
				}
			}
		})
	}
}

// FuzzWalk compares walks with the iterators, for any bytes.
func FuzzWalk(f *testing.F) {
	for _, s := range []string{`{"a":[1,{"b":"\\\""}]}`, `[]`, `{"a"`, `[1,,2]`, `{"a":}`, `["\\"]`} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		walked(raw, true)
		var doc Doc
		if doc.Scan(raw, Options{}) != nil {
			return
		}
		var want []string
		for k, v := range Members(raw) {
			want = append(want, string(k)+string(v))
		}
		got, _ := walked(raw, false)
		if diff := cmp.Diff(want, got); diff != "" {
			t.Fatalf("items (-want +got):\n%s", diff)
		}
		want = nil
		for k, v := range doc.Members() {
			want = append(want, string(k)+string(v))
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Fatalf("members of the scan (-want +got):\n%s", diff)
		}
	})
}
