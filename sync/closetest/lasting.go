package closetest

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"sync/atomic"
	"time"
)

// lasting is the file that an imitation's state is made of again: everything
// that may change something, with its time. One seed and one sequence of calls
// give one state.
type lasting struct {
	file   *os.File
	replay atomic.Pointer[time.Time] // the time of the call that is made again
}

// line is one call. The first line of a file has no method: it says when the
// imitation began, and with what.
type line struct {
	At     int64           `json:"at"` // microseconds
	Method string          `json:"method,omitempty"`
	Path   string          `json:"path,omitempty"`
	Query  string          `json:"query,omitempty"`
	Key    string          `json:"key,omitempty"`
	TZ     string          `json:"tz,omitempty"`
	Body   json.RawMessage `json:"body,omitempty"`
	Drawn  int             `json:"drawn,omitempty"` // ids of requests drawn before its own
	Seed   uint64          `json:"seed,omitempty"`
	Leads  int             `json:"leads,omitempty"`
}

// Open is New, but keeps the organization in a file and goes on from there the
// next time. What is lost: faults, limits, requests seen, and webhooks that
// were still queued, as after an outage of Close. Calls from Go (Create and
// the like) are not kept, only those over HTTP.
func Open(file string, o Options) (*Server, error) {
	f, err := os.OpenFile(file, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, fmt.Errorf("closetest: %w", err)
	}
	s, err := open(f, o)
	if err != nil {
		_ = f.Close()
		return nil, fmt.Errorf("closetest: %s: %w", file, err)
	}
	return s, nil
}

func open(f *os.File, o Options) (*Server, error) {
	if err := lockFile(f); err != nil {
		return nil, err
	}
	lines, size, err := readLines(f)
	if err != nil {
		return nil, err
	}
	// A call that was cut short while it was written has not been answered.
	if err := f.Truncate(size); err != nil {
		return nil, err
	}
	if _, err := f.Seek(size, io.SeekStart); err != nil {
		return nil, err
	}
	keep := &lasting{file: f}
	clock := o.Now
	if o.Clock != nil {
		clock = o.Clock.Now
	}
	if clock == nil {
		clock = time.Now
	}
	o.Clock, o.Now = nil, func() time.Time {
		if at := keep.replay.Load(); at != nil {
			return *at
		}
		return clock()
	}
	if len(lines) == 0 {
		begun := time.UnixMicro(micros(clock())).UTC()
		keep.replay.Store(&begun)
		s := New(o)
		keep.replay.Store(nil)
		s.lasting = keep
		return s, keep.write(line{At: micros(begun), Seed: o.Seed, Leads: o.Leads})
	}
	if first := lines[0]; first.Seed != o.Seed || first.Leads != o.Leads {
		return nil, fmt.Errorf("it began with seed %d and %d leads, not with seed %d and %d", first.Seed, first.Leads, o.Seed, o.Leads)
	}
	s := keep.again(lines, o)
	s.lasting = keep
	return s, nil
}

func readLines(f *os.File) (lines []line, size int64, err error) {
	raw, err := io.ReadAll(f)
	if err != nil {
		return nil, 0, err
	}
	for {
		text, rest, whole := bytes.Cut(raw, []byte("\n"))
		var l line
		if !whole || !readable(text, &l) {
			return lines, size, nil
		}
		lines, size, raw = append(lines, l), size+int64(len(text))+1, rest
	}
}

// readable reads a line, unless a kill left it half written.
func readable(text []byte, l *line) bool { return json.Unmarshal(text, l) == nil }

// again makes every call once more, at its time.
func (k *lasting) again(lines []line, o Options) *Server {
	at := time.UnixMicro(lines[0].At).UTC()
	k.replay.Store(&at)
	s := New(o)
	for _, l := range lines[1:] {
		at := time.UnixMicro(l.At).UTC()
		k.replay.Store(&at)
		for s.drawn < l.Drawn {
			s.requestID()
		}
		r := httptest.NewRequest(l.Method, "http://localhost"+l.Path+"?"+l.Query, bytes.NewReader(l.Body))
		r.Header.Set("Content-Type", "application/json")
		r.Header.Set("X-Tz-Offset", l.TZ)
		r.SetBasicAuth(l.Key, "")
		if strings.HasPrefix(l.Path, "/_control/") {
			s.serveControl(httptest.NewRecorder(), r)
			continue
		}
		s.repeat(r, l.Body)
	}
	k.replay.Store(nil)
	s.hooks.queue, s.history = nil, history{}
	return s
}

// repeat is ServeHTTP without limits, faults, history and answer.
func (s *Server) repeat(r *http.Request, body []byte) {
	req := newRequest(r, strings.TrimPrefix(r.URL.Path, "/api/v1"))
	s.lock()
	defer s.mu.Unlock()
	req.requestID = s.requestID()
	if req.key = s.authenticate(r); req.key == nil {
		return
	}
	req.actor = Actor{UserID: req.key.userID, APIKeyID: req.key.id}
	s.dispatch(req, r, body, nil, nil)
}

// passing are the calls of the control API that leave nothing behind, or nothing
// that should outlive the process.
var passing = map[string]bool{
	"get": true, "list": true, "changes": true, "requests": true, "violations": true, "clock": true,
	"fault": true, "faults": true, "latency": true, "limits": true, "limits/drain": true, "cursors/rotate": true,
	"webhooks/flush": true, "webhooks/disorder": true, "webhooks/pause": true, "webhooks/drop": true,
}

// keep writes down a call that may change something, before it does. drawn is
// how many ids of requests were drawn before its own.
func (s *Server) keep(r *http.Request, body []byte, drawn int) error {
	if s.lasting == nil || r.Method == http.MethodGet || r.Method == http.MethodHead || strings.HasSuffix(r.URL.Path, "/data/search/") {
		return nil
	}
	key, _, _ := r.BasicAuth()
	return s.lasting.write(line{At: s.nowMicros(), Method: r.Method, Path: r.URL.Path, Query: r.URL.RawQuery, Key: key,
		TZ: r.Header.Get("X-Tz-Offset"), Body: body, Drawn: drawn})
}

// write appends in one call, so that a kill leaves whole lines but the last.
func (k *lasting) write(l line) error {
	text, err := json.Marshal(l)
	if err != nil {
		return err
	}
	_, err = k.file.Write(append(text, '\n'))
	return err
}

// Close lets go of the file that Open keeps; without one it does nothing.
func (s *Server) Close() error {
	if s.lasting == nil {
		return nil
	}
	err := s.lasting.file.Close()
	if errors.Is(err, os.ErrClosed) {
		return nil
	}
	return err
}
