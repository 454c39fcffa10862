package closetest

import (
	"encoding/base64"
	"fmt"
	"math"
	"slices"
	"strings"
)

var eventFilters = []string{"object_type", "object_id", "lead_id", "action", "user_id", "request_id"}

// eventSets are the documented combinations of filters, sorted and joined. A
// date range may be added to each; no filter at all is fine too.
var eventSets = []string{"", "object_id object_type", "action object_type", "action object_id", "lead_id",
	"lead_id object_type", "action lead_id object_type", "lead_id user_id", "lead_id object_type user_id",
	"action lead_id object_type user_id", "user_id", "object_id user_id", "action object_id user_id",
	"object_type user_id", "action object_type user_id", "request_id"}

const eventPage = 50

func (s *Server) eventEndpoint(req *request) ([]byte, *apiError) {
	if req.method != "GET" {
		return nil, sentence(405, "Method not allowed")
	}
	s.trimLog(s.nowMicros())
	if len(req.parts) == 2 {
		e := s.eventByID[req.parts[1]]
		if e == nil || !s.visible(req.key, e.lead) {
			return nil, notFound("event")
		}
		return s.encodeEvent(nil, e, s.redacted(req.key, e)), nil
	}
	return s.eventList(req)
}

// redacted tells whether a key that is no admin's sees an old event without
// its data.
func (s *Server) redacted(k *apiKey, e *event) bool {
	return k.role != RoleAdmin && s.nowMicros()-e.created > 3600_000_000
}

// eventList is newest first by date_updated.
func (s *Server) eventList(req *request) ([]byte, *apiError) {
	q := req.query
	limit, _, err := limits(q, eventPage, math.MaxInt32)
	if err != nil {
		return nil, err
	}
	want, set := map[string]string{}, []string{}
	for _, k := range eventFilters {
		if v := q.Get(k); v != "" {
			want[k] = v
			set = append(set, k)
		}
	}
	slices.Sort(set)
	if !slices.Contains(eventSets, strings.Join(set, " ")) {
		return nil, badRequest("This combination of filters is not supported: %s.", strings.Join(set, ", "))
	}
	s.checkParams(&req.call, q, append(eventFilters[:len(eventFilters):len(eventFilters)], "_cursor",
		"date_updated__gt", "date_updated__gte", "date_updated__lt", "date_updated__lte")...)
	lo, hi := s.rangeOf(q, "date_updated")
	now := s.nowMicros()
	end, newer := s.eventPlace(hi, -1), false
	if c := q.Get("_cursor"); c != "" {
		at, seq, dir, ok := s.parseEventCursor(c)
		if !ok {
			return nil, badRequest("Invalid cursor.")
		}
		// The event itself may have been rewritten since, and gone from its place.
		if newer = dir == "p"; newer {
			seq++
		}
		end = s.eventPlace(at, seq)
	}
	match := func(e *event) bool {
		return e.visible <= now && e.updated >= lo && e.matches(want) && s.visible(req.key, e.lead)
	}
	return s.eventAnswer(req.key, s.collectEvents(end, newer, limit, match), match), nil
}

// collectEvents takes up to limit matches before position end, or from there
// on, and returns them newest first.
func (s *Server) collectEvents(end int, newer bool, limit int, match func(*event) bool) []*event {
	var rows []*event
	if newer {
		for i := end; i < len(s.log) && len(rows) < limit; i++ {
			if match(s.log[i]) {
				rows = append(rows, s.log[i])
			}
		}
		slices.Reverse(rows)
		return rows
	}
	for i := min(end, len(s.log)) - 1; i >= 0 && len(rows) < limit; i-- {
		if match(s.log[i]) {
			rows = append(rows, s.log[i])
		}
	}
	return rows
}

func (s *Server) eventAnswer(k *apiKey, rows []*event, match func(*event) bool) []byte {
	out := []byte(`{"data":[`)
	for i, e := range rows {
		if i > 0 {
			out = append(out, ',')
		}
		out = s.encodeEvent(out, e, s.redacted(k, e))
	}
	var next, prev any
	if n := len(rows); n > 0 {
		first, last := rows[0], rows[n-1]
		if len(s.collectEvents(s.eventPlace(last.updated, last.seq), false, 1, match)) > 0 {
			next = s.eventCursor(last, "n")
		}
		if len(s.collectEvents(s.eventPlace(first.updated, first.seq+1), true, 1, match)) > 0 {
			prev = s.eventCursor(first, "p")
		}
	}
	out = appendMember(append(out, ']'), "cursor_next", next)
	return append(appendMember(out, "cursor_previous", prev), '}')
}

func (e *event) matches(want map[string]string) bool {
	for k, v := range want {
		have := map[string]string{"object_type": e.objectType, "object_id": e.objectID, "lead_id": e.leadID,
			"action": e.action, "user_id": e.userID, "request_id": e.requestID}[k]
		if have != v {
			return false
		}
	}
	return true
}

func (s *Server) eventCursor(e *event, dir string) string {
	return base64.RawURLEncoding.EncodeToString(fmt.Appendf(nil, "e %d %d %d %s %d", s.epoch, e.updated, e.seq, dir, s.nowMicros()))
}

func (s *Server) parseEventCursor(c string) (at, seq int64, dir string, ok bool) {
	raw, err := base64.RawURLEncoding.DecodeString(c)
	var epoch int
	var born int64
	n, _ := fmt.Sscanf(string(raw), "e %d %d %d %s %d", &epoch, &at, &seq, &dir, &born)
	life := s.opt.EventCursorLife.Microseconds()
	return at, seq, dir, err == nil && n == 5 && epoch == s.epoch && (life <= 0 || s.nowMicros()-born <= life)
}

// RotateCursors makes every cursor handed out so far invalid, as an upgrade
// of the service might.
func (s *Server) RotateCursors() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.epoch++
}
