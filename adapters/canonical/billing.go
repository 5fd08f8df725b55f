package canonical

import "bytes"

// billingHeader starts the line of a system prompt by which Claude Code's requests are billed. Its value changes from
// build to build and says nothing to a model.
const billingHeader = "x-anthropic-billing-header:"

// WithoutBilling gives a system text without the lines that hold Anthropic's billing header. They would keep the
// prompt caches of other vendors from ever matching, so encoders for these leave them out, and the part too if
// nothing remains. A text without such lines is returned as it is.
func WithoutBilling(t Token) Token {
	if !bytes.Contains(t, []byte(billingHeader)) || len(t) < len(`""`) {
		return t
	}
	out := append(make(Token, 0, len(t)), '"')
	kept := 0
	for rest := t[1 : len(t)-1]; len(rest) > 0; {
		end := lineEnd(rest)
		line := rest[:end]
		if !bytes.HasPrefix(bytes.TrimLeft(line, " "), []byte(billingHeader)) {
			out, kept = append(out, line...), kept+1
		}
		rest = rest[end:]
	}
	if kept == 0 {
		return Token(`""`)
	}
	return append(out, '"')
}

// lineEnd gives the index after the first escaped line feed inside a token, or the length of the text.
func lineEnd(text []byte) int {
	for i := 0; i+1 < len(text); i++ {
		if text[i] != '\\' {
			continue
		}
		if text[i+1] == 'n' {
			return i + len(`\n`)
		}
		i++ // the escaped byte may be a backslash itself
	}
	return len(text)
}
