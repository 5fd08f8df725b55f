package middleware

import (
	"errors"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

const (
	minKeyBytes = 8
	maxKeyBytes = 4096
	maxKeyName  = 64
)

// checkKeyName keeps names fit for logs and metrics.
func checkKeyName(name string) error {
	switch {
	case name == "":
		return errors.New("a name is missing")
	case !utf8.ValidString(name) || strings.ContainsFunc(name, func(r rune) bool { return !unicode.IsPrint(r) }):
		return errors.New("a name must be printable text")
	case utf8.RuneCountInString(name) > maxKeyName:
		return errors.New("a name may have 64 characters at most")
	}
	return nil
}

// checkKeyValue refuses what no client could send and what anyone could guess. Its errors do not show the value.
func checkKeyValue(value string) error {
	switch {
	case value == "":
		return errors.New("a value is missing")
	case strings.ContainsFunc(value, func(r rune) bool { return r <= ' ' || r >= 0x7f }):
		return errors.New("the value has spaces or other characters that a header cannot carry")
	case len(value) < minKeyBytes:
		return errors.New("the value is shorter than 8 characters")
	case len(value) > maxKeyBytes:
		return errors.New("the value is longer than 4096 characters")
	case isTemplate(value):
		return errors.New("the value is the name of a variable or field that nothing filled in")
	case isSample(value):
		return errors.New("the value is a sample as documentation shows it; make a random one")
	}
	return nil
}

// isTemplate finds values such as ${KEY}, $KEY, {{key}}, <key>, %KEY% and [REDACTED].
func isTemplate(value string) bool {
	first, last := value[0], value[len(value)-1]
	if strings.IndexByte("$<{[%", first) >= 0 && strings.IndexByte(">}])%", last) >= 0 {
		return true
	}
	return first == '$' && !strings.ContainsFunc(value[1:], func(r rune) bool {
		return r != '_' && !unicode.IsUpper(r) && !unicode.IsDigit(r)
	})
}

// isSample finds keys that many people copy: phrases that stand for a key, rows of one character, first
// passwords. The phrases are long enough that a random key does not hold one by chance.
func isSample(value string) bool {
	lower := strings.ToLower(value)
	letters := strings.Map(func(r rune) rune {
		if unicode.IsLetter(r) || unicode.IsDigit(r) {
			return r
		}
		return -1
	}, lower)
	word := strings.TrimPrefix(strings.TrimRight(letters, "0123456789"), "sk")
	return slices.ContainsFunc(samplePhrases(), func(p string) bool { return strings.Contains(letters, p) }) ||
		slices.Contains(sampleWords(), word) ||
		distinctBytes(strings.TrimPrefix(lower, "sk-")) < 4 ||
		isFiller(lower)
}

// isFiller finds what ends in a row such as xxx or ***, after the last separator.
func isFiller(lower string) bool {
	last := lower[strings.LastIndexAny(lower, "-_")+1:]
	return len(last) >= 3 && distinctBytes(last) == 1 && strings.IndexByte("x.*", last[0]) >= 0
}

func distinctBytes(s string) int {
	var seen [256]bool
	n := 0
	for i := range len(s) {
		if !seen[s[i]] {
			seen[s[i]] = true
			n++
		}
	}
	return n
}

// samplePhrases make a key a sample wherever they stand in it, without regard to case and punctuation.
func samplePhrases() []string {
	return []string{
		"yourapikey", "yourkey", "yoursecret", "yourtoken", "yourpassword", "youranthropic", "youropenai",
		"changeme", "changethis", "changeit", "replaceme", "replacethis", "replacewith", "placeholder",
		"keyhere", "tokenhere", "secrethere", "insertkey", "insertyour", "dummykey", "fakekey", "samplekey",
		"examplekey", "exampletoken", "xxxxxxxx", "12345678", "abcdefgh", "qwertyui",
	}
}

// sampleWords are samples when a key is nothing else, but for a leading sk and digits at the end.
func sampleWords() []string {
	return []string{
		"apikey", "myapikey", "theapikey", "secret", "mysecret", "topsecret", "secretkey", "mysecretkey",
		"supersecret", "supersecretkey", "password", "mypassword", "passw0rd", "letmein", "token", "mytoken",
		"accesstoken", "authtoken", "bearertoken", "masterkey", "example", "default", "undefined", "administrator",
	}
}
