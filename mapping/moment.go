package mapping

import (
	"errors"
	"time"
)

var errMoment = errors.New("not a date and time")

// ParseTime reads a moment of Close or Postgres: date and time with "T" or a
// space, with or without fraction, with or without zone. No zone means UTC
// (events and webhooks, close-api.md §4). What is below a microsecond is cut
// off (fault C34). The result is in UTC.
func ParseTime(s string) (time.Time, error) {
	c := cursor{s: s, ok: true}
	year, month, day := c.digits(4), c.after('-', 2), c.after('-', 2)
	if c.s == "" && c.ok {
		return checkedDate(year, month, day)
	}
	if c.s == "" || c.s[0] != 'T' && c.s[0] != ' ' && c.s[0] != 't' {
		return time.Time{}, errMoment
	}
	c.s = c.s[1:]
	hour, minute := c.digits(2), c.after(':', 2)
	second := 0
	if c.has(':') {
		second = c.digits(2)
	}
	micro := 0
	if c.has('.') {
		micro = c.fraction()
	}
	offset := c.zone()
	if !c.ok || c.s != "" || hour > 24 || minute > 59 || second > 60 {
		return time.Time{}, errMoment
	}
	if _, err := checkedDate(year, month, day); err != nil {
		return time.Time{}, err
	}
	t := time.Date(year, time.Month(month), day, hour, minute, second, micro*1000, time.UTC).Add(-offset)
	if y := t.Year(); y < 1 || y > 9999 {
		return time.Time{}, errMoment
	}
	return t, nil
}

// FormatTime gives the canonical text of a moment.
func FormatTime(t time.Time) string { return string(appendTime(nil, t)) }

func appendTime(dst []byte, t time.Time) []byte {
	return t.UTC().Truncate(time.Microsecond).AppendFormat(dst, "2006-01-02T15:04:05.999999Z")
}

// TimeValue gives the Value of a moment; the zero time is Null.
func TimeValue(t time.Time) Value {
	if t.IsZero() {
		return Null
	}
	return Value(`"` + FormatTime(t) + `"`)
}

func checkedDate(year, month, day int) (time.Time, error) {
	t := time.Date(year, time.Month(month), day, 0, 0, 0, 0, time.UTC)
	if t.Year() != year || int(t.Month()) != month || t.Day() != day || year < 1 {
		return time.Time{}, errMoment
	}
	return t, nil
}

// parseDay checks a plain date, "2006-01-02".
func parseDay(s string) error {
	c := cursor{s: s, ok: true}
	year, month, day := c.digits(4), c.after('-', 2), c.after('-', 2)
	if !c.ok || c.s != "" {
		return errors.New("not a date")
	}
	if _, err := checkedDate(year, month, day); err != nil {
		return errors.New("not a date")
	}
	return nil
}

// cursor eats a text from the front; ok turns false at the first surprise.
type cursor struct {
	s  string
	ok bool
}

func (c *cursor) has(b byte) bool {
	if c.s == "" || c.s[0] != b {
		return false
	}
	c.s = c.s[1:]
	return true
}

func (c *cursor) digits(n int) int {
	if len(c.s) < n {
		c.ok = false
		return 0
	}
	v := 0
	for i := range n {
		d := c.s[i]
		if d < '0' || d > '9' {
			c.ok = false
			return 0
		}
		v = v*10 + int(d-'0')
	}
	c.s = c.s[n:]
	return v
}

func (c *cursor) after(sep byte, n int) int {
	if !c.has(sep) {
		c.ok = false
	}
	return c.digits(n)
}

// fraction reads the digits behind the point as microseconds.
func (c *cursor) fraction() int {
	n, micro := 0, 0
	for c.s != "" && c.s[0] >= '0' && c.s[0] <= '9' {
		if n < 6 {
			micro = micro*10 + int(c.s[0]-'0')
		}
		n++
		c.s = c.s[1:]
	}
	if n == 0 {
		c.ok = false
	}
	for ; n < 6; n++ {
		micro *= 10
	}
	return micro
}

// zone reads Z, ±hh, ±hhmm, ±hh:mm or ±hh:mm:ss; nothing means UTC.
func (c *cursor) zone() time.Duration {
	if c.s == "" || c.has('Z') || c.has('z') {
		return 0
	}
	west := c.has('-')
	if !west && !c.has('+') {
		c.ok = false
		return 0
	}
	d := time.Duration(c.digits(2)) * time.Hour
	for _, unit := range []time.Duration{time.Minute, time.Second} {
		if c.s == "" {
			break
		}
		c.has(':')
		d += time.Duration(c.digits(2)) * unit
	}
	if west {
		return -d
	}
	return d
}
