package strictfake

import (
	"slices"
	"sort"
	"strconv"
	"strings"
	"time"
)

// event is one entry of the event log.
type event struct {
	id, kind, object, lead, action, request string
	apiKey                                  any
	changed                                 []string
	data, previous                          any
	meta                                    map[string]any
	created, updated                        time.Time
}

// log adds an event, or folds an update into a recent one. The caller may add
// to its meta.
func (s *Server) log(r *record, action string, previous map[string]any, c *call) *event {
	now := s.now()
	e := &event{
		id: "ev_" + token(11), kind: r.kind, object: r.id, lead: r.text("lead_id"), action: action, request: "req_" + token(11),
		created: now, updated: now, meta: map[string]any{}, changed: []string{},
	}
	if r.kind == "lead" {
		e.lead = r.id
	}
	if c != nil {
		e.apiKey, e.meta["request_method"], e.meta["request_path"] = c.key, c.method, root+c.path
	}
	e.data = s.data(r, false)
	switch action {
	case "deleted":
		e.data, e.previous = nil, previous
	case "updated":
		e.previous = previous
		for name := range previous {
			e.changed = append(e.changed, name)
		}
		sort.Strings(e.changed)
	case "created":
		e.previous = map[string]any{}
	}
	if !s.fold(e, previous) {
		s.events = append(s.events, e)
	}
	s.deliver(e)
	return e
}

// fold puts an update into the event of an earlier one.
func (s *Server) fold(e *event, previous map[string]any) bool {
	if s.opt.Consolidate == 0 || e.action != "updated" {
		return false
	}
	for _, old := range slices.Backward(s.events) {
		if old.object != e.object {
			continue
		}
		if old.action != "updated" || e.created.Sub(old.updated) > s.opt.Consolidate {
			return false
		}
		before := old.previous.(map[string]any)
		for name, v := range previous {
			if _, known := before[name]; !known {
				before[name] = v
				old.changed = append(old.changed, name)
			}
		}
		old.data, old.updated, old.apiKey = e.data, e.updated, e.apiKey
		*e = *old
		return true
	}
	return false
}

func (s *Server) eventJSON(e *event) map[string]any {
	m := map[string]any{
		"id": e.id, "organization_id": s.Organization, "user_id": User, "request_id": e.request, "api_key_id": e.apiKey,
		"oauth_client_id": nil, "oauth_scope": nil, "object_type": e.kind, "object_id": e.object, "lead_id": e.lead, "action": e.action,
		"changed_fields": e.changed, "meta": e.meta, "data": e.data, "previous_data": e.previous,
		"date_created": eventStamp(e.created), "date_updated": eventStamp(e.updated),
	}
	if s.opt.NoEventData {
		delete(m, "data")
		delete(m, "previous_data")
	}
	return m
}

// allowed are the sets of filters that the log takes, beside a date range.
var allowed = []string{
	"", "object_id object_type", "action object_type", "action object_id", "lead_id", "lead_id object_type", "action lead_id object_type",
	"lead_id user_id", "lead_id object_type user_id", "action lead_id object_type user_id", "user_id", "object_id user_id",
	"action object_id user_id", "object_type user_id", "action object_type user_id", "request_id",
}

func (s *Server) eventCall(c *call) *answer {
	if c.method != "GET" {
		return refuse(405, "Method not allowed")
	}
	if len(c.parts) == 2 {
		for _, e := range s.events {
			if e.id == c.parts[1] {
				return &answer{200, s.eventJSON(e)}
			}
		}
		return refuse(404, "Not found")
	}
	if a := s.checkEventQuery(c); a != nil {
		return a
	}
	limit := 50
	if c.query.Has("_limit") {
		limit, _ = strconv.Atoi(c.query.Get("_limit"))
		if limit > 50 || limit < 1 {
			return refuse(400, "The limit you set is larger than the maximum limit for this resource (max_limit = 50).")
		}
	}
	found := s.matching(c)
	from := 0
	if token := c.query.Get("_cursor"); token != "" {
		at, ok := s.cursors[token]
		if !ok {
			return refuse(400, "Invalid cursor")
		}
		for from < len(found) && !(found[from].updated.Before(at.at) || found[from].updated.Equal(at.at) && found[from].id > at.id) {
			from++
		}
	}
	page := found[from:min(from+limit, len(found))]
	body := map[string]any{"data": []any{}, "cursor_next": nil, "cursor_previous": nil}
	data := []any{}
	for _, e := range page {
		data = append(data, s.eventJSON(e))
	}
	body["data"] = data
	if from+len(page) < len(found) {
		last := page[len(page)-1]
		body["cursor_next"] = s.remember(cursor{at: last.updated, id: last.id})
	}
	return &answer{200, body}
}

func (s *Server) checkEventQuery(c *call) *answer {
	names := []string{"object_type", "object_id", "lead_id", "action", "user_id", "request_id", "_limit", "_cursor"}
	var used []string
	for name := range c.query {
		if slices.Contains(names[:6], name) {
			used = append(used, name)
		}
	}
	for _, op := range spans {
		names = append(names, "date_updated"+op)
	}
	s.known(c, names...)
	sort.Strings(used)
	if set := strings.Join(used, " "); !slices.Contains(allowed, set) {
		s.violate("GET event/: the filters %q are not taken together", set)
		return refuse(400, "This combination of filters is not supported")
	}
	return nil
}

// matching lists the events newest first by date_updated.
func (s *Server) matching(c *call) []*event {
	var found []*event
	for _, e := range s.events {
		values := map[string]string{"object_type": e.kind, "object_id": e.object, "lead_id": e.lead, "action": e.action, "user_id": User, "request_id": e.request}
		ok := true
		for name := range c.query {
			if v, filter := values[name]; filter && v != c.query.Get(name) {
				ok = false
			}
			if strings.HasPrefix(name, "date_updated__") && !within(e.updated, name, c.query.Get(name), s) {
				ok = false
			}
		}
		if ok {
			found = append(found, e)
		}
	}
	slices.SortStableFunc(found, func(a, b *event) int {
		if n := b.updated.Compare(a.updated); n != 0 {
			return n
		}
		return strings.Compare(a.id, b.id)
	})
	return found
}
