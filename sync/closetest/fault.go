package closetest

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
)

// FaultKind says what goes wrong and when.
type FaultKind string

// Kinds before any effect, after the effect, and in the answer alone.
const (
	FaultStatus FaultKind = "status" // answer Status, nothing happened
	FaultCut    FaultKind = "cut"    // connection closed, nothing happened
	FaultHang   FaultKind = "hang"   // no answer until the client leaves (or Delay), nothing happened

	FaultStatusAfter FaultKind = "status_after"
	FaultCutAfter    FaultKind = "cut_after"
	FaultHangAfter   FaultKind = "hang_after"

	FaultDelay         FaultKind = "delay"          // the right answer, Delay late
	FaultTruncate      FaultKind = "truncate"       // first N bytes, matching Content-Length
	FaultCutBody       FaultKind = "cut_body"       // first N bytes, then the connection closes
	FaultHTML          FaultKind = "html"           // 200 with a web page
	FaultReplace       FaultKind = "replace"        // Replace's keys by its values in the body
	FaultDuplicateKeys FaultKind = "duplicate_keys" // every "id" comes three times, in different case
	FaultWrongTypes    FaultKind = "wrong_types"    // strings for numbers, null for lists
	FaultUnknownFields FaultKind = "unknown_fields" // more keys than documented
	FaultEmptyPage     FaultKind = "empty_page"     // no rows, yet more to come
	FaultRepeatRows    FaultKind = "repeat_rows"    // a page's rows come twice
	FaultDrip          FaultKind = "drip"           // one byte per Delay
	FaultGzipBomb      FaultKind = "gzip_bomb"      // N MiB of blanks, gzipped
	FaultTruncatedGzip FaultKind = "truncated_gzip" // half of a gzipped answer
	FaultRedirect      FaultKind = "redirect"       // 302 to Body
	FaultStale         FaultKind = "stale"          // GET shows the state before the last write
)

// knownFaults are all of them.
var knownFaults = []FaultKind{
	FaultStatus, FaultCut, FaultHang, FaultStatusAfter, FaultCutAfter, FaultHangAfter,
	FaultDelay, FaultTruncate, FaultCutBody, FaultHTML, FaultReplace, FaultDuplicateKeys,
	FaultWrongTypes, FaultUnknownFields, FaultEmptyPage, FaultRepeatRows, FaultDrip, FaultGzipBomb,
	FaultTruncatedGzip, FaultRedirect, FaultStale,
}

// Fault is one thing that goes wrong. Method, Path (a prefix without
// /api/v1, such as "/lead/") and KeyID choose requests; empty means all. Of
// those it fires on the Nth only (1 is the first), on every one with chance
// Rate when that is set, and at most Times times (0: no end, but once with
// Nth).
type Fault struct {
	Name   string            `json:"name"`
	Method string            `json:"method"`
	Path   string            `json:"path"`
	KeyID  string            `json:"key_id"`
	Nth    int               `json:"nth"`
	Rate   float64           `json:"rate"`
	Times  int               `json:"times"`
	Kind   FaultKind         `json:"kind"`
	Status int               `json:"status"`
	Header map[string]string `json:"header"`
	Body   string            `json:"body"`
	Delay  time.Duration     `json:"delay"`
	N      int               `json:"n"`
	// Replace is applied literally to the encoded answer, in order of its keys.
	Replace map[string]string `json:"replace"`
}

type faultState struct {
	Fault
	seen, fired int
}

// Fault arms a fault and returns its name, made up when empty. Of several
// that match one request, the one armed first fires.
func (s *Server) Fault(f Fault) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	if f.Name == "" {
		f.Name = "fault-" + strconv.Itoa(len(s.faults)+1)
	}
	s.faults = append(s.faults, &faultState{Fault: f})
	return f.Name
}

// ClearFaults disarms all.
func (s *Server) ClearFaults() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.faults = nil
}

// FaultFired is how often the fault of that name fired.
func (s *Server) FaultFired(name string) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, f := range s.faults {
		if f.Name == name {
			return f.fired
		}
	}
	return 0
}

func (s *Server) pickFault(req *request) *Fault {
	for _, f := range s.faults {
		if !f.matches(req) {
			continue
		}
		f.seen++
		if (f.Nth > 0 && f.seen != f.Nth) || (f.Times > 0 && f.fired >= f.Times) ||
			(f.Rate > 0 && s.hooks.rng.Float64() >= f.Rate) {
			continue
		}
		f.fired++
		return &f.Fault
	}
	return nil
}

func (f *Fault) matches(req *request) bool {
	path := strings.TrimPrefix(req.path, "/api/v1")
	return (f.Method == "" || f.Method == req.method) && strings.HasPrefix(path, f.Path) &&
		(f.KeyID == "" || strings.HasPrefix(basicUser(req.header), f.KeyID+"."))
}

func basicUser(h http.Header) string {
	user, _, _ := (&http.Request{Header: h}).BasicAuth()
	return user
}

