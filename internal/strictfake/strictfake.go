// Package strictfake is a second imitation of Close, for tests of the real
// binary. It is written from Close's documents alone, shares no code and no
// assumption with sync/closetest, and is as strict as a stranger: whatever the
// documents do not allow is refused where Close would refuse it, and recorded
// as a violation where Close would silently do something else. Its Options
// leave out or vary what the documents leave open.
package strictfake

import (
	"crypto/rand"
	"encoding/hex"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"time"
)

// Options are the ways in which one Close may differ from another within the
// documents. The zero value answers as recordings show.
type Options struct {
	Missing     []string      // paths, such as "user/", that answer 404
	Refused     []string      // paths that answer 403
	SearchLimit int           // largest _limit of a search; 200 if 0
	Clip        bool          // a larger _limit gives fewer rows and no error
	NoNested    bool          // searches leave out a lead's contacts and opportunities
	AllFields   bool          // _fields is not honoured
	NoSearch    []string      // object types that cannot be searched
	RateForm    string        // separator of the RateLimit header; "" sends none
	PerSecond   int           // requests of one group in a second before 429; 0: no limit
	NoHasMore   bool          // the last page of a list lacks has_more
	NoOrder     bool          // lists and searches come in an order of their own
	NoCounts    bool          // neither searches nor lists tell totals
	NoEventData bool          // events lack data and previous_data, as for keys of no admin
	PlainText   bool          // answers are declared as text/plain
	Created     int           // status of a POST that made something; 200 if 0
	Lag         time.Duration // of the search index behind writes
	Consolidate time.Duration // updates of a record within it are one event
	NoFraction  bool          // dates of records in whole seconds
	NoZone      bool          // dates of records without a zone
	SkipCap     int           // largest _skip of a list; none if 0
}

// Server is one organization of Close.
type Server struct {
	opt Options
	// Key is the API key; Organization the id of what it belongs to.
	Key, Organization string
	http              *httptest.Server

	mu         sync.Mutex
	last       time.Time // of the clock, so that no two writes share a moment
	past       bool      // the clock still tells of long ago
	records    map[string]*record
	order      []string // ids in the order of creation
	fields     map[string][]customField
	events     []*event
	hooks      []*hook
	requests   []Request
	violations []string
	faults     []*Fault
	cursors    map[string]cursor
	windows    map[string]*window
	closed     map[string]time.Time // group -> until when a 429 closed it
	deliveries sync.WaitGroup
}

// Start serves on a loopback port until the test ends.
func Start(t *testing.T, o Options) *Server {
	t.Helper()
	s := &Server{
		opt: o, Key: "api_" + token(11) + "." + token(11), Organization: "orga_" + token(21),
		records: map[string]*record{}, fields: map[string][]customField{}, cursors: map[string]cursor{},
		windows: map[string]*window{}, closed: map[string]time.Time{},
		past: true, last: time.Now().UTC().Truncate(time.Second).AddDate(-1, 0, 0),
	}
	s.http = httptest.NewServer(http.HandlerFunc(s.serve))
	t.Cleanup(func() {
		s.http.Close()
		s.deliveries.Wait()
	})
	return s
}

// BaseURL is what CLOSE_BASE_URL is set to.
func (s *Server) BaseURL() string { return s.http.URL + "/api/v1" }

// token is n random bytes as letters and digits.
func token(n int) string {
	b := make([]byte, n)
	_, _ = rand.Read(b) // it never fails
	return hex.EncodeToString(b)
}

// Today ends the time long ago in which the first records are made, one a
// minute, so that no search for what changed lately finds them. Their events
// are too old to be in the log.
func (s *Server) Today() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.past, s.events = false, nil
}

// now is the present moment in milliseconds, later than every one before.
func (s *Server) now() time.Time {
	if s.past {
		s.last = s.last.Add(time.Minute)
		return s.last
	}
	t := time.Now().UTC().Truncate(time.Millisecond)
	if !t.After(s.last) {
		t = s.last.Add(time.Millisecond)
	}
	s.last = t
	return t
}

// stamp is a date as records carry it.
func (s *Server) stamp(t time.Time) string {
	layout := "2006-01-02T15:04:05"
	if !s.opt.NoFraction {
		layout += ".000000"
	}
	if !s.opt.NoZone {
		layout += "+00:00"
	}
	return t.Format(layout)
}

// eventStamp is a date as events carry it: without a zone.
func eventStamp(t time.Time) string { return t.Format("2006-01-02T15:04:05.000000") }
