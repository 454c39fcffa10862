package closeapi

import (
	"context"
	"net/http"
	"net/url"
)

// get reads one typed object.
func get[T any](ctx context.Context, c *Client, path string, query url.Values) (*T, error) {
	raw, err := c.object(ctx, http.MethodGet, path, query, nil)
	if err != nil {
		return nil, err
	}
	return decodeInto[T](raw)
}
