package store

import (
	"context"
	"fmt"
	"strings"

	"github.com/jackc/pgx/v5"

	"closesync/mapping"
)

// column is one mapped column as the database has it now.
type column struct {
	field   mapping.Field
	name    string
	cast    string // type name for a cast; it has no length, for a cast to one cuts what is longer
	exact   string // with length and precision, from format_type
	typname string
	json    bool   // json or jsonb
	blank   bool   // a not-null text column: empty text stands for the empty field
	empty   string // what a not-null json column holds when the field is empty
}

// table is a mapped table as the database has it now, with the SQL built from
// it. All statements on mapped tables are built in this file and rows.go.
type table struct {
	object      *mapping.Object
	name        string // quoted
	key         string // quoted
	keyCast     string
	closeID     string // quoted
	columns     []column
	custom      *column
	missing     []string         // mapped columns the table does not have (fault C14)
	retyped     []string         // columns of custom fields that hold another kind of values than at the start
	astray      []stray          // references that cannot hold their parents' keys
	flag        string           // why on_close_delete cannot set its column; "" if it can
	stored      []string         // quoted: every column that is not computed
	newKey      string           // expression that makes a key; "" if the table has none
	rewrites    bool             // a trigger of the user's may change what is written
	nums        map[string]int16 // of the columns, by name
	partitioned bool             // it has partitions, which may be detached with their rows
}

func quote(names ...string) string { return pgx.Identifier(names).Sanitize() }

const tableSQL = `
SELECT a.attname, format_type(a.atttypid, -1), format_type(a.atttypid, a.atttypmod), t.typname, a.attnotnull, a.attidentity <> '',
       coalesce(pg_get_expr(d.adbin, d.adrelid), ''), a.attgenerated <> '', a.attnum
FROM pg_attribute a
JOIN pg_type t ON t.oid = a.atttypid
LEFT JOIN pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
WHERE a.attrelid = to_regclass($1) AND a.attnum > 0 AND NOT a.attisdropped ORDER BY a.attnum`

// rewritesSQL looks for row triggers that run before the write (bits 0 and 1 of
// tgtype).
const rewritesSQL = `SELECT EXISTS (SELECT FROM pg_trigger WHERE tgrelid = to_regclass($1) AND NOT tgisinternal AND tgtype & 3 = 3),
	coalesce((SELECT relkind = 'p' FROM pg_class WHERE oid = to_regclass($1)), false)`

type columnInfo struct {
	Name, Cast, Exact, Type string
	NotNull, Identity       bool
	Default                 string
	Generated               bool
	Num                     int16 // which a rename keeps
}

