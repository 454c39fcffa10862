package store

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/go-json-experiment/json"
	"github.com/jackc/pgx/v5"

	"closesync/mapping"
	"closesync/sync/engine"
)

// mapped is what an object was mapped to last.
type mapped struct {
	Table  string `json:"table"`
	OID    uint32 `json:"oid"` // of the table, which a rename keeps
	Key    string `json:"key"`
	KeyNum int16  `json:"key_num"` // of the key's column, which a rename keeps
	// Columns are those of the fields, also of such as are not mapped any more:
	// their bases are kept, too.
	Columns map[string]string `json:"columns"`
	Nums    map[string]int16  `json:"nums"` // of the columns, by name
	// What of it is followed: while it is off, nothing is.
	Off       bool              `json:"off"`
	Direction mapping.Direction `json:"direction"`
	Filter    string            `json:"filter"`
}

// others stands for the custom fields without a column of their own.
const others = "custom.*"

// meetMapping compares the mapping with the one in force before. A field that
// is in another column now was never agreed upon there: its base is forgotten,
// so that the column is filled from Close, or met like that of a row that was
// there before, instead of being taken for an edit. Another table or key is
// refused: its rows would be taken for those of the old one.
func (s *Store) meetMapping(ctx context.Context) error {
	return s.tx(ctx, func(tx pgx.Tx) error {
		var text string
		lock := "FOR UPDATE"
		if s.rehearses {
			lock = "" // deliveries note their time in the same row
		}
		if err := tx.QueryRow(ctx, `SELECT mapped::text FROM closesync.connections WHERE id = $1 `+lock, s.id).Scan(&text); err != nil {
			return err
		}
		known := map[string]mapped{}
		if err := json.Unmarshal([]byte(text), &known); err != nil {
			return err
		}
		moved := false
		for _, objectType := range slices.Sorted(maps.Keys(s.objects)) {
			now, err := s.mappedNow(ctx, tx, s.objects[objectType])
			if err != nil {
				return err
			}
			was, met := known[objectType]
			if met {
				if err := s.moveFields(ctx, tx, s.objects[objectType], was, now); err != nil {
					return err
				}
				now.Columns, now.Nums = was.with(s.objects[objectType], now.Columns), was.numbered(now.Nums)
			}
			known[objectType] = now
			moved = moved || !met || now.differs(was)
		}
		for objectType, was := range known {
			if s.objects[objectType] == nil && !was.Off {
				was.Off, moved = true, true
				known[objectType] = was
			}
		}
		if !moved || s.rehearses {
			return nil
		}
		after, err := json.Marshal(known, json.Deterministic(true))
		if err != nil {
			return err
		}
		_, err = tx.Exec(ctx, `UPDATE closesync.connections SET mapped = $2::text::jsonb WHERE id = $1`, s.id, string(after))
		return err
	})
}

func (s *Store) mappedNow(ctx context.Context, q Querier, o *mapping.Object) (mapped, error) {
	m := mapped{Table: o.Table.String(), Key: o.Key, Columns: map[string]string{}, Nums: map[string]int16{}, Direction: o.Direction, Filter: string(o.Filter)}
	for _, f := range o.Fields {
		m.Columns[f.Close] = f.Column
	}
	if o.Custom != "" {
		m.Columns[others] = o.Custom
	}
	rows, err := q.Query(ctx, `SELECT attname, attnum FROM pg_attribute WHERE attrelid = to_regclass($1) AND attname = ANY ($2) AND NOT attisdropped`,
		quote(o.Table.Schema, o.Table.Name), slices.Collect(maps.Values(m.Columns)))
	if err != nil {
		return m, err
	}
	var name string
	var num int16
	if _, err := pgx.ForEachRow(rows, []any{&name, &num}, func() error {
		m.Nums[name] = num
		return nil
	}); err != nil {
		return m, err
	}
	err = q.QueryRow(ctx, `SELECT coalesce(to_regclass($1)::oid, 0), coalesce((SELECT attnum FROM pg_attribute
		WHERE attrelid = to_regclass($1) AND attname = $2 AND NOT attisdropped), 0)`, quote(o.Table.Schema, o.Table.Name), o.Key).Scan(&m.OID, &m.KeyNum)
	return m, err
}

// scopedBy lists the types whose scope a filter of the type decides: itself, and
// its children.
func (s *Store) scopedBy(objectType string) []string {
	list := []string{objectType}
	for t, o := range s.objects {
		for _, f := range o.Parents() {
			if f.Required && f.Parent == objectType {
				list = append(list, t)
			}
		}
	}
	return list
}

func (m mapped) differs(from mapped) bool {
	return m.Table != from.Table || m.OID != from.OID || m.Key != from.Key || m.KeyNum != from.KeyNum || !maps.Equal(m.Columns, from.Columns) || !maps.Equal(m.Nums, from.Nums) || m.follows(from)
}

// follows reports whether more, or other, of an object is followed than before.
func (m mapped) follows(from mapped) bool {
	return m.Off != from.Off || m.Direction != from.Direction || m.Filter != from.Filter
}

// with gives the columns of now together with those of fields that are not
// mapped now. A custom field that lost its column is one of the others.
func (m mapped) with(o *mapping.Object, now map[string]string) map[string]string {
	columns := maps.Clone(m.Columns)
	if o.Custom != "" {
		maps.DeleteFunc(columns, func(name, _ string) bool { return mapping.IsCustom(name) })
	}
	maps.Copy(columns, now)
	return columns
}

// numbered gives the numbers of now together with those of columns that are not
// there now, and may come back.
func (m mapped) numbered(now map[string]int16) map[string]int16 {
	nums := maps.Clone(now)
	for name, num := range m.Nums {
		if _, here := nums[name]; !here {
			nums[name] = num
		}
	}
	return nums
}

