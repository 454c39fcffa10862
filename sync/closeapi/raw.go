package closeapi

import (
	"bytes"
	"context"
	stdjson "encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// RawMessage is JSON text exactly as Close sent it, so numbers keep all their
// digits and a lone surrogate stays the escape it was.
type RawMessage = stdjson.RawMessage

var (
	errNotObject = errors.New("not a JSON object")
	// anyText lets lone surrogates pass, which Close can send and Go's
	// decoders refuse or replace. Duplicate keys stay refused.
	anyText = jsontext.AllowInvalidUTF8(true)
)

// checkJSON accepts one JSON value of any shape, and nothing after it.
func checkJSON(body []byte) error { return readOne(body, 0) }

// checkObject accepts one JSON object without duplicate keys.
func checkObject(body []byte) error { return readOne(body, '{', anyText) }

func readOne(body []byte, kind jsontext.Kind, opts ...jsontext.Options) error {
	if len(opts) == 0 {
		opts = []jsontext.Options{lenient}
	}
	d := jsontext.NewDecoder(bytes.NewBuffer(body), opts...)
	if kind != 0 && d.PeekKind() != kind {
		if _, err := d.ReadToken(); err != nil {
			return err
		}
		return errNotObject
	}
	if _, err := d.ReadValue(); err != nil {
		return err
	}
	if _, err := d.ReadToken(); !errors.Is(err, io.EOF) {
		return errNotObject
	}
	return nil
}

// GetRaw reads one record, e.g. GetRaw(ctx, "lead", id). Fields restrict the
// answer to the named ones ("custom" for all custom fields); none asks for
// Close's default set. 404 is [ErrNotFound]: gone or hidden.
// Source: developer.close.com/api/resources/leads and its neighbours.
func (c *Client) GetRaw(ctx context.Context, resource, id string, fields ...string) (RawMessage, error) {
	path, err := recordPath(resource, id)
	if err != nil {
		return nil, err
	}
	return c.object(ctx, http.MethodGet, path, fieldsQuery(fields), nil)
}

// CreateRaw makes a record and returns it as Close stored it. A contact,
// opportunity or task without lead_id is refused with [ErrNoLead] before
// anything is sent, because Close would make a new lead for it.
// Not safe to run twice: see [UnknownOutcomeError].
// Source: developer.close.com/api/resources/leads/create and its neighbours.
func (c *Client) CreateRaw(ctx context.Context, resource string, body any) (RawMessage, error) {
	if err := checkResource(resource); err != nil {
		return nil, err
	}
	text, err := encodeBody(body)
	if err != nil {
		return nil, fmt.Errorf("closeapi: POST %s/: body: %w", resource, err)
	}
	if childOfLead[resource] {
		if err := namesLead(text); err != nil {
			return nil, fmt.Errorf("creating %s: %w", resource, err)
		}
	}
	return c.object(ctx, http.MethodPost, resource+"/", nil, text)
}

// UpdateRaw changes the fields that body names and no others, and returns
// the whole record. Close has no condition on writes: the last one wins.
// Lists (emails, addresses, multi-valued fields) are replaced as a whole.
// Source: developer.close.com/api/overview/fields.
func (c *Client) UpdateRaw(ctx context.Context, resource, id string, body any) (RawMessage, error) {
	path, err := recordPath(resource, id)
	if err != nil {
		return nil, err
	}
	return c.object(ctx, http.MethodPut, path, nil, body)
}

// DeleteRaw removes a record. Deleting a lead removes what belongs to it.
// There is no way back. 404 is [ErrNotFound].
// Source: developer.close.com/api/resources/leads/delete and its neighbours.
func (c *Client) DeleteRaw(ctx context.Context, resource, id string) error {
	path, err := recordPath(resource, id)
	if err != nil {
		return err
	}
	_, err = c.Do(ctx, http.MethodDelete, path, nil, nil)
	return err
}

// object sends a call whose answer must be one JSON object. A write answered
// by nothing has an unknown outcome: its result is needed.
func (c *Client) object(ctx context.Context, method, path string, query url.Values, body any) (RawMessage, error) {
	k, err := newCall(method, path, query, body)
	if err != nil {
		return nil, err
	}
	k.check = checkObject
	r, err := c.send(ctx, k)
	if err != nil {
		return nil, err
	}
	if len(r.Body) == 0 {
		return nil, k.final(k.unusable(r.Status, ReasonTruncated, "empty body", io.ErrUnexpectedEOF))
	}
	return RawMessage(r.Body), nil
}

var childOfLead = map[string]bool{"contact": true, "opportunity": true, "task": true}

// namesLead is nil for a body that says where the child belongs.
func namesLead(body []byte) error {
	var shape struct {
		LeadID string `json:"lead_id"`
	}
	if json.Unmarshal(body, &shape, anyText) != nil {
		return errors.New("closeapi: the body is not one JSON object with lead_id as text")
	}
	if shape.LeadID == "" {
		return ErrNoLead
	}
	return nil
}

// recordPath refuses ids that could lead to another address.
func recordPath(resource, id string) (string, error) {
	if err := checkResource(resource); err != nil {
		return "", err
	}
	if !isID(id) {
		return "", fmt.Errorf("closeapi: %s: %w", resource, ErrBadID)
	}
	return resource + "/" + id + "/", nil
}

func isID(id string) bool {
	return id != "" && !strings.ContainsFunc(id, func(r rune) bool {
		return !(r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || r == '_' || r == '-')
	})
}

func checkResource(resource string) error {
	for part := range strings.SplitSeq(resource, "/") {
		if !isID(part) {
			return fmt.Errorf("closeapi: %q is no resource", clip([]byte(resource)))
		}
	}
	return nil
}

func fieldsQuery(fields []string) url.Values {
	if len(fields) == 0 {
		return nil
	}
	return url.Values{"_fields": {strings.Join(fields, ",")}}
}
