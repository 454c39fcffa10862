package store

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"

	"closesync/mapping"
)

// stray is a reference that cannot hold its parents' keys.
type stray struct{ field, what string }

// astray says which references of a table cannot hold the keys of the rows
// that the mapping means: their foreign key points at another table, or the
// column has another type than the key of the parents.
func astray(ctx context.Context, q Querier, o *mapping.Object, all map[string]*mapping.Object) ([]stray, error) {
	var fields, columns, parents, keys, tables []string
	for _, f := range o.Parents() {
		if p := all[f.Parent]; p != nil {
			fields, columns, keys = append(fields, f.Close), append(columns, f.Column), append(keys, p.Key)
			parents, tables = append(parents, quote(p.Table.Schema, p.Table.Name)), append(tables, p.Table.String())
		}
	}
	if len(columns) == 0 {
		return nil, nil
	}
	rows, err := q.Query(ctx, `
		SELECT v.field, v.name, v.shown, format_type(a.atttypid, -1), format_type(k.atttypid, -1), coalesce((SELECT min(c.confrelid::regclass::text)
			FROM pg_constraint c WHERE c.conrelid = a.attrelid AND c.contype = 'f' AND c.conkey = ARRAY[a.attnum] AND c.confrelid <> k.attrelid), '')
		FROM unnest($2::text[], $3::text[], $4::text[], $5::text[], $6::text[]) AS v(field, name, parent, key, shown)
		JOIN pg_attribute a ON a.attrelid = to_regclass($1) AND a.attname = v.name AND NOT a.attisdropped
		JOIN pg_attribute k ON k.attrelid = to_regclass(v.parent) AND k.attname = v.key AND NOT k.attisdropped`,
		quote(o.Table.Schema, o.Table.Name), fields, columns, parents, keys, tables)
	if err != nil {
		return nil, err
	}
	var list []stray
	var field, column, parent, have, want, elsewhere string
	_, err = pgx.ForEachRow(rows, []any{&field, &column, &parent, &have, &want, &elsewhere}, func() error {
		if elsewhere != "" {
			list = append(list, stray{field, fmt.Sprintf("column %s has a foreign key to %s, not to %s", column, elsewhere, parent)})
		}
		if !sameKeys(have, want) {
			list = append(list, stray{field, fmt.Sprintf("column %s is %s, the key of %s is %s", column, have, parent, want)})
		}
		return nil
	})
	return list, err
}

// sameKeys reports whether a column can hold keys of a type: whole numbers of
// any size, or the key's own type. A text holds any key.
func sameKeys(column, key string) bool {
	kc, known := mapping.KindForColumn(column)
	kk, _ := mapping.KindForColumn(key)
	return column == key || known && column != "uuid" && (kc == mapping.Text || kc == mapping.Integer && kk == mapping.Integer)
}