// remade reports whether a column was dropped and made anew.
func (m mapped) remade(column string, now mapped) bool {
	before, after := m.Nums[column], now.Nums[column]
	return before != 0 && after != 0 && before != after
}

// column is where a field was.
func (m mapped) column(field string) string {
	if c, ok := m.Columns[field]; ok || !mapping.IsCustom(field) {
		return c
	}
	return m.Columns[others]
}

// moveFields forgets the bases of fields whose values are to be found elsewhere,
// and has the records compared, as after other changes of what is followed.
func (s *Store) moveFields(ctx context.Context, tx pgx.Tx, o *mapping.Object, was, now mapped) error {
	if err := was.mayBecome(o, now); err != nil {
		return err
	}
	var own, fields []string
	for _, f := range o.Fields {
		// What Close filled while it was not taken from there was never agreed upon.
		filled := (f.Filled || f.Chosen) && was.Direction == mapping.ToClose && now.Direction != mapping.ToClose
		if was.column(f.Close) != f.Column || was.remade(f.Column, now) || filled {
			fields = append(fields, f.Close)
		}
		own = append(own, f.Close)
	}
	rest := o.Custom != "" && (was.Columns[others] != o.Custom || was.remade(o.Custom, now))
	for name, column := range was.Columns {
		if mapping.IsCustom(name) && name != others && o.Custom != "" && column != o.Custom && !slices.Contains(own, name) {
			fields = append(fields, name)
		}
	}
	if len(fields) > 0 || rest {
		if err := s.forgetBases(ctx, tx, o, fields, own, rest); err != nil {
			return err
		}
	} else if !now.follows(was) {
		return nil
	}
	if now.Direction != was.Direction {
		if err := s.markUnsent(ctx, tx, o.Type); err != nil {
			return err
		}
	}
	if now.Filter != was.Filter {
		return s.owe(ctx, tx, s.scopedBy(o.Type))
	}
	return s.owe(ctx, tx, []string{o.Type})
}

// markUnsent has rows looked at again that were kept from Close.
func (s *Store) markUnsent(ctx context.Context, tx pgx.Tx, objectType string) error {
	ids, err := idsOf(ctx, tx, `SELECT id FROM closesync.records WHERE connection = $1 AND object_type = $2 AND close_id IS NULL AND state = 'synced'`, s.id, objectType)
	if err != nil {
		return err
	}
	return s.markIDs(ctx, tx, ids, true, engine.Cause{"source": "mapping"}, 0, 0)
}

// forgetBases has fields look never agreed upon; rest stands for all custom ones
// that are not among own, the mapped fields.
func (s *Store) forgetBases(ctx context.Context, tx pgx.Tx, o *mapping.Object, fields, own []string, rest bool) error {
	slices.Sort(fields)
	s.log.WarnContext(ctx, "fields are kept elsewhere than before: their columns are filled from Close", "object_type", o.Type,
		"fields", strings.Join(fields, ", "), "other_custom_fields", rest)
	_, err := tx.Exec(ctx, `UPDATE closesync.records r SET remote_hash = 0, base = (
			SELECT coalesce(json_object_agg(b.key, b.value), '{}') FROM json_each(r.base) b
			WHERE NOT (b.key = ANY ($3) OR $4 AND starts_with(b.key, 'custom.') AND NOT b.key = ANY ($5)))
		WHERE r.connection = $1 AND r.object_type = $2 AND r.base IS NOT NULL`, s.id, o.Type, fields, rest, own)
	return err
}

// mayBecome refuses what would take the rows of one table for those of another.
func (m mapped) mayBecome(o *mapping.Object, now mapped) error {
	sameTable := m.OID == now.OID && m.OID != 0
	switch {
	case m.Table != now.Table && !sameTable:
		return fmt.Errorf("%w: %s was kept in %s, the settings now say %s; correct table in the config file, or use a database of its own for the other table",
			ErrMoved, o.Type, m.Table, now.Table)
	case m.Key != now.Key && (!sameTable || m.KeyNum != now.KeyNum):
		return fmt.Errorf("%w: the key of %s was %s, the settings now say %s; correct key in the config file, or use a database of its own for the other key",
			ErrMoved, now.Table, m.Key, now.Key)
	}
	return nil
}

// CheckMapping says what meetMapping would refuse; it writes nothing.
func (s *Store) CheckMapping(ctx context.Context) error {
	known, err := s.knownMapping(ctx)
	if err != nil {
		return err
	}
	for _, objectType := range slices.Sorted(maps.Keys(s.objects)) {
		now, err := s.mappedNow(ctx, s.pool, s.objects[objectType])
		if err != nil {
			return fmt.Errorf("store.CheckMapping: %w", err)
		}
		if was, met := known[objectType]; met {
			if err := was.mayBecome(s.objects[objectType], now); err != nil {
				return err
			}
		}
	}
	return nil
}

// knownMapping is the mapping in force before; of a database that is not bound
// there is none.
func (s *Store) knownMapping(ctx context.Context) (map[string]mapped, error) {
	var text string
	known := map[string]mapped{}
	err := s.pool.QueryRow(ctx, `SELECT coalesce((SELECT mapped::text FROM closesync.connections WHERE id = $1 AND bound_at IS NOT NULL), '{}')`, s.id).Scan(&text)
	if err == nil {
		err = json.Unmarshal([]byte(text), &known)
	}
	if err != nil {
		return nil, fmt.Errorf("store.knownMapping: %w", err)
	}
	return known, nil
}
