package remote

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"strings"
	"time"

	"closesync/mapping"
	"closesync/sync/closeapi"
	"closesync/sync/engine"
)

const (
	largePage = 200 // not documented; in wide use
	smallPage = 100 // Close's own default
)

// Search gives one page of records in ascending order of field. To go on, call
// it again with From at the last value seen and the ids seen there in skip:
// unlike a cursor that outlives any pause. Only if a whole page shares one
// timestamp, where re-anchoring would stand still, are more pages read within
// this call. Leads carry their children if nested. It waits behind interactive
// calls at the gate.
func (r *Remote) Search(ctx context.Context, objectType, field string, w engine.Window, nested bool, skip map[string]bool) (engine.Page, error) {
	o, err := r.object(objectType)
	if err != nil {
		return engine.Page{}, err
	}
	ctx = closeapi.WithPriority(ctx, closeapi.Background)
	s := search{Remote: r, o: o, field: field, window: w, nested: r.nested(objectType, nested), skip: skip}
	s.list = s.hits
	if s.byList() {
		s.list = s.opportunities
	}
	if err := s.run(ctx); err != nil {
		return engine.Page{}, callError(err)
	}
	return s.page, nil
}

// nested are the objects that a lead's row carries.
func (r *Remote) nested(objectType string, wanted bool) map[string]*mapping.Object {
	if !wanted || objectType != "lead" {
		return nil
	}
	objects := map[string]*mapping.Object{}
	for t, o := range r.opt.Objects {
		if o != nil && o.Nested != "" {
			objects[t] = o
		}
	}
	return objects
}

// place is where a list of Close goes on.
type place struct {
	cursor string
	skip   int
}

// rows is what one request of a list answered. More says that next leads on.
// The limit asked for says nothing: Close may give less (fault A26).
type rows struct {
	data []closeapi.RawMessage
	bad  []closeapi.Rejected
	next place
	more bool
	all  int // rows of the whole list; 0 if it does not say
}

// search is one call of Search.
type search struct {
	*Remote
	o      *mapping.Object
	field  string
	window engine.Window
	nested map[string]*mapping.Object
	skip   map[string]bool
	list   func(ctx context.Context, at place, limit int) (rows, error)
	page   engine.Page
	// unordered: the order asked for is not kept, so that there is no date from
	// which to go on, and the list has to be read to its end.
	unordered bool
}

// byList reports whether the records come from their list: that of
// opportunities reads by change time and is documented. Searching them is not,
// so only a filter makes us do it.
func (s *search) byList() bool { return s.o.Listed && s.o.Filter == nil }

func (s *search) run(ctx context.Context) error {
	var at place
	var first time.Time
	read := 0
	for {
		got, limit, err := s.request(ctx, at)
		if at != (place{}) && (errors.Is(err, closeapi.ErrCursorExpired) || errors.Is(err, closeapi.ErrSkipTooLarge)) {
			at, first, read, err = place{}, time.Time{}, 0, s.split(ctx, first)
			if err != nil {
				return err
			}
			continue
		}
		if err != nil {
			return err
		}
		from, to := s.take(got)
		if at == (place{}) {
			first = from
			s.page.Total = got.all
		}
		n := len(got.data) + len(got.bad)
		read += n
		// With no readable date in a whole page both are zero, and the caller
		// could not re-anchor: reading on is right as well.
		s.page.Full = n > 0 && (got.more || n >= limit)
		switch {
		case !s.page.Full:
			return nil
		case s.unordered && got.more:
			at = got.next
		case s.unordered:
			s.page.Full = false
			return nil
		case !to.Equal(first):
			return nil
		case got.more:
			at = got.next
		case read < closeapi.SearchChainLimit:
			// The list ends with this moment.
			s.page.Full = false
			return nil
		default:
			at, first, read, err = place{}, time.Time{}, 0, s.split(ctx, first)
			if err != nil {
				return err
			}
		}
	}
}

