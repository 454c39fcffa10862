package webhook

import (
	"bytes"
	"errors"
	"io"
	"strings"
	"sync"
	"time"

	"github.com/go-json-experiment/json/jsontext"
)

var errBody = errors.New("webhook: body is not one JSON object with unambiguous identity")

// decoders are reused: a new one costs more than the scan of a small body.
var decoders = sync.Pool{New: func() any { return new(jsontext.Decoder) }}

// decodeOptions tolerate inside the data what Close might once send; a refusal
// would be retried for three days and could pause the subscription. Names that
// decide what a delivery is are checked for repetition here.
var decodeOptions = []jsontext.Options{jsontext.AllowDuplicateNames(true), jsontext.AllowInvalidUTF8(true)}

// decode fills d from its Raw in one pass that builds nothing but the identity
// fields, however deep or wide the rest is. Its only error is errBody.
func decode(d *Delivery) error {
	dec := decoders.Get().(*jsontext.Decoder)
	defer decoders.Put(dec)
	dec.Reset(bytes.NewBuffer(d.Raw), decodeOptions...)

	s := scan{dec: dec, raw: d.Raw}
	if dec.PeekKind() != '{' {
		return errBody
	}
	err := s.members(func(name string) (bool, error) {
		switch name {
		case "subscription_id":
			return true, s.text(&d.SubscriptionID)
		case "event":
			return true, s.event(d)
		}
		return false, nil
	})
	if err != nil {
		return errBody
	}
	if _, err := dec.ReadToken(); !errors.Is(err, io.EOF) {
		return errBody
	}
	d.Odd = d.EventID == "" || d.ObjectType == "" || d.ObjectID == ""
	return nil
}

// scan walks one body.
type scan struct {
	dec *jsontext.Decoder
	raw []byte
}

// members walks the object that comes next. read consumes the value of a name
// it knows; such a name may occur once only.
func (s scan) members(read func(name string) (known bool, err error)) error {
	if _, err := s.dec.ReadToken(); err != nil {
		return err
	}
	var seen []string
	for s.dec.PeekKind() == '"' {
		token, err := s.dec.ReadToken()
		if err != nil {
			return err
		}
		name := token.String()
		known, err := read(name)
		switch {
		case err != nil:
			return err
		case !known:
			if err := s.dec.SkipValue(); err != nil {
				return err
			}
			continue
		}
		for _, other := range seen {
			if other == name {
				return errBody
			}
		}
		seen = append(seen, name)
	}
	_, err := s.dec.ReadToken() // the closing brace, or what is wrong
	return err
}

func (s scan) event(d *Delivery) error {
	if s.dec.PeekKind() != '{' {
		return s.dec.SkipValue()
	}
	before := s.dec.InputOffset()
	err := s.members(func(name string) (bool, error) {
		switch name {
		case "id":
			return true, s.text(&d.EventID)
		case "object_type":
			return true, s.text(&d.ObjectType)
		case "action":
			return true, s.text(&d.Action)
		case "object_id":
			return true, s.text(&d.ObjectID)
		case "lead_id":
			return true, s.text(&d.LeadID)
		case "organization_id":
			return true, s.text(&d.OrganizationID)
		case "date_updated":
			var text string
			err := s.text(&text)
			d.DateUpdated = parseTime(text)
			return true, err
		}
		return false, nil
	})
	// The offset before the value stands after the name: colon and blanks follow.
	d.Event = bytes.TrimLeft(s.raw[before:s.dec.InputOffset()], ": \t\r\n")
	return err
}

// maxIdentity is far beyond Close's ids of about 50 bytes.
const maxIdentity = 256

// text reads a string that can be an id. Anything else leaves it empty, since
// a NUL or a megabyte here would make the database refuse the whole batch.
func (s scan) text(into *string) error {
	if s.dec.PeekKind() != '"' {
		return s.dec.SkipValue()
	}
	token, err := s.dec.ReadToken()
	if err != nil {
		return err
	}
	text := token.String()
	if len(text) > maxIdentity || strings.ContainsFunc(text, func(r rune) bool { return r < ' ' || r == 0x7f || r == 0xfffd }) {
		text = ""
	}
	*into = text
	return nil
}

// parseTime reads Close's times of events, which carry no zone and mean UTC.
func parseTime(text string) time.Time {
	for _, layout := range []string{"2006-01-02T15:04:05.999999999", time.RFC3339Nano} {
		if t, err := time.Parse(layout, text); err == nil {
			return t.UTC()
		}
	}
	return time.Time{}
}
