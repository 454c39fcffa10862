package closetest

import (
	"bytes"
	"slices"
	"strings"
)

// objectRules is what differs between object types when they are written.
type objectRules struct {
	// defaults fills a new record's fields.
	defaults func(s *Server, c *call, r *record, f map[string]any)
	// set applies one member of a body; it returns nil or what is wrong.
	// known is false for members that Close ignores.
	set func(s *Server, c *call, r *record, f map[string]any, key string, v any) (wrong any, known bool)
	// derive computes the read-only fields.
	derive func(s *Server, r *record, f map[string]any)
}

func rulesFor(kind string) objectRules {
	switch kind {
	case kindLead:
		return objectRules{leadDefaults, setLead, deriveLead}
	case kindContact:
		return objectRules{contactDefaults, setContact, deriveContact}
	case kindOpportunity:
		return objectRules{opportunityDefaults, setOpportunity, deriveOpportunity}
	}
	return objectRules{taskDefaults, setTask, deriveTask}
}

// prefixes of the ids, by object type.
var prefixes = map[string]string{kindLead: "lead", kindContact: "cont", kindOpportunity: "oppo", kindTask: "task"}

// applyBody sets every member of body, in a fixed order so that what depends
// on another (status on pipeline) comes out the same each time.
func (s *Server) applyBody(c *call, r *record, f, body map[string]any) fieldErrors {
	errs := fieldErrors{}
	keys := make([]string, 0, len(body))
	for k := range body {
		keys = append(keys, k)
	}
	slices.SortFunc(keys, func(a, b string) int {
		if d := applyRank(a) - applyRank(b); d != 0 {
			return d
		}
		return strings.Compare(a, b)
	})
	for _, k := range keys {
		if strings.HasPrefix(k, customPrefix) {
			if msg := s.setCustom(c, r, f, k, body[k]); msg != "" {
				errs[k] = msg
			}
			continue
		}
		if wrong, _ := rulesFor(r.kind).set(s, c, r, f, k, body[k]); wrong != nil && wrong != "" {
			errs[k] = wrong
		}
	}
	return errs
}

// applyRank puts the effects of a status first, so that an explicit
// confidence or date_won in the same body wins, and the rich note last.
func applyRank(key string) int {
	switch key {
	case "pipeline_id":
		return 0
	case "status_id", "status":
		return 1
	case "note_html":
		return 3
	}
	return 2
}

// createRecord makes a record below lead (nil for leads) and its event.
func (s *Server) createRecord(c *call, kind string, lead *record, body map[string]any) (*record, *apiError) {
	now := s.stamp()
	r := &record{id: s.longID(prefixes[kind]), kind: kind, lead: lead}
	f := map[string]any{"id": r.id, "organization_id": s.cat.orgID, "created_by": c.actor.UserID, "updated_by": c.actor.UserID}
	v := &version{rec: r, created: now, updated: now}
	if t, ok := body["date_created"].(string); ok {
		if us, ok := parseInstant(t); ok {
			v.created = us
		}
	}
	if u, ok := body["created_by"].(string); ok && s.cat.user(u) != nil {
		f["created_by"] = u
	}
	rulesFor(kind).defaults(s, c, r, f)
	if err := s.applyBody(c, r, f, body).err(); err != nil {
		return nil, err
	}
	if lead != nil {
		lead.adopt(r)
	}
	s.save(v, f)
	if !s.opt.NoHistory {
		s.history.born = append(s.history.born, Born{r.id, kind, c.actor, body})
	}
	s.emit(c, r, "created", nil, map[string]any{}, nil)
	return r, nil
}

// save derives, prints and stores v from f.
func (s *Server) save(v *version, f map[string]any) {
	f["date_created"], f["date_updated"] = zoned(v.created), zoned(v.updated)
	rulesFor(v.rec.kind).derive(s, v.rec, f)
	v.raw = encodeFields(v.rec.kind, f)
	s.store(v.rec, v)
}

// updateRecord applies body as a patch. A body that changes nothing leaves
// date_updated alone and makes no event, unless Options.NoopTouches.
func (s *Server) updateRecord(c *call, r *record, body map[string]any) *apiError {
	old := s.fields(r.live)
	f := s.fields(r.live)
	if err := s.applyBody(c, r, f, body).err(); err != nil {
		return err
	}
	rulesFor(r.kind).derive(s, r, f)
	if len(changedKeys(old, f)) == 0 && !s.opt.NoopTouches {
		return nil
	}
	f["updated_by"] = c.actor.UserID
	s.save(&version{rec: r, created: r.live.created, updated: s.stamp()}, f)
	s.emitUpdate(c, r, old, f)
	s.afterUpdate(c, r, old, f)
	return nil
}

