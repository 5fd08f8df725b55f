package oauth

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
)

// Challenge gives the PKCE code challenge of a verifier, by the method S256. There is no function for the
// method "plain": it protects nobody.
func Challenge(verifier string) string {
	sum := sha256.Sum256([]byte(verifier))
	return base64.RawURLEncoding.EncodeToString(sum[:])
}

// unguessable gives 256 random bits as 43 characters that need no escaping in a URL.
func unguessable() string {
	var b [32]byte
	_, _ = rand.Read(b[:]) // never fails
	return base64.RawURLEncoding.EncodeToString(b[:])
}
