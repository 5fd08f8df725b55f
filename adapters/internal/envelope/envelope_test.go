package envelope_test

import (
	"encoding/json"
	"regexp"
	"slices"
	"strings"
	"testing"
	"unicode"

	"github.com/google/go-cmp/cmp"

	"github.com/ccproxy-go/ccproxy/adapters/canonical"
	"github.com/ccproxy-go/ccproxy/adapters/internal/envelope"
)

func tokens(raw ...string) []canonical.Token {
	var out []canonical.Token
	for _, r := range raw {
		out = append(out, canonical.Token(r))
	}
	return out
}

func TestSealOpen(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name, kind string
		fields     []canonical.Token
	}{
		{"nothing", "signature", nil},
		{"one", "signature", tokens(`"EqQBCg=="`)},
		{"several", "reasoning", tokens(`"rs_1"`, `"gAAAA"`, `""`)},
		{"nil keeps its place", "reasoning", []canonical.Token{nil, canonical.Token(`"x"`), nil}},
		{"escapes as they stood", "signature", tokens(`"a\u00e4\n\"\\\/"`, `"ä"`)},
		{"other values", "summary", tokens(`["a",{"b":1e3}]`, `null`, `12`)},
		{"kind without a name", "", tokens(`"x"`)},
		{"id", envelope.ToolID, tokens(`"functions.read:0"`)},
		{"long", "signature", tokens(`"` + strings.Repeat("x", 1<<17) + `"`)},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			sealed := envelope.Seal(test.kind, test.fields...)
			if !json.Valid(sealed) || !envelope.Sealed(sealed) {
				t.Fatalf("Seal = %.80s, no JSON string or not told to be sealed", sealed)
			}
			kind, fields, ok := envelope.Open(sealed)
			if !ok || kind != test.kind {
				t.Fatalf("Open = %q, %t, want kind %q", kind, ok, test.kind)
			}
			if diff := cmp.Diff(test.fields, fields); diff != "" {
				t.Errorf("fields mismatch (-want +got):\n%s", diff)
			}
		})
	}
}

func TestIDsFitTheirPlace(t *testing.T) {
	t.Parallel()
	pattern := regexp.MustCompile(`^"[A-Za-z0-9_-]+"$`)
	sealed := envelope.Seal(envelope.ToolID, tokens(`"functions.read_file:0"`)...)
	if !pattern.Match(sealed) {
		t.Errorf("id %s has characters that ids must not have", sealed)
	}
	if got, limit := len(sealed)-2, 64; got > limit {
		t.Errorf("the id of a usual call has %d characters, want at most %d", got, limit)
	}
}

func TestWhatIsNoEnvelope(t *testing.T) {
	t.Parallel()
	whole := string(envelope.Seal("signature", tokens(`"EqQBCgIYAhIM"`)...))
	for _, test := range []struct {
		name, token string
		sealed      bool
	}{
		{"nil", "", false},
		{"empty", `""`, false},
		{"signature of a vendor", `"EqQBCgIYAhIM"`, false},
		{"id of a vendor", `"call_123"`, false},
		{"number", `1`, false},
		{"one character", `"c"`, false},
		{"prefix alone", `"ccproxy1."`, true},
		{"id prefix alone", `"ccp1_"`, true},
		{"another version", strings.Replace(whole, "1.", "2.", 1), false},
		{"changed", changed(whole), true},
		{"something before it", `"x` + whole[1:], false},
		{"something after it", whole[:len(whole)-1] + `AAAA"`, true},
		{"line end in it", whole[:20] + `\n` + whole[20:], true},
		{"unclosed", whole[:len(whole)-1], false},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			if kind, fields, ok := envelope.Open(canonical.Token(test.token)); ok {
				t.Errorf("Open(%s) = %q, %q, want nothing", test.token, kind, fields)
			}
			if got := envelope.Sealed(canonical.Token(test.token)); got != test.sealed {
				t.Errorf("Sealed(%s) = %t", test.token, got)
			}
		})
	}
}

// changed turns one character in the middle of an envelope into another.
func changed(token string) string {
	b := []byte(token)
	if i := len(b) / 2; b[i] == 'A' {
		b[i] = 'B'
	} else {
		b[i] = 'A'
	}
	return string(b)
}

func TestEveryTruncationIsNoticed(t *testing.T) {
	t.Parallel()
	for _, kind := range []string{"signature", envelope.ToolID} {
		whole := envelope.Seal(kind, tokens(`"EqQBCgIYAhIM"`, `"rs_1"`)...)
		for n := 1; n < len(whole)-1; n++ {
			cut := append(slices.Clone(whole[:n]), '"')
			if _, _, ok := envelope.Open(cut); ok {
				t.Errorf("Open(%s) takes it for whole", cut)
			}
		}
	}
}

func TestEscapedByTheClient(t *testing.T) {
	t.Parallel()
	sealed := string(envelope.Seal("signature", tokens(`"s"`)...))
	escaped := `"\u0063` + strings.Replace(sealed[2:], ".", `\u002e`, 1)
	if kind, _, ok := envelope.Open(canonical.Token(escaped)); !ok || kind != "signature" {
		t.Errorf("Open(%s) = %q, %t, want the envelope", escaped, kind, ok)
	}
}