func (f *Fault) before() bool {
	return f.Kind == FaultStatus || f.Kind == FaultCut || f.Kind == FaultHang
}

// response is the fault's own answer, keeping what header there was.
func (f *Fault) response(was *response) *response {
	r := &response{status: f.Status, body: []byte(f.Body), header: http.Header{}}
	if was != nil {
		r.header = was.header
	}
	if r.status == 0 {
		r.status = 503
	}
	if f.Body == "" {
		r.body = encode(map[string]any{"error": http.StatusText(r.status)})
	}
	for k, v := range f.Header {
		r.header.Set(k, v)
	}
	return r
}

// spoil sends a spoiled answer; false means that resp (perhaps changed) is to
// be sent as usual.
func (s *Server) spoil(w http.ResponseWriter, r *http.Request, resp *response, f *Fault) bool {
	switch f.Kind {
	case FaultCut, FaultCutAfter:
		panic(http.ErrAbortHandler)
	case FaultHang, FaultHangAfter:
		if f.Delay > 0 {
			s.opt.Sleep(r.Context(), f.Delay)
		} else {
			<-r.Context().Done()
		}
		panic(http.ErrAbortHandler)
	case FaultDelay:
		s.opt.Sleep(r.Context(), f.Delay)
	case FaultDrip:
		s.drip(w, r, resp, f)
		return true
	case FaultCutBody:
		w.Header().Set("Content-Type", "application/json")
		w.Header().Set("Content-Length", strconv.Itoa(len(resp.body)))
		w.WriteHeader(resp.status)
		_, _ = w.Write(resp.body[:min(f.N, len(resp.body))])
		_ = http.NewResponseController(w).Flush()
		panic(http.ErrAbortHandler)
	case FaultGzipBomb:
		w.Header().Set("Content-Encoding", "gzip")
		w.Header().Set("Content-Type", "application/json")
		bomb(w, f.N)
		return true
	default:
		f.change(resp)
	}
	return false
}

// change rewrites an answer in place.
func (f *Fault) change(resp *response) {
	switch f.Kind {
	case FaultStatusAfter:
		*resp = *f.response(resp)
	case FaultTruncate:
		resp.body = resp.body[:min(f.N, len(resp.body))]
	case FaultHTML:
		resp.header.Set("Content-Type", "text/html")
		resp.status, resp.body = 200, []byte("<html><body>Please sign in to the proxy</body></html>")
	case FaultReplace:
		for _, old := range slices.Sorted(maps.Keys(f.Replace)) {
			resp.body = bytes.ReplaceAll(resp.body, []byte(old), []byte(f.Replace[old]))
		}
	case FaultDuplicateKeys:
		resp.body = bytes.ReplaceAll(resp.body, []byte(`"id":`), []byte(`"ID":"x_upper","Id":"x_title","id":"x_first","id":`))
	case FaultWrongTypes:
		for _, swap := range [][2]string{{`"contacts":[`, `"contacts":null,"_was":[`}, {`"emails":[`, `"emails":null,"_emails":[`}, {`"name":"`, `"name":12,"_name":"`}, {`"value":`, `"value":"12","_value":`}} {
			resp.body = bytes.ReplaceAll(resp.body, []byte(swap[0]), []byte(swap[1]))
		}
	case FaultUnknownFields:
		resp.body = bytes.ReplaceAll(resp.body, []byte(`"id":`), []byte(`"brand_new":{"deep":[1,null]},"id":`))
	case FaultEmptyPage:
		resp.body = []byte(`{"data":[],"has_more":true,"cursor":"same","cursor_next":"same","cursor_previous":null}`)
	case FaultRepeatRows:
		if data := member(resp.body, "data"); len(data) > 2 {
			twice := fmt.Sprintf("[%s,%s]", data[1:len(data)-1], data[1:len(data)-1])
			resp.body = bytes.Replace(resp.body, data, []byte(twice), 1)
		}
	case FaultTruncatedGzip:
		z := gzipped(resp.body)
		resp.header.Set("Content-Encoding", "gzip")
		resp.body = z[:len(z)/2]
	case FaultRedirect:
		resp.header.Set("Location", f.Body)
		resp.status, resp.body = 302, nil
	}
}

func (s *Server) drip(w http.ResponseWriter, r *http.Request, resp *response, f *Fault) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(resp.status)
	for i := range resp.body {
		if r.Context().Err() != nil {
			return
		}
		_, _ = w.Write(resp.body[i : i+1])
		_ = http.NewResponseController(w).Flush()
		s.opt.Sleep(r.Context(), f.Delay)
	}
}

func bomb(w http.ResponseWriter, mib int) {
	z := gzip.NewWriter(w)
	_, _ = z.Write([]byte(`{"data":"`))
	blank := bytes.Repeat([]byte(" "), 1<<20)
	for range mib {
		if _, err := z.Write(blank); err != nil {
			return
		}
	}
	_, _ = z.Write([]byte(`"}`))
	_ = z.Close()
}
