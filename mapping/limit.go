package mapping

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"unicode/utf8"
)

// Limit is what a column can hold of its kind. A value beyond it would be cut,
// rounded or refused by Postgres, and the cut value would look like an edit
// made here. The zero Limit holds everything.
type Limit struct {
	length int  // characters; 0 for any
	padded bool // character(n): exactly that many come back
	bits   int  // of an integer
	float  int  // bits of a floating point number
	digits int  // of a numeric, with scale behind the point
	scale  int
	second int // digits below a second, plus one; 0 for microseconds
}

var integerBits = map[string]int{"smallint": 16, "integer": 32, "bigint": 64}

var floatBits = map[string]int{"real": 32, "double precision": 64}

// LimitOf gives the limit of a column's type as format_type writes it.
func LimitOf(pgType string) Limit {
	name, rest, bounded := strings.Cut(pgType, "(")
	name = strings.TrimSpace(name)
	l := Limit{bits: integerBits[name], float: floatBits[name]}
	if name == "character" && !bounded {
		return Limit{length: 1, padded: true}
	}
	if !bounded {
		return l
	}
	inside, _, _ := strings.Cut(rest, ")")
	first, second, _ := strings.Cut(inside, ",")
	n, err := strconv.Atoi(first)
	if err != nil {
		return l
	}
	switch name {
	case "character varying", "character":
		l.length, l.padded = n, name == "character"
	case "numeric":
		l.digits = n
		l.scale, _ = strconv.Atoi(second)
	case "timestamp":
		l.second = n + 1
	}
	return l
}

// refuses says why the column cannot hold a canonical value; "" if it can. It
// never quotes the value: that may be personal data.
func (l Limit) refuses(v Value) string {
	switch {
	case l == Limit{} || v.IsNull():
		return ""
	case l.length > 0:
		return l.refusesText(v)
	case l.second > 0:
		if text, _ := v.Text(); fraction(text) >= l.second {
			return fmt.Sprintf("its column keeps %d digits below a second", l.second-1)
		}
		return ""
	case v[0] == '"':
		return ""
	}
	return l.refusesNumber(string(v))
}

func (l Limit) refusesText(v Value) string {
	text, ok := v.Text()
	n := utf8.RuneCountInString(text)
	switch {
	case !ok:
		return ""
	case l.padded && n != l.length:
		return fmt.Sprintf("its column holds exactly %d characters, the value has %d", l.length, n)
	case n > l.length:
		return fmt.Sprintf("its column holds %d characters, the value has %d", l.length, n)
	}
	return ""
}

func (l Limit) refusesNumber(text string) string {
	d, err := parseDecimal(text)
	if err != nil {
		return ""
	}
	switch {
	case l.bits > 0:
		if _, err := strconv.ParseInt(text, 10, l.bits); err != nil {
			return fmt.Sprintf("its column holds integers of %d bits", l.bits)
		}
	case l.float > 0:
		f, err := strconv.ParseFloat(text, l.float)
		if back, perr := parseDecimal(strconv.FormatFloat(f, 'e', -1, l.float)); err != nil || perr != nil || math.IsInf(f, 0) || back != d {
			return "its column is a floating point number, which would round the value"
		}
	case l.digits > 0:
		if -d.exp > l.scale || d.exp+len(d.coef) > l.digits-l.scale {
			return fmt.Sprintf("its column holds %d digits, %d of them behind the point", l.digits, l.scale)
		}
	}
	return ""
}

// fraction is how many digits a canonical time has below a second.
func fraction(text string) int {
	_, rest, ok := strings.Cut(text, ".")
	if !ok {
		return 0
	}
	return len(strings.TrimRight(strings.TrimRight(rest, "Z"), "0"))
}

// Meet takes over what the column of a field says about it: the limit, and the
// kind if the column decides that. typname is from pg_type, formatted from
// format_type. Not safe while the field is in use.
func (f *Field) Meet(typname, formatted string) {
	if limit := LimitOf(formatted); limit != f.Limit {
		f.Limit = limit
	}
	if f.Kind != Any {
		return
	}
	if kind, ok := KindForColumn(typname); ok && kind != Any {
		f.Kind, f.Open = kind, true
	}
}
