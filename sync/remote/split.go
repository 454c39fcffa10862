package remote

import (
	"context"
	"iter"
	"time"

	"closesync/sync/closeapi"
)

// instant is the resolution of Close's dates.
const instant = time.Millisecond

// split reads the records of one moment by their other date, because there are
// more than one list gives (10,000 hits of a chain, the cap on skipping) or its
// cursor died, and moves the window behind that moment. An import makes many
// records at once, and a bulk edit touches many, but not the same in both.
func (s *search) split(ctx context.Context, at time.Time) error {
	if at.IsZero() {
		return closeapi.ErrNoProgress
	}
	for batch, err := range s.moment(ctx, at) {
		s.calls.Add(1)
		s.page.Requests++
		if err != nil {
			return err
		}
		got := rows{bad: batch.Rejected}
		for _, rec := range batch.Records {
			got.data = append(got.data, rec.Raw)
		}
		s.take(got)
	}
	s.window.From = at.Add(instant)
	return nil
}

func (s *search) moment(ctx context.Context, at time.Time) iter.Seq2[closeapi.Batch, error] {
	other := "date_created"
	if s.field == other {
		other = "date_updated"
	}
	if s.byList() {
		w := closeapi.OpportunityWalk{Field: other, Limit: smallPage}
		*s.span(&w.Options) = closeapi.Span{From: at, Before: at.Add(instant)}
		return s.client.OpportunityBatches(ctx, w)
	}
	field := closeapi.RegularField(s.o.Type, s.field)
	query := closeapi.Where(field, closeapi.InMoments(closeapi.At(at), closeapi.At(at.Add(instant))))
	if s.o.Filter != nil {
		query = closeapi.And(query, closeapi.RawNode(s.o.Filter))
	}
	return s.client.SearchBatches(ctx, closeapi.SearchWalk{
		ObjectType: s.o.Type, Query: query, Field: other, Fields: s.fields(), Limit: smallPage,
	})
}
