package store

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
	"github.com/jackc/pgx/v5"

	"closesync/mapping"
	"closesync/sync/engine"
	"closesync/sync/reconcile"
)

const loadSQL = `
SELECT r.id, r.close_id, r.local_key, r.base::text, r.remote_version, r.remote_hash, r.local_xid, r.state, r.alias_of,
       r.parked::text, r.last_error, r.error_class, r.learned::text,
       r.existed, r.removed IS NOT NULL, coalesce(r.waits_for, ''), ` + holdsOf + `
FROM closesync.records r
WHERE r.connection = $1 AND r.object_type = $2 AND %s
ORDER BY r.id FOR UPDATE`

// load reads and locks the records named by row id or by Close id, with their
// rows. A Close id without a record gives a State with ID 0.
func (s *Store) load(ctx context.Context, tx pgx.Tx, objectType string, ids []int64, closeIDs []string) ([]*engine.State, error) {
	var states []*engine.State
	byClose := map[string]*engine.State{}
	xids := map[*engine.State]int64{}
	read := func(where string, arg any) error {
		rows, err := tx.Query(ctx, fmt.Sprintf(loadSQL, where), s.id, objectType, arg)
		if err != nil {
			return err
		}
		defer rows.Close()
		for rows.Next() {
			st, xid, err := scanState(rows, objectType)
			if err != nil {
				return err
			}
			states = append(states, st)
			xids[st] = xid
			if st.CloseID != "" {
				byClose[st.CloseID] = st
			}
		}
		return rows.Err()
	}
	if len(ids) > 0 {
		if err := read("r.id = ANY ($3)", ids); err != nil {
			return nil, err
		}
	}
	if len(closeIDs) > 0 {
		if err := read("r.close_id = ANY ($3)", closeIDs); err != nil {
			return nil, err
		}
	}
	for _, id := range closeIDs {
		if byClose[id] == nil {
			st := &engine.State{Type: objectType, CloseID: id, Status: engine.Synced}
			states = append(states, st)
			byClose[id] = st
		}
	}
	if err := s.loadRows(ctx, tx, objectType, states, xids); err != nil {
		return nil, fmt.Errorf("store.load(%s): %w", objectType, err)
	}
	if err := s.loadAbsent(ctx, tx, s.table(objectType), states); err != nil {
		return nil, fmt.Errorf("store.load(%s): %w", objectType, err)
	}
	if err := s.noteMeets(ctx, tx, s.table(objectType), states); err != nil {
		return nil, fmt.Errorf("store.load(%s): %w", objectType, err)
	}
	return states, s.noteCreating(ctx, tx, objectType, states)
}

func scanState(rows pgx.Rows, objectType string) (st *engine.State, xid int64, err error) {
	st = &engine.State{Type: objectType}
	var closeID, localKey, alias, base, parked, lastError, class, learned, holds *string
	var version *time.Time
	var hash, written *int64
	if err := rows.Scan(&st.ID, &closeID, &localKey, &base, &version, &hash, &written, &st.Status, &alias, &parked, &lastError, &class, &learned,
		&st.Existed, &st.Removed, &st.WaitsFor, &holds); err != nil {
		return nil, 0, err
	}
	st.CloseID, st.LocalKey, st.AliasOf, st.Error = deref(closeID), deref(localKey), deref(alias), deref(lastError)
	if base != nil {
		b, err := mapping.DecodeBase([]byte(*base))
		if err != nil {
			return nil, 0, fmt.Errorf("base of record %d: %w", st.ID, err)
		}
		st.Base = b
	}
	if parked != nil {
		if err := json.Unmarshal([]byte(*parked), &st.Parked); err != nil {
			return nil, 0, err
		}
	}
	st.Class = deref(class)
	if learned != nil {
		if err := json.Unmarshal([]byte(*learned), &st.Learned); err != nil {
			return nil, 0, err
		}
	}
	if version != nil {
		st.Version = version.UTC()
	}
	st.Hash = deref(hash)
	st.Holds, err = decodeHolds(holds)
	return st, deref(written), err
}

func deref[T any](p *T) T {
	var zero T
	if p == nil {
		return zero
	}
	return *p
}

