package canonical

import "testing"

func TestWithoutBilling(t *testing.T) {
	t.Parallel()
	for _, test := range []struct{ name, in, want string }{
		{"none", `"You are\nhere"`, `"You are\nhere"`},
		{"alone", `"x-anthropic-billing-header: cc_version=1; \"q\""`, `""`},
		{"first line", `"x-anthropic-billing-header: a\nYou are\n\nhere"`, `"You are\n\nhere"`},
		{"between", `"a\nx-anthropic-billing-header: b\nc"`, `"a\nc"`},
		{"two", `"x-anthropic-billing-header: a\nx-anthropic-billing-header: b\n"`, `""`},
		{"inside of a line", `"see x-anthropic-billing-header: a"`, `"see x-anthropic-billing-header: a"`},
		{"an escaped backslash ends no line", `"a\\nx-anthropic-billing-header: b"`, `"a\\nx-anthropic-billing-header: b"`},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			if got := string(WithoutBilling(Token(test.in))); got != test.want {
				t.Errorf("WithoutBilling(%s) = %s, want %s", test.in, got, test.want)
			}
		})
	}
}
