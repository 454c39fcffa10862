package closeapi

import (
	"bytes"
	"context"
	"errors"
	"io"
	"mime"
	"net/http"
	"net/http/httptrace"
	"net/url"
	"strings"
	"sync/atomic"

	"github.com/go-json-experiment/json/jsontext"
)

// Response is a 2xx answer.
type Response struct {
	Status int
	Header http.Header
	Body   []byte // JSON; empty where Close sends none, as after some deletes
}

// attempt sends k once and reads the whole answer within one deadline, so
// that neither missing headers nor a dripping body can hold a caller longer.
// The header is returned with an error too: it tells the limits. A write is not
// cut when the caller's ctx ends: nobody would know then whether it happened.
func (c *Client) attempt(ctx context.Context, k *call) (*Response, http.Header, error) {
	if !k.read {
		ctx = context.WithoutCancel(ctx)
	}
	ctx, cancel := context.WithTimeout(ctx, c.timeout(k))
	defer cancel()
	var connected atomic.Bool
	ctx = httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{
		GotConn: func(httptrace.GotConnInfo) { connected.Store(true) },
	})
	req, err := c.request(ctx, k)
	if err != nil {
		return nil, nil, err
	}
	resp, err := c.http.Do(req)
	if err != nil {
		return nil, nil, &TransportError{Method: k.method, Path: k.path, Sent: connected.Load(), Err: withoutURL(err)}
	}
	defer resp.Body.Close()
	body, err := c.readBody(resp, k)
	if err != nil {
		return nil, resp.Header, k.bodyError(resp.StatusCode, err)
	}
	c.noteDate(resp.Header)
	r := &Response{Status: resp.StatusCode, Header: resp.Header, Body: body}
	return r, resp.Header, k.verdict(r)
}

// withoutURL drops the address that net/http puts in front: its query may
// hold contents of records.
func withoutURL(err error) error {
	var u *url.Error
	if errors.As(err, &u) {
		return u.Err
	}
	return err
}

var errTooLarge = errors.New("body over the cap")

// readBody reads at most MaxBodyBytes, counted after decompression, so that
// neither an endless answer nor a compressed bomb fills the memory.
func (c *Client) readBody(resp *http.Response, k *call) ([]byte, error) {
	if resp.ContentLength > MaxBodyBytes {
		return nil, errTooLarge
	}
	// Mostly nobody says beforehand how long a body is. Pages are alike, and a
	// buffer that doubles until it holds a megabyte is all in all two of them.
	var buf bytes.Buffer
	guess := max(resp.ContentLength, 0)
	if k.slow && guess == 0 {
		guess = min(c.pageSize.Load(), maxPageGuess)
	}
	buf.Grow(int(guess) + int(guess)/8 + bytes.MinRead)
	n, err := buf.ReadFrom(io.LimitReader(resp.Body, MaxBodyBytes+1))
	if err != nil {
		return nil, err
	}
	if n > MaxBodyBytes {
		return nil, errTooLarge
	}
	if k.slow {
		c.pageSize.Store(n)
	}
	if int(n) < buf.Cap()/2 {
		return bytes.Clone(buf.Bytes()), nil
	}
	return buf.Bytes(), nil
}

// maxPageGuess bounds what a wrong guess costs.
const maxPageGuess = 4 << 20

func (k *call) bodyError(status int, err error) error {
	if errors.Is(err, errTooLarge) {
		return k.unusable(status, ReasonTooLarge, "", err)
	}
	if status >= 400 {
		// The status alone says enough; the lost body was only its text.
		return newError(k.method, k.path, status, nil)
	}
	if errors.Is(err, io.ErrUnexpectedEOF) {
		return k.unusable(status, ReasonTruncated, "", err)
	}
	return &TransportError{Method: k.method, Path: k.path, Sent: true, Err: withoutURL(err)}
}

func (k *call) unusable(status int, reason, detail string, err error) *ResponseError {
	return &ResponseError{Method: k.method, Path: k.path, Status: status, Reason: reason, Detail: detail, Err: err}
}

// verdict is nil for an answer that can be used.
func (k *call) verdict(r *Response) error {
	switch {
	case r.Status >= 400:
		return newError(k.method, k.path, r.Status, r.Body)
	case r.Status >= 300:
		return k.unusable(r.Status, ReasonRedirect, redirectHost(r.Header), nil)
	case len(r.Body) == 0 && (!k.read || k.method == http.MethodHead):
		return nil
	case len(r.Body) == 0:
		return k.unusable(r.Status, ReasonTruncated, "empty body", nil)
	}
	err := k.check(r.Body)
	if err == nil {
		return nil // whatever type it was declared as
	}
	if kind, ok := jsonType(r.Header); !ok {
		return k.unusable(r.Status, ReasonNotJSON, kind, nil)
	}
	return k.shapeError(r.Status, err)
}

func redirectHost(h http.Header) string {
	u, err := url.Parse(h.Get("Location"))
	if err != nil || u.Host == "" {
		return "to the same host"
	}
	return "to " + u.Host
}

// jsonType tells what a body that cannot be used was declared as; false if that
// is not JSON.
func jsonType(h http.Header) (string, bool) {
	v := h.Get("Content-Type")
	if v == "" {
		return "", true
	}
	kind, _, err := mime.ParseMediaType(v)
	return kind, err == nil && (kind == "application/json" || strings.HasSuffix(kind, "+json"))
}

func (k *call) shapeError(status int, err error) error {
	reason := ReasonMalformed
	switch {
	case errors.Is(err, jsontext.ErrDuplicateName):
		reason = ReasonDuplicate
	case errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, io.EOF):
		reason = ReasonTruncated
	}
	// The decoder's own text may quote the body, so it is not kept.
	return k.unusable(status, reason, "", cause(reason))
}

func cause(reason string) error {
	switch reason {
	case ReasonTruncated:
		return io.ErrUnexpectedEOF
	case ReasonDuplicate:
		return jsontext.ErrDuplicateName
	}
	return nil
}
