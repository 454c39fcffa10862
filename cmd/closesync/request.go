package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"strings"

	"github.com/go-json-experiment/json/jsontext"
	"github.com/spf13/cobra"

	"closesync/sync/closeapi"
)

func newRequestCommand(o *options) *cobra.Command {
	var data string
	c := &cobra.Command{
		Use: "request METHOD PATH", Short: "Call any endpoint of Close", Args: cobra.ExactArgs(2),
		Long: "Call any endpoint of Close, authenticated, under the same rate limits. PATH is relative to the API root and may " +
			"carry a query, as in: closesync request GET '/lead/?_limit=1'",
		RunE: func(c *cobra.Command, args []string) error {
			body, err := o.data(data)
			if err != nil {
				return err
			}
			path, query, err := splitPath(args[1])
			if err != nil {
				return err
			}
			return o.withClient(c.Context(), reads(strings.ToUpper(args[0]), path), func(ctx context.Context, client *closeapi.Client) error {
				var sent any
				if body != nil {
					sent = []byte(body)
				}
				r, err := client.Do(ctx, strings.ToUpper(args[0]), path, query, sent)
				if err != nil {
					return o.refused(err)
				}
				return o.printBody(r.Body)
			})
		},
	}
	c.Flags().StringVar(&data, "data", "", "body: `JSON`, @file, or - for stdin")
	return c
}

// splitPath takes a path with or without the API root's /api/v1 before it.
func splitPath(text string) (string, url.Values, error) {
	u, err := url.Parse(text)
	if err != nil || u.Host != "" || u.Scheme != "" {
		return "", nil, usageError("PATH is relative to the API root, as in /lead/")
	}
	return strings.TrimPrefix(u.EscapedPath(), "/api/v1"), u.Query(), nil
}

// reads reports whether a call changes nothing in Close.
func reads(method, path string) bool {
	return method == http.MethodGet || method == http.MethodHead || method == http.MethodPost && strings.Trim(path, "/") == "data/search"
}

// withClient runs what needs Close alone. What writes there is refused if the
// database is bound to another organization than the key's.
func (o *options) withClient(ctx context.Context, reads bool, do func(context.Context, *closeapi.Client) error) error {
	cfg, err := o.load()
	if err != nil {
		return err
	}
	client, err := o.client(cfg, "")
	if err != nil {
		return err
	}
	defer client.CloseIdle()
	if !reads {
		if err := o.mayWrite(ctx, cfg, client); err != nil {
			return err
		}
	}
	return do(ctx, client)
}

// data reads what --data names: JSON itself, @file or - for stdin. Empty is
// nil. What is no JSON is wrong usage.
func (o *options) data(flag string) (jsontext.Value, error) {
	var text []byte
	var err error
	switch {
	case flag == "":
		return nil, nil
	case flag == "-":
		text, err = io.ReadAll(o.in)
	case flag[0] == '@':
		text, err = os.ReadFile(flag[1:])
	default:
		text = []byte(flag)
	}
	if err != nil {
		return nil, &exitError{exitUsage, err}
	}
	if !jsontext.Value(text).IsValid() {
		return nil, usageError("the data is not one JSON value")
	}
	return text, nil
}

// refused prints the body of an answer of 400 or more to stderr and keeps the
// error, which exits with 1. What could not be sent at all is wrong usage.
func (o *options) refused(err error) error {
	if errors.Is(err, closeapi.ErrBadID) || errors.Is(err, closeapi.ErrNoCall) {
		return &exitError{exitUsage, err}
	}
	var e *closeapi.Error
	if errors.As(err, &e) && e.Body != "" {
		_, _ = fmt.Fprintln(o.err, e.Body)
	}
	return err
}

// printBody gives Close's bytes as they came.
func (o *options) printBody(body []byte) error {
	if len(body) == 0 {
		return nil
	}
	_, err := o.out.Write(append(body, '\n'))
	return err
}
