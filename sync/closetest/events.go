package closetest

import (
	"maps"
	"slices"
	"sort"
	"time"
)

// eventLife is how long the log keeps events.
const eventLife = 30 * 24 * time.Hour

type event struct {
	id, objectType, objectID, leadID, action string
	userID, requestID, apiKeyID              string
	changed                                  []string
	data                                     []byte // nil on delete
	prevData                                 any    // map, raw bytes of a deleted object, or nil
	meta                                     map[string]any
	created, updated, seq                    int64
	visible                                  int64   // instant from which the log shows it
	lead                                     *record // whose visibility counts
}

// emit writes one event; last is the text of a deleted object. An update soon
// after another of the same object joins its event.
func (s *Server) emit(c *call, r *record, action string, changed []string, prev map[string]any, last []byte) {
	s.note(c, r, action, changed, prev, last)
	now := s.nowMicros()
	if action == "updated" && s.consolidate(c, r, changed, prev, now) {
		return
	}
	e := &event{
		objectType: r.kind, objectID: r.id, action: action, changed: changed, lead: r.leadRecord(),
		created: now, updated: now,
	}
	if r.kind == kindTask {
		e.objectType = "task.lead"
		if action == "updated" && slices.Contains(changed, "is_complete") && string(member(s.text(r.live), "is_complete")) == "true" {
			e.action = "completed"
		}
	}
	if e.lead != nil {
		e.leadID = e.lead.id
	}
	if r.live != nil {
		e.data = s.eventText(r.live)
	}
	if prev != nil {
		e.prevData = prev
	}
	if last != nil {
		e.prevData = rawText(last)
	}
	s.addEvent(c, e)
}

// rawText is encoded JSON inside a value to be encoded.
type rawText []byte

func (r rawText) MarshalJSON() ([]byte, error) { return r, nil }

func (s *Server) addEvent(c *call, e *event) {
	e.id = s.shortID("ev")
	e.userID, e.apiKeyID, e.requestID = c.actor.UserID, c.actor.APIKeyID, c.requestID
	e.meta = metaOf(c, nil)
	s.eventSeq++
	e.seq = s.eventSeq
	s.appear(e)
	s.insertEvent(e)
	s.eventByID[e.id] = e
	s.lastEvent[e.objectID] = e
	s.trimLog(e.created)
	s.hooks.enqueue(s, e)
}

// metaOf is the meta of an event; of one that is folded into before, what was
// known before stays: every event of a merge names both leads.
func metaOf(c *call, before map[string]any) map[string]any {
	meta := map[string]any{}
	maps.Copy(meta, before)
	if c.method != "" {
		meta["request_method"], meta["request_path"] = c.method, c.path
	}
	maps.Copy(meta, c.meta)
	return meta
}

// consolidate folds an update into the object's newest event: id and
// date_created stay, previous_data is the state before the first of them, the
// actor is the last writer.
func (s *Server) consolidate(c *call, r *record, changed []string, prev map[string]any, now int64) bool {
	e := s.lastEvent[r.id]
	if e == nil || e.action != "updated" || s.opt.Consolidation <= 0 || now-e.created >= s.opt.Consolidation.Microseconds() {
		return false
	}
	before := maps.Clone(prev)
	if first, ok := e.prevData.(map[string]any); ok {
		maps.Copy(before, first)
	}
	all := append(slices.Clone(e.changed), changed...)
	slices.Sort(all)
	s.dropFromLog(e)
	e.changed, e.prevData, e.data = slices.Compact(all), before, s.eventText(r.live)
	e.userID, e.apiKeyID, e.requestID = c.actor.UserID, c.actor.APIKeyID, c.requestID
	e.meta = metaOf(c, e.meta)
	e.updated = now
	s.eventSeq++
	e.seq = s.eventSeq
	s.appear(e)
	s.insertEvent(e)
	return true
}

// appear draws when the log shows an event.
func (s *Server) appear(e *event) {
	e.visible = e.updated
	if lag := s.opt.EventLag.Microseconds(); lag > 0 {
		e.visible += s.hooks.rng.Int64N(lag)
	}
}