// loadRows reads the rows of the states that have one, and locks them. One that
// somebody else has locked is not waited for, since others may wait for what is
// locked here: it is read as it was last committed, and nothing is written to it.
func (s *Store) loadRows(ctx context.Context, tx pgx.Tx, objectType string, states []*engine.State, xids map[*engine.State]int64) error {
	t := s.table(objectType)
	wanted := map[string]*engine.State{}
	for _, st := range states {
		if st.LocalKey != "" {
			wanted[st.LocalKey] = st
		}
	}
	if len(wanted) == 0 {
		return nil
	}
	lock := "FOR NO KEY UPDATE SKIP LOCKED"
	if s.rehearses {
		lock = ""
	}
	if err := t.readRows(ctx, tx, wanted, xids, lock); err != nil {
		return err
	}
	maps.DeleteFunc(wanted, func(_ string, st *engine.State) bool { return st.Local.Exists })
	if len(wanted) > 0 && !s.rehearses {
		if err := t.readRows(ctx, tx, wanted, xids, ""); err != nil {
			return err
		}
		for _, st := range wanted {
			st.Busy = st.Local.Exists
		}
		maps.DeleteFunc(wanted, func(_ string, st *engine.State) bool { return st.Local.Exists })
		if len(wanted) > 0 {
			// Hidden is not gone.
			if err := seen(ctx, tx, t.object); err != nil {
				s.veiled.CompareAndSwap(false, errors.Is(err, errHidden))
				return err
			}
		}
	}
	return s.resolveParents(ctx, tx, t, states)
}

// readRows fills in the rows of states by key.
func (t *table) readRows(ctx context.Context, tx pgx.Tx, byKey map[string]*engine.State, xids map[*engine.State]int64, lock string) error {
	rows, err := tx.Query(ctx, fmt.Sprintf(`
		SELECT t.%[2]s::text, t.xmin::text::bigint, coalesce(t.%[4]s::text, ''), %[5]s FROM %[1]s t
		WHERE t.%[2]s = ANY ($1::text[]::%[3]s[]) ORDER BY t.%[2]s %[6]s`, t.name, t.key, t.keyCast, t.closeID, t.json(), lock), keysOf(byKey))
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		var key, label, row string
		var xmin int64
		if err := rows.Scan(&key, &xmin, &label, &row); err != nil {
			return err
		}
		st := byKey[key]
		if st == nil {
			continue
		}
		st.Touched = xmin != xids[st]
		st.Mislabelled = st.CloseID != "" && label != st.CloseID && st.Status != engine.Deleted && st.Status != engine.Detached
		rec, err := t.record([]byte(row))
		if err != nil {
			st.Unreadable = err.Error()
		}
		st.Local = reconcile.Side{Exists: true, Record: rec}
	}
	return rows.Err()
}

// record makes a Record of a row as table.json gives it. References hold local
// keys until resolveParents.
func (t *table) record(row []byte) (mapping.Record, error) {
	var raw map[string]jsontext.Value
	if err := json.Unmarshal(row, &raw); err != nil {
		return nil, err
	}
	rec := make(mapping.Record, len(t.columns)+8)
	for _, c := range t.columns {
		v, ok := raw[c.field.Column]
		if !ok {
			continue
		}
		if c.field.Kind == mapping.Reference {
			rec[c.field.Close] = localKeyValue(v)
			continue
		}
		value, err := mapping.FromColumn(c.field, v)
		if err != nil {
			return nil, err
		}
		rec[c.field.Close] = value
	}
	if t.custom != nil {
		if err := t.addCustom(rec, raw[t.custom.field.Column]); err != nil {
			return nil, err
		}
	}
	return rec, nil
}

