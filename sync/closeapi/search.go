package closeapi

import (
	"context"
	"errors"
	"net/http"

	"github.com/go-json-experiment/json/jsontext"
)

const (
	// SearchChainLimit is how many records one chain of cursors yields.
	SearchChainLimit = 10_000
	searchPath       = "data/search/"
)

// SearchRequest is one page of Advanced Filtering.
// Source: developer.close.com/api/resources/advanced-filtering.
type SearchRequest struct {
	// Query selects; see [Node]. RawQuery takes JSON instead, if set.
	Query    Node
	RawQuery RawMessage
	// Fields per object type; without them only ids come back. "custom"
	// stands for all custom fields.
	Fields map[string][]string
	Sort   []Sort
	// Limit is the page size; zero means Close's default. 100 to 200 are in
	// use, the maximum is not documented.
	Limit int
	// Cursor continues a chain. It dies 30 seconds after it was given.
	Cursor string
	// ResultsLimit caps the whole chain; 0 with IncludeCounts only counts.
	ResultsLimit  *int
	IncludeCounts bool
}

// Count is how many records match, and how many of them a chain will yield.
type Count struct {
	Limited int `json:"limited"`
	Total   int `json:"total"`
}

// SearchPage is one page of hits. An empty Cursor is the end.
type SearchPage struct {
	Data     []RawMessage
	Rejected []Rejected
	Cursor   string
	Count    *Count // only with IncludeCounts
}

type searchBody struct {
	Query         any                 `json:"query"`
	Fields        map[string][]string `json:"_fields,omitzero"`
	Sort          []Sort              `json:"sort,omitzero"`
	Limit         int                 `json:"_limit,omitzero"`
	Cursor        string              `json:"cursor,omitzero"`
	ResultsLimit  *int                `json:"results_limit,omitzero"`
	IncludeCounts bool                `json:"include_counts,omitzero"`
}

func (r SearchRequest) body() (*searchBody, error) {
	b := &searchBody{
		Fields: r.Fields, Sort: r.Sort, Limit: r.Limit, Cursor: r.Cursor,
		ResultsLimit: r.ResultsLimit, IncludeCounts: r.IncludeCounts,
	}
	switch {
	case r.RawQuery != nil:
		if err := checkObject(r.RawQuery); err != nil {
			return nil, errors.New("closeapi: SearchRequest.RawQuery is not a JSON object")
		}
		b.Query = jsontext.Value(r.RawQuery)
	case r.Query != nil:
		b.Query = r.Query
	default:
		return nil, errors.New("closeapi: SearchRequest has no query")
	}
	return b, nil
}

// Search fetches one page. The index behind it lags behind writes by seconds
// up to minutes (observed by several clients), so a record that is not found
// is not thereby absent. An outlived cursor is [ErrCursorExpired].
// A read: safe to repeat.
// Source: developer.close.com/api/resources/advanced-filtering.
func (c *Client) Search(ctx context.Context, r SearchRequest) (*SearchPage, error) {
	body, err := r.body()
	if err != nil {
		return nil, err
	}
	e, err := c.list(ctx, http.MethodPost, searchPath, nil, body)
	if err != nil {
		return nil, err
	}
	return &SearchPage{Data: e.records, Rejected: e.rejected, Cursor: text(e.Cursor), Count: e.Count}, nil
}
