package closeapi

import (
	"fmt"
	"strings"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// ParseTime reads a timestamp of Close. Records carry an offset, while
// events, webhook subscriptions and pipelines carry none and mean UTC
// (inferred); the fraction may be missing. The result is in UTC.
func ParseTime(s string) (time.Time, error) {
	for _, layout := range [...]string{time.RFC3339Nano, "2006-01-02T15:04:05.999999999", "2006-01-02T15:04:05.999999999-0700"} {
		if t, err := time.Parse(layout, s); err == nil {
			return t.UTC(), nil
		}
	}
	return time.Time{}, fmt.Errorf("closeapi: %q is no timestamp", clip([]byte(s)))
}

// Time is a timestamp that keeps the text Close sent, so that it goes back
// unchanged. The zero value is null.
type Time struct {
	time.Time
	text string
}

// UnmarshalJSONFrom accepts null and every form of [ParseTime].
func (t *Time) UnmarshalJSONFrom(d *jsontext.Decoder) error {
	tok, err := d.ReadToken()
	if err != nil {
		return err
	}
	*t = Time{}
	switch tok.Kind() {
	case 'n':
		return nil
	case '"':
		s := strings.Clone(tok.String())
		parsed, err := ParseTime(s)
		if err != nil {
			return err
		}
		*t = Time{Time: parsed, text: s}
		return nil
	}
	return fmt.Errorf("want a timestamp, have %v", tok.Kind())
}

// MarshalJSONTo writes the text that was read, or RFC 3339 in UTC.
func (t Time) MarshalJSONTo(e *jsontext.Encoder) error {
	switch {
	case t.text != "":
		return e.WriteToken(jsontext.String(t.text))
	case t.IsZero():
		return e.WriteToken(jsontext.Null)
	}
	return e.WriteToken(jsontext.String(t.UTC().Format("2006-01-02T15:04:05.000000+00:00")))
}

// MarshalJSON serves the standard library's encoder.
func (t Time) MarshalJSON() ([]byte, error) { return json.Marshal(t) }