// take decodes rows and tells the first and last of their dates.
func (s *search) take(got rows) (from, to time.Time) {
	falls := 0
	for _, bad := range got.bad {
		s.page.Bad = append(s.page.Bad, bad.Err)
	}
	for _, raw := range got.data {
		rec, err := decode(s.o, raw, s.nested)
		if err != nil {
			s.page.Bad = append(s.page.Bad, err)
			continue
		}
		at := rec.Version
		if s.field == "date_created" {
			at = rec.Created
		}
		if from.IsZero() {
			from = at
		}
		if at.Before(to) {
			falls++
		}
		to = at
		if !s.skip[rec.ID] {
			s.page.Records = append(s.page.Records, rec)
			s.page.Bytes += len(raw)
		}
	}
	// A few are edits that the index has not seen yet, in their place by the
	// old date.
	s.unordered = s.unordered || 4*falls > len(got.data)
	return from, to
}

// request asks for one page, smaller ones from the first refusal on.
func (s *search) request(ctx context.Context, at place) (rows, int, error) {
	limit := largePage
	if s.smallPage.Load() {
		limit = smallPage
	}
	if s.window.Most > 0 {
		limit = min(limit, s.window.Most)
	}
	got, err := s.count(ctx, at, limit)
	if limit > smallPage && at == (place{}) && aboutLimit(err) {
		s.smallPage.Store(true)
		limit = smallPage
		got, err = s.count(ctx, at, limit)
	}
	return got, limit, err
}

func (s *search) count(ctx context.Context, at place, limit int) (rows, error) {
	s.calls.Add(1)
	s.page.Requests++
	return s.list(ctx, at, limit)
}

// aboutLimit reports whether Close found the page too large.
func aboutLimit(err error) bool {
	e, ok := errors.AsType[*closeapi.Error](err)
	return ok && e.Status == http.StatusBadRequest && strings.Contains(strings.ToLower(e.Body), "limit")
}

// hits is one page of Advanced Filtering.
func (s *search) hits(ctx context.Context, at place, limit int) (rows, error) {
	field := closeapi.RegularField(s.o.Type, s.field)
	page, err := s.client.Search(ctx, closeapi.SearchRequest{
		Query: s.query(field), Sort: []closeapi.Sort{{Direction: closeapi.Ascending, Field: field}},
		Fields: map[string][]string{s.o.Type: s.fields()}, Limit: limit, Cursor: at.cursor, IncludeCounts: s.window.Counted,
	})
	if err != nil {
		return rows{}, err
	}
	got := rows{data: page.Data, bad: page.Rejected, next: place{cursor: page.Cursor}, more: page.Cursor != ""}
	if page.Count != nil {
		got.all = page.Count.Total
	}
	return got, nil
}

func (s *search) query(field closeapi.Field) closeapi.Node {
	nodes := []closeapi.Node{closeapi.ObjectType(s.o.Type)}
	var from, to closeapi.Moment
	if !s.window.From.IsZero() {
		from = closeapi.At(s.window.From)
	}
	if !s.window.To.IsZero() {
		to = closeapi.At(s.window.To)
	}
	if from != nil || to != nil {
		nodes = append(nodes, closeapi.Where(field, closeapi.InMoments(from, to)))
	}
	if s.o.Filter != nil {
		nodes = append(nodes, closeapi.RawNode(s.o.Filter))
	}
	return closeapi.And(nodes...)
}

func (s *search) fields() []string {
	fields := recordFields(s.o)
	for _, child := range s.nested {
		fields = append(fields, child.Nested)
	}
	slices.Sort(fields)
	return fields
}

// opportunities is one page of their list.
func (s *search) opportunities(ctx context.Context, at place, limit int) (rows, error) {
	o := closeapi.OpportunityListOptions{OrderBy: s.field}
	o.Limit, o.Skip = limit, at.skip
	*s.span(&o) = closeapi.Span{From: s.window.From, Before: s.window.To}
	page, err := s.client.ListOpportunities(ctx, o)
	if err != nil {
		return rows{}, err
	}
	n := len(page.Data) + len(page.Rejected)
	got := rows{data: page.Data, bad: page.Rejected, next: place{skip: at.skip + n}, more: page.HasMore}
	if page.TotalResults != nil {
		got.all = *page.TotalResults
	}
	return got, nil
}

// span is the filter on the date that orders this search.
func (s *search) span(o *closeapi.OpportunityListOptions) *closeapi.Span {
	if s.field == "date_created" {
		return &o.Created
	}
	return &o.Updated
}
