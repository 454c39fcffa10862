package closeapi

import (
	"context"
	"iter"
	"slices"
	"time"
)

// SearchWalk reads all hits of a search in the order of a date field.
type SearchWalk struct {
	ObjectType string // "lead" or "contact"; added to the query
	Query      Node   // further conditions; nil for none
	Field      string // "date_updated" (incremental) or "date_created" (first load)
	From       time.Time
	Fields     []string // id and Field are added
	Limit      int      // page size; zero means 100
}

// SearchBatches walks page by page. It outlives the 30 seconds of a cursor
// and the 10,000 hits of a chain: take as long as needed over each batch.
// The index lags, so begin some minutes (15 are usual) before the last end.
// Source: developer.close.com/api/resources/advanced-filtering.
func (c *Client) SearchBatches(ctx context.Context, w SearchWalk) iter.Seq2[Batch, error] {
	return c.searchKeyset(w, true).batches(ctx)
}

// SearchRecords is [Client.SearchBatches] record by record.
// Source: developer.close.com/api/resources/advanced-filtering.
func (c *Client) SearchRecords(ctx context.Context, w SearchWalk) iter.Seq2[Record, error] {
	return records(c.SearchBatches(ctx, w))
}

func (c *Client) searchKeyset(w SearchWalk, maySplit bool) *keyset {
	if w.Limit == 0 {
		w.Limit = 100
	}
	if w.Field == "" {
		w.Field = "date_updated"
	}
	k := &keyset{field: w.Field, from: w.From, cap: SearchChainLimit}
	k.fetch = func(ctx context.Context, from time.Time, place string) ([]RawMessage, []Rejected, string, error) {
		p, err := c.Search(ctx, w.request(from, place))
		if err != nil {
			return nil, nil, "", err
		}
		return p.Data, p.Rejected, p.Cursor, nil
	}
	if maySplit {
		k.split = func(ctx context.Context, at time.Time) iter.Seq2[Batch, error] {
			inner := w
			inner.Query = w.at(at)
			inner.Field, inner.From = other(w.Field), time.Time{}
			return c.searchKeyset(inner, false).batches(ctx)
		}
	}
	return k
}

func (w SearchWalk) request(from time.Time, cursor string) SearchRequest {
	field := RegularField(w.ObjectType, w.Field)
	nodes := []Node{ObjectType(w.ObjectType)}
	if w.Query != nil {
		nodes = append(nodes, w.Query)
	}
	if !from.IsZero() {
		nodes = append(nodes, Where(field, Since(from)))
	}
	fields := map[string][]string{w.ObjectType: withFields(w.Fields, "id", w.Field)}
	return SearchRequest{
		Query: And(nodes...), Fields: fields, Sort: []Sort{{Ascending, field}},
		Limit: w.Limit, Cursor: cursor,
	}
}

// at restricts the walk to one instant of its field.
func (w SearchWalk) at(t time.Time) Node {
	n := Where(RegularField(w.ObjectType, w.Field), InMoments(At(t), At(t.Add(resolution))))
	if w.Query == nil {
		return n
	}
	return And(w.Query, n)
}

func withFields(fields []string, need ...string) []string {
	all := slices.Clone(fields)
	for _, name := range need {
		if !slices.Contains(all, name) {
			all = append(all, name)
		}
	}
	return all
}
