package rawjson

import (
	"bytes"
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestFind(t *testing.T) {
	t.Parallel()
	const doc = ` {"type":"delta","a b":{"c":{"d":[1,{"e":"}"}]}},"x\"y":{"\u0064":7},"n":-1.5e3 ,"s":"a\"]","t":true} `
	for _, test := range []struct {
		path []string
		want string
	}{
		{[]string{"type"}, `"delta"`},
		{[]string{"a b", "c", "d"}, `[1,{"e":"}"}]`},
		{[]string{`x"y`, "d"}, "7"},
		{[]string{"n"}, "-1.5e3"},
		{[]string{"s"}, `"a\"]"`},
		{[]string{"t"}, "true"},
		{[]string{"d"}, ""},
		{[]string{"type", "x"}, ""},
		{[]string{"a b", "c", "d", "e"}, ""},
		{[]string{`x\"y`}, ""},
		{nil, doc[1 : len(doc)-1]},
	} {
		raw, ok := Find([]byte(doc), test.path...)
		if string(raw) != test.want || ok != (test.want != "") {
			t.Errorf("Find(%q) = %q, %t, want %q", test.path, raw, ok, test.want)
		}
	}
	if raw, _ := Find([]byte(`{"a":1,"a":2}`), "a"); string(raw) != "1" {
		t.Errorf("Find of a key given twice = %s, want the first", raw)
	}
}

func TestFindEach(t *testing.T) { //nolint:paralleltest // it counts allocations
	raw := []byte(` {"b":{"a":0}, "a":1, "\u0063":[2], "a":3, "d":4} `)
	all := []Wanted{{Key: "a"}, {Key: "none"}, {Key: "c"}, {Key: "b"}}
	FindEach(raw, all)
	want := []Wanted{{"a", []byte("1")}, {Key: "none"}, {"c", []byte("[2]")}, {"b", []byte(`{"a":0}`)}}
	if diff := cmp.Diff(want, all); diff != "" {
		t.Error(diff)
	}
	broken := []Wanted{{Key: "a"}}
	FindEach([]byte(`{"a":" `), broken)
	if alone, _ := Find([]byte(`{"a":" `), "a"); !bytes.Equal(broken[0].Value, alone) {
		t.Errorf("of what is cut off, %q, alone %q", broken[0].Value, alone)
	}
	if n := testing.AllocsPerRun(100, func() {
		some := [...]Wanted{{Key: "a"}, {Key: "d"}}
		FindEach(raw, some[:])
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func TestElements(t *testing.T) {
	t.Parallel()
	for raw, want := range map[string][]string{
		` [ 1 , "a,b" ,[2,[]],{"k":[3]},null ] `: {"1", `"a,b"`, "[2,[]]", `{"k":[3]}`, "null"},
		`[]`:                                     nil,
		`[ ]`:                                    nil,
		`{"a":1}`:                                nil,
		`1`:                                      nil,
		``:                                       nil,
	} {
		var got []string
		for element := range Elements([]byte(raw)) {
			got = append(got, string(element))
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("Elements(%s) mismatch (-want +got):\n%s", raw, diff)
		}
	}
	for element := range Elements([]byte(`[1,2]`)) {
		if string(element) != "1" {
			t.Errorf("Elements went on after break")
		}
		break
	}
}

func TestMembers(t *testing.T) {
	t.Parallel()
	for raw, want := range map[string][]string{
		//nolint:gocritic // odd spacing is what is tested
		` { "a" : 1 , "b\"":{"c":2},"d":[]} `: {`"a"=1`, `"b\""={"c":2}`, `"d"=[]`},
		`{}`:                                  nil,
		`[1]`:                                 nil,
	} {
		var got []string
		for key, value := range Members([]byte(raw)) {
			got = append(got, fmt.Sprintf("%s=%s", key, value))
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("Members(%s) mismatch (-want +got):\n%s", raw, diff)
		}
	}
}

func TestScalars(t *testing.T) {
	t.Parallel()
	type result struct {
		S               string
		IsS, IsInt, IsB bool
		N               int64
		B               bool
	}
	for raw, want := range map[string]result{
		`"a\n\u00e9\ud83c\udf89"`: {S: "a\né🎉", IsS: true},
		` "" `:                    {IsS: true},
		`"\ud800x\udc00"`:         {S: "\ufffdx\ufffd", IsS: true},
		"\"a\xff\\\\\"":           {S: "a\ufffd\\", IsS: true},
		`"a" "b"`:                 {},
		`"a`:                      {},
		`"`:                       {},
		`"\x"`:                    {},
		"\"a\nb\"":                {},
		` -12 `:                   {N: -12, IsInt: true},
		`9223372036854775807`:     {N: 9223372036854775807, IsInt: true},
		`9223372036854775808`:     {},
		`1.0`:                     {},
		`1e3`:                     {},
		`01`:                      {},
		`-`:                       {},
		`1_0`:                     {},
		`true`:                    {B: true, IsB: true},
		` false`:                  {IsB: true},
		`True`:                    {},
		`null`:                    {},
		``:                        {},
		`[]`:                      {},
	} {
		var got result
		got.S, got.IsS = String([]byte(raw))
		got.N, got.IsInt = Int([]byte(raw))
		got.B, got.IsB = Bool([]byte(raw))
		if !got.IsInt {
			got.N = 0
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s mismatch (-want +got):\n%s", raw, diff)
		}
	}
}

func TestAppendString(t *testing.T) {
	t.Parallel()
	for s, want := range map[string]string{
		"":                                   `""`,
		"<a href='x'>&</a>":                  `"<a href='x'>&</a>"`,
		"\"\\\b\f\n\r\t\x00\x1f":             `"\"\\\b\f\n\r\t\u0000\u001f"`,
		"grüße 世界 🎉\u2028":                   "\"grüße 世界 🎉\u2028\"",
		"more than eight bytes\nand again":   `"more than eight bytes\nand again"`,
		"\xffa\xc3":                          `"\ufffda\ufffd"`,
		"ü\xffü, with more than eight bytes": `"ü\ufffdü, with more than eight bytes"`,
	} {
		if got := string(AppendString([]byte("x"), s)); got != "x"+want {
			t.Errorf("AppendString(%q) = %s, want x%s", s, got, want)
		}
	}
}