// Whatever a client puts into an envelope of its own making cannot end the string it is written into.
func TestForgedFieldsAreRefused(t *testing.T) {
	t.Parallel()
	for _, forged := range []string{`"x","model":"another"`, "\"line\nend\"", `{`, `"\x"`, `1,2`} {
		if _, fields, ok := envelope.Open(envelope.Seal("signature", canonical.Token(forged))); ok {
			t.Errorf("Open returns %q", fields)
		}
	}
}

func TestClampID(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name, in string
		limit    int
		fits     bool
	}{
		{"fits", "toolu_01", 40, true},
		{"exactly", strings.Repeat("a", 40), 40, true},
		{"no limit", strings.Repeat("a", 400), 0, true},
		{"empty", "", 40, true},
		{"too long", "call_" + strings.Repeat("b", 60), 40, false},
		{"foreign characters", "call:1", 40, false},
		{"nothing to keep", "é", 0, false},
		{"shorter than a hash", strings.Repeat("c", 50), 10, false},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			got := envelope.ClampID(canonical.NewToken(test.in), test.limit, nil).String()
			if again := envelope.ClampID(canonical.NewToken(test.in), test.limit, nil).String(); again != got {
				t.Errorf("ClampID is %q once and %q then", got, again)
			}
			foreign := func(r rune) bool { return r > unicode.MaxASCII || !envelope.IDChar(byte(r)) }
			if test.limit > 0 && len(got) > test.limit || strings.ContainsFunc(got, foreign) {
				t.Errorf("ClampID(%q) = %q does not fit", test.in, got)
			}
			if (got == test.in) != test.fits {
				t.Errorf("ClampID(%q) = %q", test.in, got)
			}
		})
	}
}

// Ids that differ only in what is cut off, or only in characters that cannot stay, remain different.
func TestClampIDKeepsIdsApart(t *testing.T) {
	t.Parallel()
	long := "call_" + strings.Repeat("a", 80)
	for _, pair := range [][2]string{{long + "1", long + "2"}, {"a:b", "a.b"}, {"a:", "a:1"}, {"é", "è"}} {
		one := envelope.ClampID(canonical.NewToken(pair[0]), 40, nil).String()
		two := envelope.ClampID(canonical.NewToken(pair[1]), 40, nil).String()
		if one == two {
			t.Errorf("%q and %q both become %q", pair[0], pair[1], one)
		}
	}
	escaped := envelope.ClampID(canonical.Token(`"a\u003ab"`), 40, nil)
	if plain := envelope.ClampID(canonical.Token(`"a:b"`), 40, nil); string(plain) != string(escaped) {
		t.Errorf("one id written in two ways becomes %s and %s", plain, escaped)
	}
}

func FuzzEnvelope(f *testing.F) {
	f.Add("signature", []byte(`"EqQB"`), []byte(`"ccproxy1.AAAA"`))
	f.Add(envelope.ToolID, []byte(`"a:b"`), []byte(`"ccp1_AAAA"`))
	f.Add("", []byte(`[1]`), []byte(`{`))
	f.Fuzz(func(t *testing.T, kind string, field, other []byte) {
		// Anything at all is opened or refused; what is opened is JSON.
		if _, fields, ok := envelope.Open(other); ok {
			for _, f := range fields {
				if f != nil && !json.Valid(f) {
					t.Fatalf("Open(%q) returns %q", other, f)
				}
			}
		}
		sealed := envelope.Seal(kind, field, nil, other)
		if !json.Valid(sealed) {
			t.Fatalf("Seal gives %q", sealed)
		}
		valid := func(raw []byte) bool { return raw == nil || json.Valid(raw) }
		gotKind, fields, ok := envelope.Open(sealed)
		if want := valid(field) && valid(other); ok != want {
			t.Fatalf("Open(Seal(%q, %q)) = %t, want %t", field, other, ok, want)
		}
		want := []canonical.Token{field, nil, other}
		if ok && (gotKind != kind || !cmp.Equal(want, fields)) {
			t.Fatalf("Open = %q %q, want %q %q", gotKind, fields, kind, want)
		}
	})
}

func TestIn(t *testing.T) {
	t.Parallel()
	sealed := `{"a":` + string(envelope.Seal("k", canonical.NewToken("v"))) + `}`
	tests := []struct {
		name, body string
		want       bool
	}{
		{"an envelope", sealed, true},
		{"after its letters alone", `["xy1.","proxy1.",` + sealed + `]`, true},
		{"the letters alone", `{"text":"a ccproxy1. xy1."}`, false},
		{"the last letters", `xy1.`, false},
		{"nothing", ``, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			if got := envelope.In([]byte(tt.body)); got != tt.want {
				t.Errorf("In(%s) = %t, want %t", tt.body, got, tt.want)
			}
		})
	}
}