func (t *table) addCustom(rec mapping.Record, raw jsontext.Value) error {
	if len(raw) == 0 || raw.Kind() == 'n' {
		return nil
	}
	if raw.Kind() != '{' {
		return fmt.Errorf("column %s: an object of custom fields expected, got %s", t.custom.field.Column, raw)
	}
	var custom map[string]jsontext.Value
	if err := json.Unmarshal(raw, &custom); err != nil {
		return err
	}
	for id, v := range custom {
		f := mapping.Field{Close: "custom." + id, Kind: mapping.Any}
		if _, own := rec[f.Close]; own || t.object.IsMarker(f.Close) {
			continue
		}
		value, err := mapping.Canon(f, v)
		if err != nil {
			return err
		}
		rec[f.Close] = value
	}
	return nil
}

func localKeyValue(raw jsontext.Value) mapping.Value {
	switch raw.Kind() {
	case 'n':
		return mapping.Null
	case '"':
		var key string
		if err := json.Unmarshal(raw, &key); err == nil {
			return mapping.LocalRef(key)
		}
	}
	return mapping.LocalRef(string(raw))
}

// resolveParents turns the local keys in reference columns into Close ids; a
// parent that has none yet stays a LocalRef.
func (s *Store) resolveParents(ctx context.Context, tx pgx.Tx, t *table, states []*engine.State) error {
	for _, f := range t.object.Parents() {
		keys := map[string]bool{}
		for _, st := range states {
			if v := st.Local.Record.Get(f.Close); mapping.IsLocalRef(v) {
				keys[refKey(v)] = true
			}
		}
		if len(keys) == 0 {
			continue
		}
		known, err := s.closeIDs(ctx, tx, f.Parent, keysOf(keys))
		if err != nil {
			return err
		}
		for key := range keys {
			if known[key] != "" {
				delete(keys, key)
			}
		}
		stuck, err := s.awaited(ctx, tx, f, keysOf(keys))
		if err != nil {
			return err
		}
		for _, st := range states {
			v := st.Local.Record.Get(f.Close)
			if !mapping.IsLocalRef(v) {
				continue
			}
			if id := known[refKey(v)]; id != "" {
				st.Local.Record[f.Close] = mapping.TextValue(id)
				continue
			}
			a := stuck[refKey(v)]
			a.Parent, a.Key, a.Required = f.Parent, refKey(v), f.Required
			a.Never = s.objects[f.Parent].Direction == mapping.FromClose
			st.Awaits = append(st.Awaits, a)
		}
	}
	return nil
}

// awaited tells how the rows of a parent type fare that have no Close id yet.
// The lock orders it with their link: either that is seen here, or it comes
// later and finds who waits.
func (s *Store) awaited(ctx context.Context, tx pgx.Tx, f mapping.Field, keys []string) (map[string]engine.Await, error) {
	found := map[string]engine.Await{}
	if len(keys) == 0 {
		return found, nil
	}
	rows, err := tx.Query(ctx, `SELECT local_key, state, coalesce(last_error, '') FROM closesync.records
		WHERE connection = $1 AND object_type = $2 AND local_key = ANY ($3) AND close_id IS NULL ORDER BY id FOR SHARE`, s.id, f.Parent, keys)
	if err != nil {
		return nil, err
	}
	var a engine.Await
	_, err = pgx.ForEachRow(rows, []any{&a.Key, &a.Status, &a.Error}, func() error {
		found[a.Key] = a
		return nil
	})
	return found, err
}

func refKey(v mapping.Value) string {
	var ref struct {
		Local string `json:"local"`
	}
	_ = json.Unmarshal([]byte(v), &ref)
	return ref.Local
}

// keysOf lists the keys in one order, so that the same state makes the same
// statements.
func keysOf[V any](m map[string]V) []string {
	list := make([]string, 0, len(m))
	for k := range m {
		list = append(list, k)
	}
	slices.Sort(list)
	return list
}

// closeIDs gives the Close ids of rows by local key.
func (s *Store) closeIDs(ctx context.Context, q Querier, objectType string, keys []string) (map[string]string, error) {
	return s.pairs(ctx, q, `SELECT local_key, close_id FROM closesync.records
		WHERE connection = $1 AND object_type = $2 AND local_key = ANY ($3) AND close_id IS NOT NULL AND state <> 'deleted'`, objectType, keys)
}

