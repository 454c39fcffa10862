package remote

import (
	"context"
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
