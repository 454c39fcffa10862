package store

import (
	"context"
	"fmt"
	"strings"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
	"github.com/jackc/pgx/v5"

	"closesync/sync/engine"
)

// keepRemoved notes with the records how their rows were when they were deleted
// here, so that they can be put back with their keys and with the columns that
// no mapping knows of.
func (s *Store) keepRemoved(ctx context.Context, tx pgx.Tx, objectType string, hints []hint) error {
	last := map[string]hint{}
	for _, h := range hints {
		if h.ObjectType == objectType {
			last[h.Key] = h
		}
	}
	var keys, rows []string
	for key, h := range last {
		if h.Operation == "D" && h.OldRow != nil {
			keys, rows = append(keys, key), append(rows, *h.OldRow)
		}
	}
	if len(keys) == 0 {
		return nil
	}
	_, err := tx.Exec(ctx, `UPDATE closesync.records r SET removed = v.row::jsonb
		FROM unnest($3::text[], $4::text[]) AS v(key, row)
		WHERE r.connection = $1 AND r.object_type = $2 AND r.local_key = v.key AND r.close_id IS NOT NULL`, s.id, objectType, keys, rows)
	return err
}

// putBack inserts rows that were deleted here, under their old keys and with
// all that they held; the mapped columns come from the record. It returns those
// to be inserted as others are: rows never seen before, rows of which nothing
// was kept, and rows whose key another one has now.
func (w *writing) putBack(ctx context.Context, t *table, list []*rowWrite, parents map[string]map[string]string) (fresh []*rowWrite, err error) {
	var back []*rowWrite
	var keys []string
	for _, r := range list {
		if r.state.LocalKey == "" {
			fresh = append(fresh, r)
			continue
		}
		back, keys = append(back, r), append(keys, r.state.LocalKey)
	}
	if len(back) == 0 {
		return list, nil
	}
	taken, err := w.taken(ctx, t, keys)
	if err != nil {
		return nil, err
	}
	removed, err := w.removed(ctx, back)
	if err != nil {
		return nil, err
	}
	var rows []string
	for _, r := range back {
		switch {
		case taken[r.state.LocalKey]:
			fresh = append(fresh, r)
			continue
		case removed[r.state.ID] == "":
			r.key = r.state.LocalKey
			fresh = append(fresh, r)
			continue
		}
		text, err := t.rowJSON(r, removed[r.state.ID], parents)
		if err != nil {
			return nil, err
		}
		rows = append(rows, text)
	}
	if len(rows) == 0 {
		return fresh, nil
	}
	columns := strings.Join(t.stored, ", ")
	_, err = w.tx.Exec(ctx, fmt.Sprintf("INSERT INTO %s (%s) OVERRIDING SYSTEM VALUE SELECT %s FROM unnest($1::text[]) AS v(row) CROSS JOIN LATERAL jsonb_populate_record(NULL::%s, v.row::jsonb)",
		t.name, columns, columns, t.name), rows)
	return fresh, err
}

// taken tells which keys are in the table.
func (w *writing) taken(ctx context.Context, t *table, keys []string) (map[string]bool, error) {
	rows, err := w.tx.Query(ctx, fmt.Sprintf("SELECT x.%[2]s::text FROM %[1]s x WHERE x.%[2]s = ANY ($1::text[]::%[3]s[])", t.name, t.key, t.keyCast), keys)
	if err != nil {
		return nil, err
	}
	list, err := pgx.CollectRows(rows, pgx.RowTo[string])
	found := map[string]bool{}
	for _, key := range list {
		found[key] = true
	}
	return found, err
}

// removed gives what keepRemoved kept, by record.
func (w *writing) removed(ctx context.Context, list []*rowWrite) (map[int64]string, error) {
	ids := make([]int64, len(list))
	for i, r := range list {
		ids[i] = r.state.ID
	}
	rows, err := w.tx.Query(ctx, "SELECT id, removed::text FROM closesync.records WHERE id = ANY ($1) AND removed IS NOT NULL", ids)
	if err != nil {
		return nil, err
	}
	found := map[int64]string{}
	var id int64
	var row string
	_, err = pgx.ForEachRow(rows, []any{&id, &row}, func() error { found[id] = row; return nil })
	return found, err
}

// rowJSON is a whole row as jsonb_populate_record takes it: what was removed,
// with the mapped columns, the key and the Close id over it.
func (t *table) rowJSON(r *rowWrite, removed string, parents map[string]map[string]string) (string, error) {
	row := map[string]jsontext.Value{}
	if err := json.Unmarshal([]byte(removed), &row); err != nil {
		return "", err
	}
	text := func(s string, ok bool) jsontext.Value {
		if !ok {
			return jsontext.Value("null")
		}
		quoted, _ := jsontext.AppendQuote(nil, s) // of a text that Postgres holds
		return quoted
	}
	for _, c := range t.all() {
		cell, ok := t.cellOf(c, r.record, parents)
		if c.json && ok {
			row[c.field.Column] = jsontext.Value(cell)
			continue
		}
		row[c.field.Column] = text(cell, ok)
	}
	row[t.object.Key] = text(r.state.LocalKey, true)
	row[t.object.CloseID] = text(r.closes, r.closes != "")
	raw, err := json.Marshal(row)
	return string(raw), err
}

// forgetRemoved drops what was kept of rows whose deletion is decided.
func (w *writing) forgetRemoved(ctx context.Context, states []*engine.State) error {
	var ids []int64
	for _, st := range states {
		if st.Removed && (st.Outcome.Status == engine.Deleted || st.Outcome.Plan.Local != "") {
			ids = append(ids, st.ID)
		}
	}
	if len(ids) == 0 {
		return nil
	}
	_, err := w.tx.Exec(ctx, "UPDATE closesync.records SET removed = NULL WHERE id = ANY ($1)", ids)
	return err
}