// localKeys gives the keys of the rows of records by Close id, following merges.
// A row that was deleted here, of which Close is yet to know, is not there.
func (s *Store) localKeys(ctx context.Context, q Querier, objectType string, ids []string) (map[string]string, error) {
	there := "r.local_key IS NOT NULL"
	if t := s.table(objectType); t != nil {
		there += " AND NOT " + t.rowless("r")
	}
	found, err := s.pairs(ctx, q, `SELECT r.close_id, r.local_key FROM closesync.records r
		WHERE r.connection = $1 AND r.object_type = $2 AND r.close_id = ANY ($3) AND `+there, objectType, ids)
	if err != nil || len(found) == len(ids) {
		return found, err
	}
	aliases, err := s.pairs(ctx, q, `SELECT close_id, alias_of FROM closesync.records
		WHERE connection = $1 AND object_type = $2 AND close_id = ANY ($3) AND alias_of IS NOT NULL AND local_key IS NULL`, objectType, ids)
	if err != nil || len(aliases) == 0 {
		return found, err
	}
	var into []string
	for _, id := range aliases {
		into = append(into, id)
	}
	survivors, err := s.localKeys(ctx, q, objectType, into)
	for id, survivor := range aliases {
		if key, ok := survivors[survivor]; ok {
			found[id] = key
		}
	}
	return found, err
}

func (s *Store) pairs(ctx context.Context, q Querier, sql, objectType string, list []string) (map[string]string, error) {
	rows, err := q.Query(ctx, sql, s.id, objectType, list)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	found := map[string]string{}
	for rows.Next() {
		var from, to string
		if err := rows.Scan(&from, &to); err != nil {
			return nil, err
		}
		found[from] = to
	}
	return found, rows.Err()
}

// noteCreating marks unknown records while a create of their type is under
// way: one of them may be its effect, so none may become a new row yet.
func (s *Store) noteCreating(ctx context.Context, tx pgx.Tx, objectType string, states []*engine.State) error {
	unknown := false
	for _, st := range states {
		unknown = unknown || (st.LocalKey == "" && st.Base == nil && st.Status != engine.Deleted)
	}
	if !unknown {
		return nil
	}
	creating, err := s.creates(ctx, tx, objectType)
	if err != nil {
		return err
	}
	for _, st := range states {
		st.Creating = creating
	}
	return nil
}

// creates gathers the creates of a type without an answer. One that a person
// must decide keeps only its candidates back, as long as its row waits.
func (s *Store) creates(ctx context.Context, q Querier, objectType string) (engine.Creating, error) {
	c := engine.Creating{Markers: map[string]bool{}, Candidates: map[string]bool{}}
	rows, err := q.Query(ctx, `SELECT coalesce(i.marker, ''), coalesce(i.close_at, '-infinity'::timestamptz) = '-infinity'::timestamptz,
		       i.close_at, i.state = 'ambiguous', i.candidates
		FROM closesync.intents i JOIN closesync.records r ON r.id = i.record_id
		WHERE i.connection = $1 AND i.object_type = $2 AND i.action = 'create' AND i.state IN ('open', 'unknown', 'ambiguous')
		  AND (i.state <> 'ambiguous' OR r.state = 'error' AND r.close_id IS NULL)`, s.id, objectType)
	if err != nil {
		return c, err
	}
	defer rows.Close()
	for rows.Next() {
		var marker string
		var always, ambiguous bool
		var since *time.Time
		var candidates []string
		if err := rows.Scan(&marker, &always, &since, &ambiguous, &candidates); err != nil {
			return c, err
		}
		switch {
		case ambiguous:
			for _, id := range candidates {
				c.Candidates[id] = true
			}
		case marker != "":
			c.Markers[marker] = true
		default:
			c.AddUnmarked(deref(since))
		}
	}
	return c, rows.Err()
}

// creating reports whether a create of a type is under way.
func (s *Store) creating(ctx context.Context, q Querier, objectType string) (yes bool, err error) {
	err = q.QueryRow(ctx, `SELECT EXISTS (SELECT FROM closesync.intents
		WHERE connection = $1 AND object_type = $2 AND action = 'create' AND state IN ('open', 'unknown'))`, s.id, objectType).Scan(&yes)
	return yes, err
}
