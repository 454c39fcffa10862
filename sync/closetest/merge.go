package closetest

import "slices"

// leadMerge is one merge, as its read-only activity shows it.
type leadMerge struct {
	id, source, destination, userID string
	done                            bool
	created, updated                int64
}

func (s *Server) mergeEndpoint(req *request) ([]byte, *apiError) {
	if req.key.role == RoleRestricted {
		return nil, sentence(403, "You do not have permission to merge leads.")
	}
	src, _ := req.body["source"].(string)
	dst, _ := req.body["destination"].(string)
	if err := s.merge(&req.call, src, dst); err != nil {
		return nil, err
	}
	return []byte("{}"), nil
}

// merge starts a merge; its effect comes Options.MergeDelay later: contacts,
// opportunities and tasks keep their ids under the destination, the source is
// deleted last.
func (s *Server) merge(c *call, src, dst string) *apiError {
	f := fieldErrors{}
	if s.find(kindLead, src) == nil {
		f["source"] = "Lead does not exist."
	}
	if s.find(kindLead, dst) == nil || src == dst {
		f["destination"] = "Lead does not exist."
	}
	if err := f.err(); err != nil {
		return err
	}
	now := s.stamp()
	m := &leadMerge{id: s.longID("acti"), source: src, destination: dst, userID: c.actor.UserID, created: now, updated: now}
	s.merges = append(s.merges, m)
	by := *c
	by.meta = map[string]any{"merge_source_lead_id": src, "merge_destination_lead_id": dst}
	// Close's list of event types calls the activity "lead_merge", though other
	// activities have a prefix.
	s.emitThing(&by, "lead_merge", m.id, "created", s.mergeShape(m), map[string]any{})
	s.after(s.opt.MergeDelay, func() { s.finishMerge(&by, m) })
	return nil
}

func (s *Server) finishMerge(c *call, m *leadMerge) {
	m.done, m.updated = true, s.stamp()
	src, dst := s.find(kindLead, m.source), s.find(kindLead, m.destination)
	if src == nil || dst == nil {
		return
	}
	s.fixFamily(src)
	last, before := s.eventText(src.live), dst.contactIDs()
	for _, ch := range slices.Clone(src.children) {
		s.reparent(c, ch, dst)
	}
	if len(before) != len(dst.contactIDs()) {
		s.contactIDsChanged(c, dst, before)
	} else {
		s.touchLead(dst)
	}
	s.emit(c, dst, "merged", nil, nil, nil)
	s.removeOne(c, src, last)
	s.emitThing(c, "lead_merge", m.id, "updated", s.mergeShape(m), map[string]any{"merge_status": "in_progress"})
}

func (s *Server) mergeShape(m *leadMerge) map[string]any {
	status := "in_progress"
	if m.done {
		status = "done"
	}
	return map[string]any{"_type": "LeadMerge", "id": m.id, "organization_id": s.cat.orgID,
		"lead_id": m.destination, "source_lead_id": m.source, "destination_lead_id": m.destination,
		"merge_status": status, "user_id": m.userID, "created_by": m.userID, "updated_by": m.userID,
		"date_created": zoned(m.created), "date_updated": zoned(m.updated)}
}

// leadMergeList is GET /activity/lead_merge/.
func (s *Server) leadMergeList(req *request) ([]byte, *apiError) {
	lo, hi := s.rangeOf(req.query, "date_created")
	rows := []any{}
	for _, m := range slices.Backward(s.merges) {
		if m.created < lo || m.created >= hi {
			continue
		}
		rows = append(rows, s.mergeShape(m))
	}
	return encode(map[string]any{"data": rows, "has_more": false}), nil
}
