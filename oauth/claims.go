package oauth

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"strings"
	"time"
)

// maxJWT bounds what Claims decodes; header fields would not carry more anyway.
const maxJWT = 64 << 10

// Claims decodes the claims of a JSON Web Token into v, which is as for json.Unmarshal. It checks no
// signature: use it only on tokens that came straight from the authorization server, and for display and
// bookkeeping, never to decide what somebody may do. A token that is no JWT, or longer than 64 KiB, gives an
// error wrapping [ErrInvalid] that holds nothing of the token.
func Claims(token Secret, v any) error {
	parts := strings.Split(token.Reveal(), ".")
	if len(parts) != 3 || len(token.Reveal()) > maxJWT {
		return fmt.Errorf("%w: not a JSON Web Token", ErrInvalid)
	}
	payload, err := base64.RawURLEncoding.DecodeString(strings.TrimRight(parts[1], "="))
	if err != nil || json.Unmarshal(payload, v) != nil {
		return fmt.Errorf("%w: claims of a JSON Web Token", ErrInvalid)
	}
	return nil
}

// claimedExpiry gives the end of a token that is a JWT and names one, else the zero time.
func claimedExpiry(token Secret) time.Time {
	var claims struct {
		Exp float64 `json:"exp"`
	}
	if Claims(token, &claims) != nil || claims.Exp <= 0 || claims.Exp > 1e11 {
		return time.Time{}
	}
	return time.Unix(int64(claims.Exp), 0).UTC()
}