// changedKeys are the members that differ, sorted.
func changedKeys(old, new map[string]any) []string {
	var keys []string
	for k, v := range new {
		if was, had := old[k]; !had || !bytes.Equal(encode(was), encode(v)) {
			keys = append(keys, k)
		}
	}
	for k := range old {
		if _, has := new[k]; !has {
			keys = append(keys, k)
		}
	}
	slices.Sort(keys)
	return keys
}

func (s *Server) emitUpdate(c *call, r *record, old, new map[string]any) {
	changed := changedKeys(old, new)
	prev := map[string]any{}
	for _, k := range changed {
		prev[k] = old[k]
	}
	s.emit(c, r, "updated", changed, prev, nil)
}

// afterUpdate carries names over to the records that repeat them and moves
// the lead's date_updated for an edit of one of its contacts.
func (s *Server) afterUpdate(c *call, r *record, old, new map[string]any) {
	switch r.kind {
	case kindLead:
		if old["display_name"] != new["display_name"] {
			s.rederiveChildren(r)
		}
		if s.opt.StatusActivities && old["status_id"] != new["status_id"] {
			s.emitStatusChange(c, r, old, new)
		}
	case kindContact:
		s.touchLead(r.lead)
		if old["display_name"] != new["display_name"] {
			s.rederiveChildren(r.lead)
		}
	case kindOpportunity:
		if s.opt.StatusActivities && old["status_id"] != new["status_id"] {
			s.emitStatusChange(c, r, old, new)
		}
	case kindTask:
		s.touchLead(r.lead)
	}
}

// touchLead moves a lead's date_updated without an event: "those may move
// lead.date_updated" though nothing of the lead's own changed.
func (s *Server) touchLead(lead *record) {
	if lead == nil || lead.live == nil {
		return
	}
	s.save(&version{rec: lead, created: lead.live.created, updated: s.stamp()}, s.fields(lead.live))
}

// rederiveChildren prints a lead's opportunities and tasks again after a name
// they repeat changed. Their date_updated stays.
func (s *Server) rederiveChildren(lead *record) {
	for _, ch := range lead.children {
		if ch.live != nil && ch.kind != kindContact {
			s.rederive(ch)
		}
	}
}

func (s *Server) rederive(r *record) {
	s.save(&version{rec: r, created: r.live.created, updated: r.live.updated}, s.fields(r.live))
}

// contactIDsChanged is the lead's own update when a contact came or went.
func (s *Server) contactIDsChanged(c *call, lead *record, before []string) {
	if lead == nil || lead.live == nil {
		return
	}
	was := lead.live.updated
	s.touchLead(lead)
	s.emit(c, lead, "updated", []string{"contact_ids", "date_updated"},
		map[string]any{"contact_ids": before, "date_updated": zoned(was)}, nil)
}

// deleteRecord removes r, then a lead's children, each with its event.
func (s *Server) deleteRecord(c *call, r *record) {
	lead := r.lead
	s.fixFamily(r.leadRecord())
	var before []string
	if r.kind == kindContact {
		before = lead.contactIDs()
	}
	s.removeOne(c, r, s.eventText(r.live))
	for _, ch := range slices.Clone(r.children) {
		s.removeOne(c, ch, s.eventText(ch.live))
	}
	switch r.kind {
	case kindContact:
		s.contactIDsChanged(c, lead, before)
		s.forgetContact(c, lead, r.id)
	case kindTask:
		s.touchLead(lead)
	}
}

// removeOne takes last as the text its event shows, which for a merged lead
// is from before its children left.
func (s *Server) removeOne(c *call, r *record, last []byte) {
	s.store(r, nil)
	s.emit(c, r, "deleted", nil, nil, last)
	if r.lead != nil {
		r.lead.release(r)
	}
}

// forgetContact empties contact_id of the lead's opportunities and tasks.
func (s *Server) forgetContact(c *call, lead *record, contactID string) {
	for _, ch := range lead.children {
		if ch.live == nil || ch.kind == kindContact || unquoted(member(s.text(ch.live), "contact_id")) != contactID {
			continue
		}
		old, f := s.fields(ch.live), s.fields(ch.live)
		f["contact_id"] = nil
		s.save(&version{rec: ch, created: ch.live.created, updated: s.stamp()}, f)
		s.emitUpdate(c, ch, old, f)
	}
}
