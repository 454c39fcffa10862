package main

import (
	"fmt"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
	pretty "github.com/jedib0t/go-pretty/v6/table"
)

// show prints a list: with --json as one array, else as a table for people.
func show[T any](o *options, list []T, header []string, cells func(T) []any) error {
	if o.json {
		if list == nil {
			list = []T{}
		}
		return printJSON(o, list)
	}
	if len(list) == 0 {
		_, err := fmt.Fprintln(o.err, "none")
		return err
	}
	return table(o, list, header, cells)
}

// table prints for people.
func table[T any](o *options, list []T, header []string, cells func(T) []any) error {
	t := pretty.NewWriter()
	t.SetOutputMirror(o.out)
	t.SetStyle(pretty.StyleLight)
	t.AppendHeader(row(header))
	for _, item := range list {
		t.AppendRow(cells(item))
	}
	t.Render()
	return nil
}

func row(names []string) pretty.Row {
	r := make(pretty.Row, len(names))
	for i, n := range names {
		r[i] = n
	}
	return r
}

// printJSON writes one document, indented, with a newline at its end.
func printJSON(o *options, v any) error {
	text, err := json.Marshal(v, jsontext.WithIndent("  "), json.Deterministic(true))
	if err != nil {
		return err
	}
	_, err = o.out.Write(append(text, '\n'))
	return err
}

// optional shows what may be unknown.
func optional[T any](v *T) any {
	if v == nil {
		return ""
	}
	return *v
}

// moment shows a time in UTC; nil is never.
func moment(t *time.Time) string {
	if t == nil {
		return ""
	}
	return t.UTC().Format("2006-01-02 15:04:05Z")
}

// brief cuts text that would break a table.
func brief(s string, most int) string {
	r := []rune(s)
	if len(r) <= most {
		return s
	}
	return string(r[:most-1]) + "…"
}
