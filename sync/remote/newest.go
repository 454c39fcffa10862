package remote

import (
	"context"
	"errors"
	"net/http"
	"time"

	"github.com/go-json-experiment/json"

	"closesync/sync/closeapi"
)

// Newest is the greatest date of a type's records, by which a walk cuts its
// windows; zero when there is none or when it would cost more than it saves
// (opportunities). It is a hint: records may have come since.
func (r *Remote) Newest(ctx context.Context, objectType, field string) (time.Time, error) {
	if objectType == "opportunity" {
		return time.Time{}, nil
	}
	r.calls.Add(1)
	page, err := r.client.Search(closeapi.WithPriority(ctx, closeapi.Background), closeapi.SearchRequest{
		Query:  closeapi.ObjectType(objectType),
		Fields: map[string][]string{objectType: {"id", field}},
		Sort:   []closeapi.Sort{{Direction: closeapi.Descending, Field: closeapi.RegularField(objectType, field)}},
		Limit:  1,
	})
	if refused, ok := errors.AsType[*closeapi.Error](err); ok && refused.Status == http.StatusBadRequest {
		return time.Time{}, nil // a hint less
	}
	if err != nil || len(page.Data) == 0 {
		return time.Time{}, callError(err)
	}
	var newest map[string]any
	if err := json.Unmarshal(page.Data[0], &newest); err != nil {
		return time.Time{}, nil //nolint:nilerr // a hint less
	}
	text, _ := newest[field].(string)
	at, _ := closeapi.ParseTime(text)
	return at, nil
}

// Count is how many records of a type there are, as far as the index knows;
// false if Close does not say.
func (r *Remote) Count(ctx context.Context, objectType string) (int, bool, error) {
	ctx = closeapi.WithPriority(ctx, closeapi.Background)
	r.calls.Add(1)
	total, err := r.total(ctx, objectType)
	if refused, ok := errors.AsType[*closeapi.Error](err); ok && refused.Status < http.StatusInternalServerError {
		return 0, false, nil
	}
	if err != nil || total == nil {
		return 0, false, callError(err)
	}
	return *total, true, nil
}

func (r *Remote) total(ctx context.Context, objectType string) (*int, error) {
	if objectType == "opportunity" {
		page, err := r.client.ListOpportunities(ctx, closeapi.OpportunityListOptions{ListOptions: closeapi.ListOptions{Limit: 1}})
		if err != nil {
			return nil, err
		}
		return page.TotalResults, nil
	}
	page, err := r.client.Search(ctx, closeapi.SearchRequest{Query: closeapi.ObjectType(objectType), ResultsLimit: new(int), IncludeCounts: true})
	if err != nil || page.Count == nil {
		return nil, err
	}
	return &page.Count.Total, nil
}
