package mapping

import (
	"errors"
	"strconv"
	"strings"
)

// maxExponent bounds what a number may ask for: Postgres numeric ends at
// 131,072 digits before the point and 16,383 behind it.
const maxExponent = 131072

// plainZeros is how many zeros the canonical form writes out at either end
// before it turns to an exponent.
const plainZeros = 30

var errNumberRange = errors.New("number is out of range")

// decimal is coef × 10^exp, exact. coef has no zeros at either end; zero is
// the empty coef.
type decimal struct {
	neg  bool
	coef string
	exp  int
}

// parseDecimal reads a valid JSON number without loss of digits (fault A17).
func parseDecimal(s string) (decimal, error) {
	var d decimal
	if strings.HasPrefix(s, "-") {
		d.neg, s = true, s[1:]
	}
	mantissa, exponent, hasExp := s, "", false
	if i := strings.IndexAny(s, "eE"); i >= 0 {
		mantissa, exponent, hasExp = s[:i], s[i+1:], true
	}
	whole, fraction, _ := strings.Cut(mantissa, ".")
	digits := strings.TrimLeft(whole+fraction, "0")
	trimmed := strings.TrimRight(digits, "0")
	if trimmed == "" {
		return decimal{}, nil // -0 and 0e9 are 0
	}
	if hasExp {
		e, err := strconv.Atoi(exponent)
		if err != nil || e > maxExponent || e < -maxExponent {
			return d, errNumberRange
		}
		d.exp = e
	}
	d.coef = trimmed
	d.exp += len(digits) - len(trimmed) - len(fraction)
	if top := d.exp + len(trimmed); top > maxExponent || d.exp < -maxExponent {
		return d, errNumberRange
	}
	return d, nil
}

// isInteger reports whether d has no fraction.
func (d decimal) isInteger() bool { return d.exp >= 0 }

// append writes the shortest exact form: 1.0 as 1, 1e2 as 100, and an
// exponent only where it spares more than plainZeros zeros.
func (d decimal) append(dst []byte) []byte {
	if d.coef == "" {
		return append(dst, '0')
	}
	if d.neg {
		dst = append(dst, '-')
	}
	n := len(d.coef)
	switch point := n + d.exp; {
	case d.exp >= 0 && d.exp <= plainZeros:
		dst = append(dst, d.coef...)
		return append(dst, strings.Repeat("0", d.exp)...)
	case d.exp < 0 && point > 0:
		dst = append(dst, d.coef[:point]...)
		dst = append(dst, '.')
		return append(dst, d.coef[point:]...)
	case d.exp < 0 && -point <= plainZeros:
		dst = append(dst, "0."...)
		dst = append(dst, strings.Repeat("0", -point)...)
		return append(dst, d.coef...)
	}
	dst = append(dst, d.coef[0])
	if n > 1 {
		dst = append(dst, '.')
		dst = append(dst, d.coef[1:]...)
	}
	dst = append(dst, 'e')
	return strconv.AppendInt(dst, int64(d.exp+n-1), 10)
}

// shortInteger reports whether the number is already canonical: an integer of
// at most 18 digits without sign of zero or zeros in front.
func shortInteger(s []byte) bool {
	if len(s) > 0 && s[0] == '-' {
		s = s[1:]
		if len(s) > 0 && s[0] == '0' {
			return false
		}
	}
	if len(s) == 0 || len(s) > 18 {
		return false
	}
	for _, c := range s {
		if c < '0' || c > '9' {
			return false
		}
	}
	return true
}

func appendNumber(dst, src []byte) ([]byte, error) {
	if shortInteger(src) {
		return append(dst, src...), nil
	}
	d, err := parseDecimal(string(src))
	if err != nil {
		return dst, err
	}
	return d.append(dst), nil
}

// appendInteger refuses fractions and what a bigint cannot hold.
func appendInteger(dst, src []byte) ([]byte, error) {
	if shortInteger(src) {
		return append(dst, src...), nil
	}
	d, err := parseDecimal(string(src))
	if err != nil {
		return dst, err
	}
	if !d.isInteger() {
		return dst, errors.New("integer expected, got a fraction")
	}
	if d.exp > plainZeros {
		return dst, errNumberRange
	}
	at := len(dst)
	dst = d.append(dst)
	if _, err := strconv.ParseInt(string(dst[at:]), 10, 64); err != nil {
		return dst[:at], errNumberRange
	}
	return dst, nil
}
