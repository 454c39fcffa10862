package closetest

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
)

// maxBody bounds what is read of a request.
const maxBody = 16 << 20

// request is a decoded request on its way to its endpoint.
type request struct {
	call
	parts  []string // of the path, without /api/v1/
	query  url.Values
	body   map[string]any
	header http.Header
	origin string // how the client reached us, for addresses in answers
	stale  bool   // a fault asks for the state before the last write
}

// response is an answer before faults and headers.
type response struct {
	status int
	body   []byte
	header http.Header
}

// ServeHTTP answers API calls below /api/v1/ (or with that prefix stripped)
// and, with Options.Control, control calls.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if s.opt.Control && strings.HasPrefix(r.URL.Path, "/_control/") {
		s.serveControl(w, r)
		return
	}
	if strings.HasPrefix(r.URL.Path, "/_exports/") {
		s.serveExport(w, r)
		return
	}
	if d := s.latency(); d > 0 {
		s.opt.Sleep(r.Context(), d)
	}
	body, readErr := io.ReadAll(io.LimitReader(r.Body, maxBody))
	path := strings.TrimPrefix(r.URL.Path, "/api/v1")
	if !strings.HasSuffix(path, "/") {
		http.Redirect(w, r, r.URL.Path+"/", http.StatusMovedPermanently)
		return
	}
	req := newRequest(r, path)
	s.lock()
	rec := Request{Time: s.opt.Now().UTC(), Method: r.Method, Path: req.path, Query: r.URL.RawQuery,
		Body: string(body[:min(len(body), keptBody)]), Group: group(req), Header: r.Header}
	req.requestID = s.requestID()
	f := s.pickFault(req)
	resp := s.answer(req, r, body, readErr, f)
	rec.Status = resp.status
	if req.key != nil {
		rec.KeyID = req.key.id
	}
	if f != nil {
		rec.Fault = f.Name
	}
	if !s.opt.NoHistory {
		s.history.requests = append(s.history.requests, rec)
	}
	s.mu.Unlock()
	s.write(w, r, resp, f)
}

func newRequest(r *http.Request, path string) *request {
	req := &request{parts: strings.Split(strings.Trim(path, "/"), "/"), query: r.URL.Query(), header: r.Header, origin: originOf(r)}
	req.method, req.path = r.Method, "/api/v1"+path
	return req
}

// answer runs the request. The lock is held.
func (s *Server) answer(req *request, r *http.Request, body []byte, readErr error, f *Fault) *response {
	if f != nil && f.before() {
		return f.response(nil)
	}
	req.key = s.authenticate(r)
	if req.key == nil {
		return failed(sentence(401, "Unauthorized"))
	}
	req.actor = Actor{UserID: req.key.userID, APIKeyID: req.key.id}
	header, limited := s.passGate(req)
	if limited != nil {
		return limited
	}
	resp := s.dispatch(req, r, body, readErr, f)
	for k, v := range header {
		resp.header[k] = v
	}
	return resp
}

func (s *Server) dispatch(req *request, r *http.Request, body []byte, readErr error, f *Fault) *response {
	if err := s.decodeBody(req, r, body, readErr); err != nil {
		return failed(err)
	}
	if err := s.keep(r, body, s.drawn-1); err != nil {
		return failed(sentence(500, "The imitation's file cannot be written: %s.", err))
	}
	req.tzOffset, _ = strconv.ParseFloat(r.Header.Get("x-tz-offset"), 64)
	req.stale = f != nil && f.Kind == FaultStale
	out, err := s.route(req)
	if err != nil {
		return failed(err)
	}
	if out == nil {
		return &response{http.StatusNoContent, nil, http.Header{}}
	}
	return &response{200, out, http.Header{}}
}

func originOf(r *http.Request) string {
	if r.TLS != nil {
		return "https://" + r.Host
	}
	return "http://" + r.Host
}

func failed(err *apiError) *response {
	return &response{err.status, encode(err.body), http.Header{}}
}

// decodeBody refuses what the framework refuses: chunked bodies, other media
// types, anything but a JSON object. It also unfolds x-http-method-override.
func (s *Server) decodeBody(req *request, r *http.Request, body []byte, readErr error) *apiError {
	if readErr != nil {
		return badRequest("The request body could not be read.")
	}
	if r.Method == http.MethodGet || (r.Method == http.MethodDelete && len(body) == 0) {
		return nil
	}
	if len(r.TransferEncoding) > 0 {
		s.violate(&req.call, "chunked request body")
		return badRequest("Chunked Transfer-Encoding is not supported.")
	}
	if ct := r.Header.Get("Content-Type"); len(body) > 0 && !strings.HasPrefix(ct, "application/json") {
		return sentence(415, "Unsupported media type.")
	}
	m, err := decodeObject(body)
	if len(body) > 0 && (err != nil || m == nil) {
		return badRequest("The request body must be a JSON object.")
	}
	req.body = m
	if strings.EqualFold(r.Header.Get("x-http-method-override"), "GET") && r.Method == http.MethodPost {
		req.method = http.MethodGet
		params, _ := m["_params"].(map[string]any)
		for k, v := range params {
			req.query.Set(k, paramText(v))
		}
	}
	return nil
}

func paramText(v any) string {
	switch t := v.(type) {
	case string:
		return t
	case json.Number:
		return t.String()
	case []any:
		parts := make([]string, len(t))
		for i, e := range t {
			parts[i] = paramText(e)
		}
		return strings.Join(parts, ",")
	}
	return string(bytes.Trim(encode(v), `"`))
}

// write sends the answer, spoiled as the fault says.
func (s *Server) write(w http.ResponseWriter, r *http.Request, resp *response, f *Fault) {
	// Close's time, not this machine's: clients take their watermarks from it.
	w.Header().Set("Date", s.opt.Now().UTC().Format(http.TimeFormat))
	if f != nil && s.spoil(w, r, resp, f) {
		return
	}
	for k, v := range resp.header {
		w.Header()[k] = v
	}
	if w.Header().Get("Content-Type") == "" {
		w.Header().Set("Content-Type", "application/json")
	}
	if resp.status != http.StatusNoContent {
		w.Header().Set("Content-Length", strconv.Itoa(len(resp.body)))
	}
	w.WriteHeader(resp.status)
	_, _ = w.Write(resp.body)
}

// gzipped is for faults only: plain answers go uncompressed, which is fastest
// on a loopback connection.
func gzipped(body []byte) []byte {
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	_, _ = z.Write(body)
	_ = z.Close()
	return b.Bytes()
}
