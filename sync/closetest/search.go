package closetest

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
)

const (
	searchCap    = 10_000
	searchPage   = 200
	cursorLife   = 30_000_000 // microseconds
	defaultLimit = 100
)

// searchBody is the envelope of POST /data/search/.
type searchBody struct {
	Query        json.RawMessage     `json:"query"`
	Fields       map[string][]string `json:"_fields"`
	Sort         []sortKey           `json:"sort"`
	Limit        *int                `json:"_limit"`
	Cursor       *string             `json:"cursor"`
	ResultsLimit *int                `json:"results_limit"`
	Counts       bool                `json:"include_counts"`
}

type sortKey struct {
	Direction string    `json:"direction"`
	Field     fieldName `json:"field"`
}

// searchEndpoint walks one of the two instants' indexes in the wanted
// direction between the bounds that the query itself gives, and tests the
// rest of the query row by row. Other sorts order all matches first.
func (s *Server) searchEndpoint(req *request) ([]byte, *apiError) {
	var b searchBody
	if err := json.Unmarshal(encode(req.body), &b); err != nil {
		return nil, badRequest("Invalid search: %s.", err)
	}
	q, err := s.compile(req, b.Query)
	if err != nil {
		return nil, err
	}
	limit := defaultLimit
	if b.Limit != nil {
		limit = *b.Limit
	}
	if limit < 0 || limit > searchPage {
		return nil, fieldErrors{"_limit": fmt.Sprintf("Value must be less than or equal to %d.", searchPage)}.err()
	}
	rows, desc, err := s.candidates(q, b.Sort)
	if err != nil {
		return nil, err
	}
	w := &searchWalk{s: s, q: q, rows: rows, desc: desc, cap: searchCap}
	if b.ResultsLimit != nil {
		w.cap = min(w.cap, *b.ResultsLimit)
	}
	if b.Cursor != nil && *b.Cursor != "" {
		if err := w.resume(*b.Cursor); err != nil {
			return nil, err
		}
	}
	return w.answer(limit, b), nil
}

// candidates are the rows within the query's bounds, ascending by the sort's
// field; desc tells to walk them from the end.
func (s *Server) candidates(q *query, sorts []sortKey) (rows []*version, desc bool, err *apiError) {
	x, by := s.search.created[q.kind], "date_created"
	if len(sorts) > 0 {
		desc = sorts[0].Direction == "desc"
		if by = sorts[0].Field.Name; by == "date_updated" {
			x = s.search.updated[q.kind]
		}
		if by == "id" || strings.HasSuffix(by, "_id") || (sorts[0].Field.Object != "" && sorts[0].Field.Object != q.kind) {
			return nil, false, badRequest("Sorting by this field is not supported.")
		}
	}
	lo, hi := q.created.lo, q.created.hi
	if by == "date_updated" {
		lo, hi = q.updated.lo, q.updated.hi
	}
	if by != "date_created" && by != "date_updated" {
		rows = slices.Clone(x.rows)
		key := sorts[0].Field.key()
		slices.SortStableFunc(rows, func(a, b *version) int { return compareRaw(member(s.text(a), key), member(s.text(b), key)) })
		return rows, desc, nil
	}
	from, to := x.from(lo), x.from(hi)
	return x.rows[min(from, to):to], desc, nil
}

// searchWalk is one page of a search.
type searchWalk struct {
	s      *Server
	q      *query
	rows   []*version
	desc   bool
	cap    int // rows the whole chain may still give
	given  int // rows given on earlier pages
	lastID string
	skipTo int // position to go on from
}

func (w *searchWalk) row(i int) *version {
	if w.desc {
		return w.rows[len(w.rows)-1-i]
	}
	return w.rows[i]
}

func (w *searchWalk) answer(limit int, b searchBody) []byte {
	s, out := w.s, []byte(`{"data":[`)
	n, i := 0, w.skipTo
	var scratch []byte
	fields := fieldSetOf(b.Fields[w.q.kind])
	limit = min(limit, w.cap-w.given)
	for ; i < len(w.rows) && n < limit; i++ {
		v := w.row(i)
		if !w.q.match(v) {
			continue
		}
		if n > 0 {
			out = append(out, ',')
		}
		n++
		w.lastID = v.rec.id
		out, scratch = s.appendHit(out, scratch, v, fields)
	}
	w.given += n
	var cursor any
	if n > 0 && w.given < w.cap && w.another(i) {
		cursor = w.cursor(i)
	}
	out = appendMember(append(out, ']'), "cursor", cursor)
	if b.Counts {
		total := w.count()
		out = appendMember(out, "count", map[string]int{"limited": min(total, w.cap), "total": total})
	}
	return append(out, '}')
}

func (w *searchWalk) another(i int) bool {
	for ; i < len(w.rows); i++ {
		if w.q.match(w.row(i)) {
			return true
		}
	}
	return false
}

func (w *searchWalk) count() int {
	if w.q.boundsOnly {
		return len(w.rows)
	}
	return w.s.countRows(w.rows, w.q.match)
}

// cursor names the position and the row it follows, and when it was made.
func (w *searchWalk) cursor(i int) string {
	return base64.RawURLEncoding.EncodeToString(fmt.Appendf(nil, "s %d %d %d %d %s", w.s.epoch, w.s.nowMicros(), i, w.given, w.lastID))
}

func (w *searchWalk) resume(c string) *apiError {
	raw, err := base64.RawURLEncoding.DecodeString(c)
	var epoch int
	var at int64
	n, _ := fmt.Sscanf(string(raw), "s %d %d %d %d %s", &epoch, &at, &w.skipTo, &w.given, &w.lastID)
	if err != nil || n != 5 || epoch != w.s.epoch {
		return badRequest("Invalid cursor.")
	}
	if !w.s.opt.RelaxCursors && w.s.nowMicros()-at > cursorLife {
		return badRequest("The cursor has expired. Please start a new search.")
	}
	// Rows may have come or gone since: go on after the row last given.
	for i := min(w.skipTo, len(w.rows)) - 1; i >= 0 && i >= w.skipTo-1000; i-- {
		if w.row(i).rec.id == w.lastID {
			w.skipTo = i + 1
			break
		}
	}
	return nil
}

// SaveSearch keeps a query (Close's JSON) as a Smart View and returns its id,
// for saved_search nodes and the list of opportunities.
func (s *Server) SaveSearch(query any) string {
	s.lock()
	defer s.mu.Unlock()
	id := s.longID("save")
	s.saved[id] = encode(query)
	return id
}

// appendHit appends one row: its type, its id and the fields asked for.
func (s *Server) appendHit(out, scratch []byte, v *version, w *fieldSet) ([]byte, []byte) {
	out = put(out, `{"__object_type":"`, v.rec.kind, `","id":"`, v.rec.id, `"`)
	if len(w.names) == 0 {
		return append(out, '}'), scratch
	}
	scratch = s.appendText(scratch[:0], v)
	eachMember(scratch, func(k, val []byte) bool {
		if string(k) != "id" && w.has(k) {
			out = appendRaw(out, k, val)
		}
		return true
	})
	if v.rec.kind == kindLead {
		for _, kind := range []string{kindContact, kindOpportunity, kindTask} {
			name := plural[kind]
			if w.names[name] {
				out = s.appendChildren(put(out, `,"`, name, `":`), v.rec, kind)
			}
		}
		if w.names["contact_ids"] {
			out = appendMember(out, "contact_ids", v.rec.contactIDs())
		}
	}
	return append(out, '}'), scratch
}
