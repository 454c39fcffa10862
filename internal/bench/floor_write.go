package main

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"

	"github.com/jackc/pgx/v5"

	"closesync/mapping"
)

// floorTables makes copies of the tables without triggers and bookkeeping.
const floorTables = `
CREATE SCHEMA bench_floor;
CREATE TABLE bench_floor.leads (LIKE crm.leads INCLUDING ALL);
CREATE TABLE bench_floor.contacts (LIKE crm.contacts INCLUDING ALL, FOREIGN KEY (lead_id) REFERENCES bench_floor.leads (id));
CREATE TABLE bench_floor.opportunities (LIKE crm.opportunities INCLUDING ALL, FOREIGN KEY (lead_id) REFERENCES bench_floor.leads (id),
	FOREIGN KEY (contact_id) REFERENCES bench_floor.contacts (id))`

// floorTable is one object type as the script stores it: COPY into a stage of
// texts, then one upsert into the typed table.
type floorTable struct {
	object  *mapping.Object
	stage   string
	columns []string // of the stage: the Close id, the mapped ones, custom
	create  string
	upsert  string
}

func newFloorTable(o *mapping.Object) *floorTable {
	t := &floorTable{object: o, stage: "stage_" + o.Table.Name, columns: []string{"close_id"}}
	from := t.stage + " s"
	values, updates := []string{"s.close_id"}, []string{}
	for _, f := range o.Fields {
		value := "s." + f.Column + "::" + floorType(f.Kind)
		switch f.Kind {
		case mapping.Reference:
			alias := "to_" + f.Column
			from += fmt.Sprintf(" LEFT JOIN bench_floor.%s %s ON %s.close_id = s.%s", mapping.Default(f.Parent).Table.Name, alias, alias, f.Column)
			value = alias + ".id"
		case mapping.List:
			value = fmt.Sprintf("coalesce(s.%s::jsonb, '[]')", f.Column)
		}
		t.columns, values = append(t.columns, f.Column), append(values, value)
	}
	t.columns, values = append(t.columns, "custom"), append(values, "s.custom::jsonb")
	for _, c := range t.columns[1:] {
		updates = append(updates, c+" = excluded."+c)
	}
	t.create = fmt.Sprintf("CREATE TEMP TABLE %s (%s text) ON COMMIT DELETE ROWS", t.stage, strings.Join(t.columns, " text, "))
	t.upsert = fmt.Sprintf("INSERT INTO bench_floor.%s (%s) SELECT %s FROM %s ON CONFLICT (close_id) DO UPDATE SET %s",
		o.Table.Name, strings.Join(t.columns, ", "), strings.Join(values, ", "), from, strings.Join(updates, ", "))
	return t
}

func floorType(k mapping.Kind) string {
	switch k {
	case mapping.Integer:
		return "bigint"
	case mapping.Date:
		return "date"
	case mapping.Timestamp:
		return "timestamptz"
	case mapping.List, mapping.JSON:
		return "jsonb"
	}
	return "text"
}

// row gives the texts of one record, nil for NULL.
func (t *floorTable) row(r floorRecord) ([]any, error) {
	row := make([]any, 0, len(t.columns))
	row = append(row, r["id"])
	for _, f := range t.object.Fields {
		text, err := floorText(r[f.Close])
		if err != nil {
			return nil, err
		}
		row = append(row, text)
	}
	custom := map[string]any{}
	for name, v := range r {
		if id, ok := strings.CutPrefix(name, "custom."); ok {
			custom[id] = v
		}
	}
	text, err := json.Marshal(custom)
	return append(row, string(text)), err
}

func floorText(v any) (any, error) {
	switch v := v.(type) {
	case nil, string:
		return v, nil
	case float64:
		return fmt.Sprintf("%.0f", v), nil
	}
	text, err := json.Marshal(v)
	return string(text), err
}

// floorWriter is one connection of the script.
type floorWriter struct {
	conn   *pgx.Conn
	tables []*floorTable
}

func (w *worker) floorWriter(ctx context.Context) (*floorWriter, error) {
	conn, err := pgx.ConnectConfig(ctx, w.pool.Config().ConnConfig)
	if err != nil {
		return nil, err
	}
	f := &floorWriter{conn: conn}
	for _, objectType := range mapping.Types() {
		t := newFloorTable(w.objects[objectType])
		f.tables = append(f.tables, t)
		if _, err := conn.Exec(ctx, t.create); err != nil {
			return nil, fmt.Errorf("%s: %w", t.create, err)
		}
	}
	return f, nil
}

// write stores a page in one transaction.
func (f *floorWriter) write(ctx context.Context, leads []floorRecord) error {
	return pgx.BeginFunc(ctx, f.conn, func(tx pgx.Tx) error {
		for _, t := range f.tables {
			var rows [][]any
			for _, r := range children(leads, t.object.Type) {
				row, err := t.row(r)
				if err != nil {
					return err
				}
				rows = append(rows, row)
			}
			if _, err := tx.CopyFrom(ctx, pgx.Identifier{t.stage}, t.columns, pgx.CopyFromRows(rows)); err != nil {
				return err
			}
			if _, err := tx.Exec(ctx, t.upsert); err != nil {
				return fmt.Errorf("%s: %w", t.object.Type, err)
			}
		}
		return nil
	})
}