// emitThing writes the event of something that is no record: a status, a
// membership, a custom field, a bulk action. data is nil after a delete.
func (s *Server) emitThing(c *call, objectType, id, action string, data, prev map[string]any) {
	e := &event{objectType: objectType, objectID: id, action: action, prevData: prev, created: s.nowMicros(), updated: s.nowMicros()}
	if data != nil {
		e.data = encode(data)
	}
	s.addEvent(c, e)
}

// refreshEvent gives a lead's created event the contact_ids of contacts made
// by the same request.
func (s *Server) refreshEvent(r *record) {
	if e := s.lastEvent[r.id]; e != nil && e.action == "created" {
		e.data = s.eventText(r.live)
	}
}

func (s *Server) eventPlace(updated, seq int64) int {
	return sort.Search(len(s.log), func(i int) bool {
		e := s.log[i]
		return e.updated > updated || (e.updated == updated && e.seq >= seq)
	})
}

func (s *Server) insertEvent(e *event) {
	if n := len(s.log); n == 0 || s.log[n-1].updated <= e.updated {
		s.log = append(s.log, e)
		return
	}
	s.log = slices.Insert(s.log, s.eventPlace(e.updated, e.seq), e)
}

func (s *Server) dropFromLog(e *event) {
	if i := s.eventPlace(e.updated, e.seq); i < len(s.log) && s.log[i] == e {
		s.log = slices.Delete(s.log, i, i+1)
	}
}

// trimLog forgets what is over 30 days old.
func (s *Server) trimLog(now int64) {
	n := 0
	for n < len(s.log) && now-s.log[n].updated > eventLife.Microseconds() {
		e := s.log[n]
		delete(s.eventByID, e.id)
		if s.lastEvent[e.objectID] == e {
			delete(s.lastEvent, e.objectID)
		}
		n++
	}
	s.log = s.log[n:]
}

// encodeEvent prints an event; redacted leaves out data and previous_data.
func (s *Server) encodeEvent(dst []byte, e *event, redacted bool) []byte {
	dst = append(dst, '{')
	changed := e.changed
	if changed == nil {
		changed = []string{}
	}
	for _, m := range []struct {
		key string
		val any
	}{
		{"id", e.id}, {"organization_id", s.cat.orgID}, {"user_id", orNull(e.userID)}, {"request_id", e.requestID},
		{"api_key_id", orNull(e.apiKeyID)}, {"oauth_client_id", nil}, {"oauth_scope", nil},
		{"object_type", e.objectType}, {"object_id", e.objectID}, {"lead_id", orNull(e.leadID)},
		{"action", e.action}, {"changed_fields", changed}, {"meta", e.meta},
	} {
		dst = appendMember(dst, m.key, m.val)
	}
	if !redacted {
		data := e.data
		if data == nil {
			data = []byte("null")
		}
		dst = append(append(dst, `,"data":`...), data...)
		dst = append(dst, `,"previous_data":`...)
		if raw, ok := e.prevData.(rawText); ok {
			dst = append(dst, raw...)
		} else {
			dst = append(dst, encode(e.prevData)...)
		}
	}
	dst = appendMember(dst, "date_created", zoneless(e.created))
	return append(appendMember(dst, "date_updated", zoneless(e.updated)), '}')
}

func orNull(s string) any {
	if s == "" {
		return nil
	}
	return s
}

// emitStatusChange is the activity Close logs beside a change of status.
func (s *Server) emitStatusChange(c *call, r *record, old, new map[string]any) {
	data := map[string]any{"id": s.longID("acti"), "lead_id": r.leadRecord().id, "organization_id": s.cat.orgID,
		"old_status_id": old["status_id"], "new_status_id": new["status_id"],
		"old_status_label": old["status_label"], "new_status_label": new["status_label"]}
	s.addEvent(c, &event{objectType: "activity." + r.kind + "_status_change", objectID: data["id"].(string),
		leadID: r.leadRecord().id, lead: r.leadRecord(), action: "created", data: encode(data),
		prevData: map[string]any{}, created: s.nowMicros(), updated: s.nowMicros()})
}
