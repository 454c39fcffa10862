package closeapi

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// maxQuery is the length from which a filter travels as a body: Close advises
// that for URLs over about 2000 characters.
// Source: developer.close.com/api/overview/filter-parameters.
const maxQuery = 1800

// call is one request of a caller, sent once or several times.
type call struct {
	method string
	path   string // below the base, no slash in front, one at the end
	query  string // encoded
	body   []byte // nil for none
	group  string
	read   bool // changes nothing, so may be repeated
	slow   bool // search and lead lists get the longer deadline
	via    bool // a GET whose filter travels in the body

	// check refuses a body that has not the expected shape; within the
	// retries, so that a cut answer is asked for again. It may keep what it
	// decoded.
	check func(body []byte) error
}

func newCall(method, path string, query url.Values, body any) (*call, error) {
	switch method {
	case http.MethodGet, http.MethodHead, http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete:
	default:
		return nil, fmt.Errorf("%w: %q is no method", ErrNoCall, clip([]byte(method)))
	}
	p, err := cleanPath(path)
	if err != nil {
		return nil, err
	}
	k := &call{method: method, path: p, group: groupOf(method, p), check: checkJSON}
	search := method == http.MethodPost && p == "data/search/"
	k.read = method == http.MethodGet || method == http.MethodHead || search
	k.slow = search || (method == http.MethodGet && p == "lead/")
	if k.body, err = encodeBody(body); err != nil {
		return nil, fmt.Errorf("closeapi: %s %s: body: %w", method, p, err)
	}
	if len(query) > 0 {
		k.query = query.Encode()
	}
	if k.body == nil && method == http.MethodGet && len(k.query) > maxQuery {
		k.via = true
		k.query = ""
		k.body, err = overrideBody(query)
	}
	return k, err
}

// cleanPath accepts "/lead/", "lead/" and "lead"; every path of Close ends in
// a slash, without it Close answers a redirect.
func cleanPath(path string) (string, error) {
	p := strings.Trim(path, "/")
	if p == "" || strings.ContainsAny(p, "?#%\\: \t\r\n") || strings.Contains(p, "..") || strings.Contains(p, "//") {
		return "", fmt.Errorf("%w: %q is no path", ErrNoCall, clip([]byte(path)))
	}
	return p + "/", nil
}

func encodeBody(body any) ([]byte, error) {
	switch b := body.(type) {
	case nil:
		return nil, nil
	case []byte:
		return b, nil
	case jsontext.Value:
		return b, nil
	}
	return json.Marshal(body, json.Deterministic(true), json.FormatNilSliceAsNull(true))
}

// overrideBody is the body form of a long filter.
func overrideBody(query url.Values) ([]byte, error) {
	params := make(map[string]string, len(query))
	for name, values := range query {
		params[name] = strings.Join(values, ",")
	}
	return json.Marshal(map[string]any{"_params": params}, json.Deterministic(true))
}

// request builds a fresh request. The body is a bytes.Reader, so that it has
// a Content-Length: Close refuses chunked bodies (inferred from its open
// source framework).
func (c *Client) request(ctx context.Context, k *call) (*http.Request, error) {
	method := k.method
	if k.via {
		method = http.MethodPost
	}
	var body io.Reader
	if k.body != nil {
		body = bytes.NewReader(k.body)
	}
	u := *c.base
	u.Path += k.path
	u.RawQuery = k.query
	req, err := http.NewRequestWithContext(ctx, method, "/", body)
	if err != nil {
		return nil, fmt.Errorf("closeapi: %s %s: request cannot be built", k.method, k.path)
	}
	req.URL, req.Host = &u, u.Host
	h := req.Header
	h["Authorization"] = []string{c.auth}
	h["Accept"] = []string{"application/json"}
	h["User-Agent"] = []string{c.opt.UserAgent}
	// Relative dates and the automatic date_won follow this offset (hours).
	// Source: developer.close.com/api/overview/timezone-offsets.
	h["X-Tz-Offset"] = []string{"0"}
	if k.body != nil {
		h["Content-Type"] = []string{"application/json"}
	}
	if k.via {
		h["X-Http-Method-Override"] = []string{http.MethodGet}
	}
	return req, nil
}

func (c *Client) timeout(k *call) time.Duration {
	if k.slow {
		return c.opt.SlowTimeout
	}
	return c.opt.Timeout
}
