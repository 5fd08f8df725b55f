package pricing

import (
	"errors"
	"fmt"
	"math"
	"math/bits"
	"strconv"
	"strings"
)

// Amount is an amount of money in picodollars, a millionth of a millionth of a US dollar. One picodollar for a
// token is a millionth of a dollar for a million tokens, the finest that lists of prices have: sums of Amounts are
// exact.
type Amount int64

// Dollar is one US dollar.
const Dollar Amount = 1_000_000_000_000

const (
	amountDigits = 12 // of an Amount's dollars after the point
	rateDigits   = 6  // of a rate for a million tokens, as picodollars for one
	tokenDigits  = 12 // of a rate for one token
	maxDecimal   = 40 // characters
	maxExponent  = 30
)

// ErrAmount tells that a text is no amount of money, or one beyond what an [Amount] holds.
var ErrAmount = errors.New("not an amount of money")

// ParseAmount reads dollars, such as "12.50" or "3e-06". Digits beyond the picodollar are rounded, halves up.
// Negative amounts are refused, with [ErrAmount].
func ParseAmount(text string) (Amount, error) {
	n, err := parseDecimal(text, amountDigits)
	return Amount(n), err
}

// String returns dollars as a plain decimal of the shortest exact form, such as "0.0375".
func (a Amount) String() string {
	sign, n := "", uint64(a) //nolint:gosec // negative amounts are dealt with
	if a < 0 {
		sign, n = "-", uint64(-a) // also right for the least of all
	}
	text := strconv.FormatUint(n/uint64(Dollar), 10)
	if rest := n % uint64(Dollar); rest > 0 {
		text += "." + strings.TrimRight(fmt.Sprintf("%012d", rest), "0")
	}
	return sign + text
}

// MarshalText returns [Amount.String], so that JSON has a string, whose digits no reader rounds.
func (a Amount) MarshalText() ([]byte, error) { return []byte(a.String()), nil }

// UnmarshalText is [ParseAmount].
func (a *Amount) UnmarshalText(text []byte) error {
	n, err := ParseAmount(string(text))
	if err == nil {
		*a = n
	}
	return err
}

// plus adds, and stays at the largest amount, about nine million dollars, where the sum would be more.
func (a Amount) plus(b Amount) Amount {
	if sum := a + b; sum >= a {
		return sum
	}
	return math.MaxInt64
}

// times is the price of tokens at a rate for one, with the same bound.
func (a Amount) times(tokens int64) Amount {
	if a <= 0 || tokens <= 0 {
		return 0
	}
	high, low := bits.Mul64(uint64(a), uint64(tokens))
	if high > 0 || low > math.MaxInt64 {
		return math.MaxInt64
	}
	return Amount(low)
}

// parseDecimal reads a decimal as a whole number of 10^-places, with halves rounded up.
func parseDecimal(text string, places int) (int64, error) {
	fail := fmt.Errorf("%w: %.40q", ErrAmount, text)
	if text == "" || len(text) > maxDecimal {
		return 0, fail
	}
	mantissa, exponent := text, 0
	if i := strings.IndexAny(text, "eE"); i >= 0 {
		var err error
		mantissa = text[:i]
		if exponent, err = strconv.Atoi(text[i+1:]); err != nil || exponent < -maxExponent || exponent > maxExponent {
			return 0, fail
		}
	}
	whole, fraction, _ := strings.Cut(mantissa, ".")
	digits := whole + fraction
	if digits == "" || strings.Trim(digits, "0123456789") != "" {
		return 0, fail
	}
	shift := exponent + places - len(fraction)
	if shift >= 0 {
		return number(digits+strings.Repeat("0", shift), false, fail)
	}
	if -shift > len(digits) {
		return 0, nil
	}
	cut := len(digits) + shift
	return number(digits[:cut], digits[cut] >= '5', fail)
}

func number(digits string, up bool, fail error) (int64, error) {
	digits = strings.TrimLeft(digits, "0")
	if digits == "" {
		digits = "0"
	}
	n, err := strconv.ParseInt(digits, 10, 64)
	if err != nil || up && n == math.MaxInt64 {
		return 0, fail
	}
	if up {
		n++
	}
	return n, nil
}
