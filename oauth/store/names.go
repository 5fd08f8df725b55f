package store

import (
	"encoding/hex"
	"slices"
	"strings"
)

// maxName bounds names of files, so that those of lock files are none too long for any file system.
const maxName = 200

const nameSuffix = ".json"

// fileName gives the name of an id's file. No two ids have the same one, on file systems that ignore case or
// normalise Unicode neither, and none leaves the directory or is a device. ok is false for an id that is too
// long, which depends on what is in it: 66 bytes always fit.
func fileName(id string) (name string, ok bool) {
	escaped := escapeName(id)
	return escaped + nameSuffix, id != "" && len(escaped) <= maxName
}

// idOf gives the id whose file has that name; ok is false for a name that no id has.
func idOf(name string) (id string, ok bool) {
	escaped, ok := strings.CutSuffix(name, nameSuffix)
	if !ok || escaped == "" {
		return "", false
	}
	var b strings.Builder
	for i := 0; i < len(escaped); i++ {
		if escaped[i] != '%' {
			b.WriteByte(escaped[i])
			continue
		}
		raw, err := hex.DecodeString(escaped[i+1 : min(i+3, len(escaped))])
		if err != nil || len(raw) != 1 {
			return "", false
		}
		b.WriteByte(raw[0])
		i += 2
	}
	id = b.String()
	return id, escapeName(id) == escaped
}

func escapeName(id string) string {
	device := isDevice(id)
	var b strings.Builder
	for i := range len(id) {
		if c := id[i]; isNameByte(c) && (i > 0 || c != '.' && !device) {
			b.WriteByte(c)
			continue
		}
		b.WriteByte('%')
		b.WriteString(hex.EncodeToString([]byte{id[i]}))
	}
	return b.String()
}

func isNameByte(c byte) bool {
	return c >= 'a' && c <= 'z' || c >= '0' && c <= '9' || strings.IndexByte("-_.@+", c) >= 0
}

// isDevice tells whether Windows takes a file of that name, with whatever ending, for a device.
func isDevice(id string) bool {
	base, _, _ := strings.Cut(strings.ToLower(id), ".")
	if len(base) == 4 && (strings.HasPrefix(base, "com") || strings.HasPrefix(base, "lpt")) {
		return base[3] >= '0' && base[3] <= '9'
	}
	return slices.Contains([]string{"con", "prn", "aux", "nul"}, base)
}
