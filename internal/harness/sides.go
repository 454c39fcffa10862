package harness

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"closesync/mapping"
)

// closeSide reads the records of the imitation in canonical form.
func (w *World) closeSide(o *mapping.Object) map[string]map[string]string {
	w.T.Helper()
	found := map[string]map[string]string{}
	list := w.List
	if list == nil {
		list = w.Close.List
	}
	for _, fields := range list(o.Type) {
		raw, err := json.Marshal(fields)
		require.NoError(w.T, err)
		r, err := mapping.DecodeRemote(o, raw, nil)
		require.NoError(w.T, err)
		found[r.ID] = plain(o, r.Record)
	}
	return found
}

// localSide reads the rows in canonical form, by Close id; references are
// looked up in the table they point at. Rows without a Close id have a name of
// their own.
func (w *World) localSide(o *mapping.Object) map[string]map[string]string {
	w.T.Helper()
	ctx := context.Background()
	rows, err := w.Pool.Query(ctx, fmt.Sprintf("SELECT to_jsonb(t)::text FROM %s t", pgx.Identifier{o.Table.Schema, o.Table.Name}.Sanitize()))
	require.NoError(w.T, err)
	list, err := pgx.CollectRows(rows, pgx.RowTo[string])
	require.NoError(w.T, err)
	found := map[string]map[string]string{}
	parents := w.parents(o)
	for _, text := range list {
		var raw map[string]json.RawMessage
		require.NoError(w.T, json.Unmarshal([]byte(text), &raw))
		id := unquote(raw[o.CloseID])
		if id == "" {
			id = "row " + string(raw[o.Key])
		}
		found[id] = plain(o, w.localRecord(o, raw, parents))
	}
	return found
}

// parents gives, by object type, the Close ids of the rows that o's rows may
// refer to, by their key.
func (w *World) parents(o *mapping.Object) map[string]map[string]string {
	w.T.Helper()
	found := map[string]map[string]string{}
	for _, f := range o.Fields {
		p := w.Objects[f.Parent]
		if f.Kind != mapping.Reference || p == nil || found[f.Parent] != nil {
			continue
		}
		ids := map[string]string{}
		rows, err := w.Pool.Query(context.Background(), fmt.Sprintf("SELECT %s::text, coalesce(%s, '') FROM %s", pgx.Identifier{p.Key}.Sanitize(),
			pgx.Identifier{p.CloseID}.Sanitize(), pgx.Identifier{p.Table.Schema, p.Table.Name}.Sanitize()))
		require.NoError(w.T, err)
		var key, id string
		_, err = pgx.ForEachRow(rows, []any{&key, &id}, func() error { ids[key] = id; return nil })
		require.NoError(w.T, err)
		found[f.Parent] = ids
	}
	return found
}

func (w *World) localRecord(o *mapping.Object, raw map[string]json.RawMessage, parents map[string]map[string]string) mapping.Record {
	rec := mapping.Record{}
	for _, f := range o.Fields {
		if f.Kind == mapping.Reference {
			if key := unquote(raw[f.Column]); key != "" && parents[f.Parent] != nil {
				rec[f.Close] = mapping.TextValue(parents[f.Parent][key])
			}
			continue
		}
		v, err := mapping.FromColumn(f, raw[f.Column])
		require.NoError(w.T, err)
		rec[f.Close] = v
	}
	if o.Custom != "" {
		var custom map[string]json.RawMessage
		require.NoError(w.T, json.Unmarshal(raw[o.Custom], &custom))
		for id, v := range custom {
			value, err := mapping.Canon(mapping.Field{Close: "custom." + id, Kind: mapping.Any}, v)
			require.NoError(w.T, err)
			rec["custom."+id] = value
		}
	}
	return rec
}

// plain drops empty fields and puts lists into their written form, so that
// what counts as the same compares equal.
func plain(o *mapping.Object, r mapping.Record) map[string]string {
	out := map[string]string{}
	for name, v := range r {
		f, ok := o.Field(name)
		if !ok || v.IsNull() {
			continue
		}
		out[name] = string(mapping.WriteForm(f, v))
	}
	return out
}

func unquote(raw json.RawMessage) string {
	if len(raw) == 0 || string(raw) == "null" {
		return ""
	}
	var s string
	if json.Unmarshal(raw, &s) == nil {
		return s
	}
	return string(raw)
}