func readTable(ctx context.Context, q Querier, o *mapping.Object) (*table, error) {
	name := quote(o.Table.Schema, o.Table.Name)
	rows, err := q.Query(ctx, tableSQL, name)
	if err != nil {
		return nil, fmt.Errorf("store.readTable(%s): %w", o.Table, err)
	}
	infos, err := pgx.CollectRows(rows, pgx.RowToStructByPos[columnInfo])
	if err != nil {
		return nil, fmt.Errorf("store.readTable(%s): %w", o.Table, err)
	}
	if len(infos) == 0 {
		return nil, &TableError{o.Type, "table", fmt.Sprintf("there is no table %s, to which %s is mapped", o.Table, o.Type)}
	}
	if err := seen(ctx, q, o); err != nil {
		return nil, err
	}
	found := map[string]columnInfo{}
	t := &table{object: o, name: name, key: quote(o.Key), closeID: quote(o.CloseID), nums: map[string]int16{}}
	for _, c := range infos {
		found[c.Name], t.nums[c.Name] = c, c.Num
		if !c.Generated {
			t.stored = append(t.stored, quote(c.Name))
		}
	}
	key, ok := found[o.Key]
	if !ok {
		return nil, &TableError{o.Type, "key", fmt.Sprintf("%s has no key column %q", o.Table, o.Key)}
	}
	if _, ok := found[o.CloseID]; !ok {
		return nil, &TableError{o.Type, "close_id", fmt.Sprintf("%s has no column %q for the Close id", o.Table, o.CloseID)}
	}
	t.keyCast = key.Cast
	t.flag = flagProblem(o, found)
	if err := q.QueryRow(ctx, rewritesSQL, name).Scan(&t.rewrites, &t.partitioned); err != nil {
		return nil, fmt.Errorf("store.readTable(%s): %w", o.Table, err)
	}
	switch {
	case key.Identity:
		// Within a SELECT the sequence is looked up once, not for each key, which
		// costs more than the key itself.
		t.newKey = fmt.Sprintf("nextval((SELECT pg_get_serial_sequence(%s, %s)::regclass))", literal(name), literal(o.Key))
	case key.Default != "":
		t.newKey = key.Default
	}
	for _, f := range o.Fields {
		c, ok := found[f.Column]
		if !ok {
			t.missing = append(t.missing, f.Column)
			continue
		}
		if kind, ok := mapping.KindForColumn(c.Type); f.Open && (!ok || kind != f.Kind) {
			t.retyped = append(t.retyped, f.Column)
			continue
		}
		t.columns = append(t.columns, newColumn(f, c))
	}
	if c, ok := found[o.Custom]; ok && o.Custom != "" {
		col := newColumn(mapping.Field{Close: "custom", Column: o.Custom, Kind: mapping.JSON}, c)
		col.empty = "{}"
		t.custom = &col
	}
	return t, nil
}

// flagProblem says why the column of on_close_delete: flag cannot be set.
func flagProblem(o *mapping.Object, found map[string]columnInfo) string {
	if o.OnClose.Kind != "flag" {
		return ""
	}
	c, ok := found[o.OnClose.Column]
	switch {
	case !ok:
		return fmt.Sprintf("has no column %s for on_close_delete", o.OnClose.Column)
	case c.Cast != "boolean":
		return fmt.Sprintf("column %s is %s, on_close_delete sets a boolean", o.OnClose.Column, c.Exact)
	}
	return ""
}

// seen refuses a table of which a policy hides rows from this role: a row that
// is hidden looks like one that was deleted (fault C32).
func seen(ctx context.Context, q Querier, o *mapping.Object) error {
	var hides bool
	var role string
	if err := q.QueryRow(ctx, "SELECT row_security_active(to_regclass($1)), current_user::text", quote(o.Table.Schema, o.Table.Name)).Scan(&hides, &role); err != nil {
		return fmt.Errorf("store.seen(%s): %w", o.Table, err)
	}
	if hides {
		return fmt.Errorf("%w of %s from role %s, which would look deleted: ALTER ROLE %[3]s BYPASSRLS, or give the worker a role that sees all rows",
			errHidden, o.Table, quote(role))
	}
	return nil
}

func newColumn(f mapping.Field, c columnInfo) column {
	col := column{field: f, name: quote(f.Column), cast: c.Cast, exact: c.Exact, typname: c.Type, json: c.Type == "json" || c.Type == "jsonb"}
	if col.json && c.NotNull {
		col.empty = "[]"
	}
	kind, known := mapping.KindForColumn(c.Type)
	col.blank = c.NotNull && known && kind == mapping.Text && f.Kind != mapping.Reference && c.Type != "uuid"
	return col
}

func literal(s string) string { return "'" + strings.ReplaceAll(s, "'", "''") + "'" }

// all lists the columns a full row write touches.
func (t *table) all() []column {
	if t.custom == nil {
		return t.columns
	}
	return append(append([]column(nil), t.columns...), *t.custom)
}

// json is the expression for the mapped columns of a row "t" as one object. No
// other column is read: what it holds is none of the worker's business, and
// jsonb may have no room for it.
func (t *table) json() string {
	var names []string
	for _, c := range t.all() {
		names = append(names, "t."+c.name)
	}
	return "(SELECT to_jsonb(x) FROM (SELECT " + strings.Join(names, ", ") + ") x)::text"
}
