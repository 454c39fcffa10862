package closeapi

import (
	"context"
	"iter"
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

func getRecord[T any](ctx context.Context, c *Client, resource, id string, fields []string) (*T, error) {
	raw, err := c.GetRaw(ctx, resource, id, fields...)
	if err != nil {
		return nil, err
	}
	return decodeInto[T](raw)
}

func create[T any](ctx context.Context, c *Client, resource string, body any) (*T, error) {
	raw, err := c.CreateRaw(ctx, resource, body)
	if err != nil {
		return nil, err
	}
	return written[T](http.MethodPost, resource+"/", raw)
}

func update[T any](ctx context.Context, c *Client, resource, id string, body any) (*T, error) {
	raw, err := c.UpdateRaw(ctx, resource, id, body)
	if err != nil {
		return nil, err
	}
	return written[T](http.MethodPut, resource+"/"+id+"/", raw)
}

// written decodes what Close stored. If that cannot be decoded the write has
// happened all the same, and nobody knows as what.
func written[T any](method, path string, raw RawMessage) (*T, error) {
	v, err := decodeInto[T](raw)
	if err != nil {
		return nil, &UnknownOutcomeError{Method: method, Path: path, Err: err}
	}
	return v, nil
}

// all walks a list of any resource to its end.
func all[T any](ctx context.Context, c *Client, path string, query url.Values) iter.Seq2[*T, error] {
	return typed[T](pages(ctx, 0, func(ctx context.Context, skip int) (*Page, error) {
		q := url.Values{}
		for name, values := range query {
			q[name] = values
		}
		setInt(q, "_skip", skip)
		return c.page(ctx, path, q)
	}))
}

// whole reads a short list into a slice.
func whole[T any](ctx context.Context, c *Client, path string) ([]T, error) {
	var out []T
	for v, err := range all[T](ctx, c, path, nil) {
		if err != nil {
			return nil, err
		}
		out = append(out, *v)
	}
	return out, nil
}

// Changes are the fields a PUT sets: name -> value, where nil clears and a
// missing name leaves alone. Custom fields are "custom.cf_...", or with
// ".add" / ".remove" behind for one value of several.
// Source: developer.close.com/api/overview/fields.
type Changes map[string]any
