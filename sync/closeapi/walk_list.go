package closeapi

import (
	"context"
	"iter"
	"strconv"
	"time"
)

// OpportunityWalk reads all opportunities in the order of a date field. The
// list reads by change time, which no other list can.
type OpportunityWalk struct {
	Field   string // "date_updated" (default) or "date_created"
	From    time.Time
	Options OpportunityListOptions // further filters; paging and order are set by the walk
	Limit   int                    // page size; zero means 200
}

// OpportunityBatches walks page by page. Begin some minutes before the last
// end: whether the list reads an index that lags is unknown.
// Source: developer.close.com/api/resources/opportunities/list.
func (c *Client) OpportunityBatches(ctx context.Context, w OpportunityWalk) iter.Seq2[Batch, error] {
	return c.opportunityKeyset(w, true).batches(ctx)
}

// OpportunityRecords is [Client.OpportunityBatches] record by record.
// Source: developer.close.com/api/resources/opportunities/list.
func (c *Client) OpportunityRecords(ctx context.Context, w OpportunityWalk) iter.Seq2[Record, error] {
	return records(c.OpportunityBatches(ctx, w))
}

func (c *Client) opportunityKeyset(w OpportunityWalk, maySplit bool) *keyset {
	if w.Field == "" {
		w.Field = "date_updated"
	}
	o := w.Options
	o.OrderBy, o.Limit = w.Field, w.Limit
	if o.Limit == 0 {
		o.Limit = 200
	}
	if len(o.Fields) > 0 {
		o.Fields = withFields(o.Fields, "id", w.Field)
	}
	k := &keyset{field: w.Field, from: w.From}
	k.fetch = func(ctx context.Context, from time.Time, place string) ([]RawMessage, []Rejected, string, error) {
		o := o
		span(&o, w.Field).From = later(span(&o, w.Field).From, from)
		o.Skip, _ = strconv.Atoi(place)
		p, err := c.ListOpportunities(ctx, o)
		if err != nil {
			return nil, nil, "", err
		}
		return p.Data, p.Rejected, p.next(o.Skip), nil
	}
	if maySplit {
		k.split = func(ctx context.Context, at time.Time) iter.Seq2[Batch, error] {
			inner := w
			*span(&inner.Options, w.Field) = Span{From: at, Before: at.Add(resolution)}
			inner.Field, inner.From = other(w.Field), time.Time{}
			return c.opportunityKeyset(inner, false).batches(ctx)
		}
	}
	return k
}

func span(o *OpportunityListOptions, field string) *Span {
	if field == "date_created" {
		return &o.Created
	}
	return &o.Updated
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

// next is the skip of the following page: what came, not what was asked for.
func (p *Page) next(skip int) string {
	if !p.HasMore {
		return ""
	}
	return strconv.Itoa(skip + len(p.Data) + len(p.Rejected))
}

// pages walks an offset list to its end. Over Close's unpublished cap on
// _skip it ends with [ErrSkipTooLarge]: use a search walk there.
func pages(ctx context.Context, skip int, fetch func(ctx context.Context, skip int) (*Page, error)) iter.Seq2[*Page, error] {
	return func(yield func(*Page, error) bool) {
		for empty := 0; ; {
			p, err := fetch(ctx, skip)
			if err != nil {
				yield(nil, err)
				return
			}
			n := len(p.Data) + len(p.Rejected)
			if n > 0 && !yield(p, nil) {
				return
			}
			if !p.HasMore {
				return
			}
			if empty++; n > 0 {
				empty = 0
			}
			if empty >= patience {
				yield(nil, ErrNoProgress)
				return
			}
			skip += n
		}
	}
}

// typed decodes the entries of pages. An entry that cannot be decoded comes
// as an error between the others, after which the walk goes on.
func typed[T any](all iter.Seq2[*Page, error]) iter.Seq2[*T, error] {
	return func(yield func(*T, error) bool) {
		for p, err := range all {
			if err != nil {
				yield(nil, err)
				return
			}
			for _, raw := range p.Data {
				if !yield(decodeInto[T](raw)) {
					return
				}
			}
			for _, bad := range p.Rejected {
				if !yield(nil, bad.Err) {
					return
				}
			}
		}
	}
}
