package closetest

// Object types the store keeps.
const (
	kindLead        = "lead"
	kindContact     = "contact"
	kindOpportunity = "opportunity"
	kindTask        = "task"
)

var kinds = []string{kindLead, kindContact, kindOpportunity, kindTask}

// version is one state of a record. It never changes once stored, so answers
// may be written from it without copying. A seeded version holds no text: it
// is printed again from the seed whenever asked for (seed.go).
type version struct {
	rec              *record
	raw              []byte
	created, updated int64
}

// record is one object and its place: contacts, opportunities and tasks have
// a lead, a lead has children in order of creation.
type record struct {
	id, kind string
	lead     *record
	children []*record
	live     *version // nil once deleted
	indexed  *version // what search sees
	before   *version // the state before the last write, for stale reads
	seed     int32    // 1 + position among seeded leads; 0 when not seeded
	child    int16    // position among the seeded lead's children
	hidden   bool
}

// pendingIndex is a write on its way to the search index.
type pendingIndex struct {
	due  int64
	rec  *record
	next *version // nil for a delete
}

// store puts v as the record's live version and sends it to the index.
func (s *Server) store(r *record, v *version) {
	if r.live != nil {
		s.live.remove(r.live)
		if v == nil || v.updated != r.live.updated {
			r.before = r.live
		}
	}
	r.live = v
	if v != nil {
		s.live.put(v)
		s.records[r.id] = r
	} else {
		delete(s.records, r.id)
	}
	if s.opt.IndexLag == 0 && len(s.toIndex) == 0 {
		s.applyIndex(pendingIndex{rec: r, next: v})
		return
	}
	s.toIndex = append(s.toIndex, pendingIndex{s.nowMicros() + s.opt.IndexLag.Microseconds(), r, v})
}

func (s *Server) applyIndex(p pendingIndex) {
	if p.rec.indexed != nil {
		s.search.remove(p.rec.indexed)
	}
	p.rec.indexed = p.next
	if p.next != nil {
		s.search.put(p.next)
	}
}

// catchUpIndex applies what is due at now.
func (s *Server) catchUpIndex(now int64) {
	n := 0
	for n < len(s.toIndex) && s.toIndex[n].due <= now {
		s.applyIndex(s.toIndex[n])
		n++
	}
	s.toIndex = append(s.toIndex[:0], s.toIndex[n:]...)
}

func (s *Server) find(kind, id string) *record {
	if r := s.records[id]; r != nil && r.kind == kind {
		return r
	}
	return nil
}

func (r *record) adopt(child *record) {
	child.lead = r
	r.children = append(r.children, child)
}

func (r *record) release(child *record) {
	for i, c := range r.children {
		if c == child {
			r.children = append(r.children[:i:i], r.children[i+1:]...)
			return
		}
	}
}

// leadRecord is the lead a record belongs to; a lead belongs to itself.
func (r *record) leadRecord() *record {
	if r.kind == kindLead {
		return r
	}
	return r.lead
}

// text is the record's own JSON, without nested objects.
func (s *Server) text(v *version) []byte {
	if v.raw != nil {
		return v.raw
	}
	return s.appendSeeded(nil, v)
}

// appendText appends text(v); for a seeded version it allocates nothing.
func (s *Server) appendText(dst []byte, v *version) []byte {
	if v.raw != nil {
		return append(dst, v.raw...)
	}
	return s.appendSeeded(dst, v)
}
