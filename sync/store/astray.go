package store

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"

	"closesync/mapping"
)

// astray says which references of a table cannot hold the keys of the rows
// that the mapping means: their foreign key points at another table, or the
// column has another type than the key of the parents.
func astray(ctx context.Context, q Querier, o *mapping.Object, all map[string]*mapping.Object) ([]string, error) {
	var columns, parents, keys, tables []string
	for _, f := range o.Parents() {
		if p := all[f.Parent]; p != nil {
			columns, keys = append(columns, f.Column), append(keys, p.Key)
			parents, tables = append(parents, quote(p.Table.Schema, p.Table.Name)), append(tables, p.Table.String())
		}
	}
	if len(columns) == 0 {
		return nil, nil
	}
	rows, err := q.Query(ctx, `
		SELECT v.name, v.shown, format_type(a.atttypid, -1), format_type(k.atttypid, -1), coalesce((SELECT min(c.confrelid::regclass::text)
			FROM pg_constraint c WHERE c.conrelid = a.attrelid AND c.contype = 'f' AND c.conkey = ARRAY[a.attnum] AND c.confrelid <> k.attrelid), '')
		FROM unnest($2::text[], $3::text[], $4::text[], $5::text[]) AS v(name, parent, key, shown)
		JOIN pg_attribute a ON a.attrelid = to_regclass($1) AND a.attname = v.name AND NOT a.attisdropped
		JOIN pg_attribute k ON k.attrelid = to_regclass(v.parent) AND k.attname = v.key AND NOT k.attisdropped`,
		quote(o.Table.Schema, o.Table.Name), columns, parents, keys, tables)
	if err != nil {
		return nil, err
	}
	var problems []string
	var column, parent, have, want, elsewhere string
	_, err = pgx.ForEachRow(rows, []any{&column, &parent, &have, &want, &elsewhere}, func() error {
		if elsewhere != "" {
			problems = append(problems, fmt.Sprintf("column %s has a foreign key to %s, not to %s", column, elsewhere, parent))
		}
		if !sameKeys(have, want) {
			problems = append(problems, fmt.Sprintf("column %s is %s, the key of %s is %s", column, have, parent, want))
		}
		return nil
	})
	return problems, err
}

// sameKeys reports whether keys of both types can be told apart by their text
// and compared: whole numbers of any size, texts of any kind, or one type.
func sameKeys(a, b string) bool {
	ka, knownA := mapping.KindForColumn(a)
	kb, knownB := mapping.KindForColumn(b)
	return a == b || knownA && knownB && ka == kb && a != "uuid" && b != "uuid"
}
