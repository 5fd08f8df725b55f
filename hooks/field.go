package hooks

// fieldKind says what may be shown of a header field.
type fieldKind int

const (
	plainField   fieldKind = iota
	secretField            // its values are redacted
	addressField           // its values are URLs, which may hold credentials
)

// kindOf judges a header field by its name. When in doubt it redacts: a snapshot that lacks a harmless value
// is a nuisance, one that holds a key is a leak.
//
// The names that most messages have are listed for speed alone: without the list the answer would be the same.
func kindOf(name string) fieldKind {
	switch name {
	case "Accept", "Accept-Encoding", "Accept-Language", "Cache-Control", "Connection", "Content-Encoding",
		"Content-Length", "Content-Type", "Date", "Host", "Origin", "Server", "Strict-Transport-Security",
		"Transfer-Encoding", "User-Agent", "Vary", "Via", "X-Forwarded-For", "X-Forwarded-Host",
		"X-Forwarded-Proto", "X-Request-Id",
		"Anthropic-Beta", "Anthropic-Version", "Openai-Beta", "Openai-Processing-Ms", "Openai-Version",
		"X-App", "X-Stainless-Arch", "X-Stainless-Lang", "X-Stainless-Os", "X-Stainless-Package-Version",
		"X-Stainless-Retry-Count", "X-Stainless-Runtime", "X-Stainless-Runtime-Version",
		"X-Stainless-Timeout":
		return plainField
	case "Authorization", "Cookie", "Set-Cookie", "X-Api-Key":
		return secretField
	}
	return judge(lowerUnlessASCII(name))
}

func judge(name string) fieldKind {
	if holdsURL(name) {
		return addressField
	}
	kind := plainField
	if isName(name, "chatgpt-account-id") || isName(name, "x-forwarded-client-cert") {
		kind = secretField
	}
	for i := range len(name) {
		rest := name[i:]
		if startsWith(rest, "ratelimit") { // …-ratelimit-remaining-tokens counts tokens
			return plainField
		}
		if kind == plainField && secretAt(rest) {
			kind = secretField
		}
	}
	return kind
}

func holdsURL(name string) bool {
	return isName(name, "location") || isName(name, "content-location") || isName(name, "referer")
}

func isName(name, word string) bool { return len(name) == len(word) && startsWith(name, word) }
