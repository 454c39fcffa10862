package main

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
	"github.com/spf13/cobra"

	"closesync/sync/closeapi"
)

// searchFields are what a search shows unless --fields says otherwise: Close
// answers ids alone when none are asked for.
var searchFields = map[string][]string{
	"lead":        {"id", "name", "display_name", "status_label", "date_updated"},
	"contact":     {"id", "name", "title", "lead_id", "date_updated"},
	"opportunity": {"id", "lead_id", "lead_name", "status_label", "value", "note", "date_updated"},
	"task":        {"id", "lead_id", "text", "date", "is_complete", "date_updated"},
}

// searching holds the flags of a search and of a filter.
type searching struct {
	fields []string
	limit  int
	mode   string
	query  string
}

func (s *searching) flags(c *cobra.Command) {
	c.Flags().StringSliceVar(&s.fields, "fields", nil, "show these `fields`")
	c.Flags().IntVar(&s.limit, "limit", 100, "at most this many records")
}

func (o *options) recordSearch() *cobra.Command {
	var s searching
	c := &cobra.Command{
		Use: "search OBJECT TEXT", Short: "Find records by text, in one call", Args: cobra.ExactArgs(2), ValidArgs: recordTypes,
		RunE: func(c *cobra.Command, args []string) error {
			return o.search(c.Context(), s, args[0], closeapi.Text(args[1], closeapi.TextMode(s.mode)))
		},
	}
	s.flags(c)
	c.Flags().StringVar(&s.mode, "mode", string(closeapi.FullWords), "full_words, phrase or beginning_of_words")
	return o.jsonFlag(c)
}

func (o *options) recordFilter() *cobra.Command {
	var s searching
	c := &cobra.Command{
		Use: "filter OBJECT --query JSON", Short: "Find records by a JSON filter of Close, in one call", Args: cobra.ExactArgs(1), ValidArgs: recordTypes,
		RunE: func(c *cobra.Command, args []string) error {
			query, err := o.filterQuery(s.query)
			if err != nil {
				return err
			}
			return o.search(c.Context(), s, args[0], query)
		},
	}
	s.flags(c)
	c.Flags().StringVar(&s.query, "query", "", "filter: `JSON`, @file, or - for stdin")
	return o.jsonFlag(c)
}

// filterQuery takes the query itself or the body of a search that holds one.
func (o *options) filterQuery(flag string) (closeapi.Node, error) {
	text, err := o.data(flag)
	if err != nil {
		return nil, err
	}
	if text == nil || text.Kind() != '{' {
		return nil, usageError("give the filter as one JSON object with --query")
	}
	var body struct {
		Query jsontext.Value `json:"query"`
	}
	if err := json.Unmarshal(text, &body); err == nil && body.Query != nil {
		text = body.Query
	}
	return closeapi.RawNode(text), nil
}

func (o *options) search(ctx context.Context, s searching, objectType string, query closeapi.Node) error {
	if !slices.Contains(recordTypes, objectType) {
		return usageError("unknown object %q: use %s", objectType, strings.Join(recordTypes, ", "))
	}
	fields := searchFields[objectType]
	if len(s.fields) > 0 {
		fields = append([]string{"id"}, slices.DeleteFunc(s.fields, func(f string) bool { return f == "id" })...)
	}
	return o.withClient(ctx, true, func(ctx context.Context, client *closeapi.Client) error {
		page, err := client.Search(ctx, closeapi.SearchRequest{
			Query:  closeapi.And(closeapi.ObjectType(objectType), query),
			Fields: map[string][]string{objectType: fields}, Limit: min(s.limit, 200), ResultsLimit: &s.limit,
		})
		if err != nil {
			return o.refused(err)
		}
		if page.Cursor != "" && len(page.Data) >= min(s.limit, 200) && s.limit > 200 {
			_, _ = fmt.Fprintln(o.err, "there may be more: one call gives 200 at most")
		}
		return o.showFound(page.Data, fields)
	})
}

// showFound prints Close's own JSON for programs, the chosen fields for people.
func (o *options) showFound(data []closeapi.RawMessage, fields []string) error {
	found := make([]jsontext.Value, len(data))
	for i, d := range data {
		found[i] = jsontext.Value(d)
	}
	return show(o, found, fields, func(v jsontext.Value) []any {
		var record map[string]jsontext.Value
		_ = json.Unmarshal(v, &record)
		cells := make([]any, len(fields))
		for i, f := range fields {
			cells[i] = plain(record[f])
		}
		return cells
	})
}

// plain shows a JSON text without quotes, everything else as JSON.
func plain(v jsontext.Value) string {
	var text string
	switch {
	case len(v) == 0 || v.Kind() == 'n':
		return ""
	case v.Kind() == '"' && json.Unmarshal(v, &text) == nil:
		return brief(text, 60)
	}
	return brief(string(v), 60)
}
