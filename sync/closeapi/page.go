package closeapi

import (
	"context"
	"errors"
	"net/http"
	"net/url"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// Rejected is an entry of a page that is no usable record: an object naming a
// key twice, or no object at all. It is kept apart so that one bad record
// neither stops the page nor is taken for absent.
type Rejected struct {
	Index int        // position in the page as sent
	Raw   RawMessage // as Close sent it
	Err   error
}

// Page is one page of an offset list. Advance by the entries returned
// (len(Data)+len(Rejected)), never by the limit asked for.
type Page struct {
	Data         []RawMessage
	Rejected     []Rejected
	HasMore      bool
	TotalResults *int // leads, opportunities and tasks only
}

// envelope is the union of the wrappers Close puts around lists.
type envelope struct {
	Data           entries `json:"data"`
	HasMore        bool    `json:"has_more"`
	TotalResults   *int    `json:"total_results"`
	Cursor         *string `json:"cursor"`
	CursorNext     *string `json:"cursor_next"`
	CursorPrevious *string `json:"cursor_previous"`
	Count          *Count  `json:"count"`

	records  []RawMessage
	rejected []Rejected
}

// entries are the places of a list's entries within the body, where they stay:
// a page is a megabyte.
type entries [][2]int64

// UnmarshalJSONFrom notes the places. Null stays nil, as a missing list does.
func (e *entries) UnmarshalJSONFrom(d *jsontext.Decoder) error {
	if d.PeekKind() != '[' {
		if k := d.PeekKind(); k != 'n' && k != 0 {
			return errNoList
		}
		return d.SkipValue()
	}
	if _, err := d.ReadToken(); err != nil {
		return err
	}
	*e = entries{}
	for d.PeekKind() != ']' {
		v, err := d.ReadValue()
		if err != nil {
			return err
		}
		end := d.InputOffset()
		*e = append(*e, [2]int64{end - int64(len(v)), end})
	}
	_, err := d.ReadToken()
	return err
}

var (
	errNoList      = errors.New("no list under \"data\"")
	errNotRecord   = errors.New("closeapi: entry of a list is not an object")
	errTwiceNamed  = errors.New("closeapi: entry of a list names a key twice")
	singleUseNames = jsontext.AllowDuplicateNames(false)
)

// decode fails on a missing or null list: an answer that was cut or replaced
// on its way must never look like an empty one.
func (e *envelope) decode(body []byte) error {
	*e = envelope{}
	err := json.Unmarshal(body, e, anyText, singleUseNames)
	duplicate := errors.Is(err, jsontext.ErrDuplicateName)
	if duplicate {
		*e = envelope{}
		err = json.Unmarshal(body, e, lenient)
	}
	if err != nil {
		return err
	}
	if e.Data == nil {
		return errNoList
	}
	e.records = make([]RawMessage, 0, len(e.Data))
	for i, place := range e.Data {
		v := jsontext.Value(body[place[0]:place[1]:place[1]])
		switch {
		case v.Kind() != '{':
			e.rejected = append(e.rejected, Rejected{i, RawMessage(v), errNotRecord})
		case duplicate && !v.IsValid(anyText, singleUseNames):
			e.rejected = append(e.rejected, Rejected{i, RawMessage(v), errTwiceNamed})
		default:
			e.records = append(e.records, RawMessage(v))
		}
	}
	e.Data = nil
	return nil
}

// list sends a call whose answer must be a list.
func (c *Client) list(ctx context.Context, method, path string, query url.Values, body any) (*envelope, error) {
	k, err := newCall(method, path, query, body)
	if err != nil {
		return nil, err
	}
	var e envelope
	k.check = e.decode
	if _, err := c.send(ctx, k); err != nil {
		return nil, err
	}
	return &e, nil
}

func (c *Client) page(ctx context.Context, path string, query url.Values) (*Page, error) {
	e, err := c.list(ctx, http.MethodGet, path, query, nil)
	if err != nil {
		return nil, err
	}
	return &Page{Data: e.records, Rejected: e.rejected, HasMore: e.HasMore, TotalResults: e.TotalResults}, nil
}

func text(s *string) string {
	if s == nil {
		return ""
	}
	return *s
}
