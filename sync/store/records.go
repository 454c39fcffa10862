package store

import (
	"context"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/jackc/pgx/v5"

	"closesync/mapping"
	"closesync/sync/engine"
	"closesync/sync/reconcile"
)

// recordRow is one row of closesync.records to write.
type recordRow struct {
	ID                int64
	CloseID, LocalKey *string
	Base              *string
	Version           *time.Time
	Hash              *int64
	XID               *int64
	State             string
	Error, Class      *string
	Alias             *string
	Parked            *string
	Learned           *string
	WaitsFor          *string
}

func (w *writing) writeRecords(ctx context.Context, states []*engine.State) error {
	var made, changed []*engine.State
	for _, st := range states {
		if st.ID == 0 {
			made = append(made, st)
		} else {
			changed = append(changed, st)
		}
	}
	if err := w.insertRecords(ctx, made); err != nil {
		return err
	}
	return w.updateRecords(ctx, changed)
}

func (w *writing) insertRecords(ctx context.Context, states []*engine.State) error {
	if len(states) == 0 {
		return nil
	}
	rows, err := w.tx.Query(ctx, "SELECT nextval((SELECT pg_get_serial_sequence('closesync.records', 'id')::regclass)), closesync.clock() FROM generate_series(1, $1)", len(states))
	if err != nil {
		return err
	}
	ids := make([]int64, 0, len(states))
	var id int64
	var now time.Time
	if _, err := pgx.ForEachRow(rows, []any{&id, &now}, func() error {
		ids = append(ids, id)
		return nil
	}); err != nil {
		return err
	}
	connection := itoa(int64(w.id))
	columns := []string{"id", "connection", "object_type", "close_id", "local_key", "base", "remote_version", "remote_hash",
		"local_xid", "state", "last_synced_at", "last_error", "error_class", "alias_of", "parked", "waits_for"}
	return w.copyIn(ctx, "closesync.records", columns, len(states), func(b *copier, i int) {
		states[i].ID = ids[i]
		r := w.row(states[i])
		b.text(itoa(r.ID))
		b.text(connection)
		b.text(states[i].Type)
		b.optional(deref(r.CloseID), r.CloseID != nil)
		b.optional(deref(r.LocalKey), r.LocalKey != nil)
		b.optional(deref(r.Base), r.Base != nil)
		if r.Version != nil {
			b.text(r.Version.Format(time.RFC3339Nano))
		} else {
			b.null()
		}
		b.text(itoa(deref(r.Hash)))
		b.optional(itoa(deref(r.XID)), r.XID != nil)
		b.text(r.State)
		b.text(now.Format(time.RFC3339Nano))
		b.optional(deref(r.Error), r.Error != nil)
		b.optional(deref(r.Class), r.Class != nil)
		b.optional(deref(r.Alias), r.Alias != nil)
		b.optional(deref(r.Parked), r.Parked != nil)
		b.optional(deref(r.WaitsFor), r.WaitsFor != nil)
	})
}

// ends reports whether a record ends without its row: none is left, or a new
// one has taken the key while the delete of the old one was on its way.
func ends(st *engine.State) bool {
	local := st.Outcome.Plan.Local
	return st.Outcome.Status == engine.Deleted && local != reconcile.Flag && local != reconcile.Detach
}

// freeRows has new records made for rows that outlive the record of their key.
func (w *writing) freeRows(ctx context.Context, objectType string, states []*engine.State) error {
	var keys []string
	for _, st := range states {
		if ends(st) && st.Local.Exists && st.Outcome.Plan.Local == reconcile.None {
			keys = append(keys, st.LocalKey)
		}
	}
	return w.markSurvivors(ctx, objectType, keys)
}

// row gives the record as it is after its outcome.
func (w *writing) row(st *engine.State) recordRow {
	o := st.Outcome
	r := recordRow{ID: st.ID, State: string(st.Status)}
	r.Error, r.Class, r.WaitsFor = some(st.Error), some(st.Class), some(st.WaitsFor)
	if o.Status != "" {
		r.State = string(o.Status)
		r.Error, r.Class, r.WaitsFor = some(o.Error), some(o.Class), some(o.WaitsFor)
	}
	if o.WaitsFor != "" {
		r.WaitsFor = some(o.WaitsFor)
	}
	id := st.CloseID
	if o.CloseID != "" {
		id = o.CloseID
	}
	r.CloseID = some(id)
	key := st.LocalKey
	if o.Plan.Local == reconcile.Delete || ends(st) {
		key = ""
	}
	r.LocalKey = some(key)
	base := st.Base
	if o.Plan.Base != nil {
		base = o.Plan.Base
	}
	if o.Status == engine.Deleted {
		base = nil
	}
	if base != nil {
		text := string(mapping.EncodeBase(base))
		r.Base = &text
	}
	version, hash := st.Version, st.Hash
	if !o.Version.IsZero() {
		version, hash = o.Version, o.Hash
	}
	if !version.IsZero() {
		r.Version = &version
	}
	r.Hash = &hash
	// The row is as we know it: written now, or read and found to agree.
	if key != "" {
		r.XID = &w.xid
	}
	r.Alias = some(st.AliasOf)
	if o.AliasOf != "" {
		r.Alias = some(o.AliasOf)
	}
	parked := st.Parked
	if o.Parked != nil {
		parked = o.Parked
	}
	if len(parked) > 0 {
		raw, _ := json.Marshal(parked, json.Deterministic(true))
		r.Parked = some(string(raw))
	}
	learned := st.Learned
	if o.Learned != nil {
		learned = o.Learned
	}
	if len(learned) > 0 && key != "" {
		raw, _ := json.Marshal(learned, json.Deterministic(true))
		r.Learned = some(string(raw))
	}
	return r
}

func some(s string) *string {
	if s == "" {
		return nil
	}
	return &s
}

// updateRecords writes records over. local_xid is taken from the row itself:
// a row that this transaction did not write keeps its own xmin.
func (w *writing) updateRecords(ctx context.Context, states []*engine.State) error {
	if len(states) == 0 {
		return nil
	}
	n := len(states)
	ids, hashes := make([]int64, n), make([]*int64, n)
	text := func() []*string { return make([]*string, n) }
	closes, keys, bases, errs, classes, aliases, parked, learned, waits := text(), text(), text(), text(), text(), text(), text(), text(), text()
	versions, statuses := make([]*time.Time, n), make([]string, n)
	taken := map[string]*engine.State{}
	for i, st := range states {
		r := w.row(st)
		ids[i], closes[i], keys[i], bases[i], versions[i], hashes[i] = r.ID, r.CloseID, r.LocalKey, r.Base, r.Version, r.Hash
		statuses[i], errs[i], classes[i], aliases[i], parked[i], learned[i], waits[i] = r.State, r.Error, r.Class, r.Alias, r.Parked, r.Learned, r.WaitsFor
		if st.CloseID == "" && r.CloseID != nil {
			taken[*r.CloseID] = st
		}
	}
	if err := w.dropStandIns(ctx, states[0].Type, taken); err != nil {
		return err
	}
	t := w.table(states[0].Type)
	_, err := w.tx.Exec(ctx, `
		UPDATE closesync.records r SET close_id = v.close_id, local_key = v.local_key, base = v.base::json, remote_version = v.version,
		       remote_hash = v.hash, state = v.state, last_error = v.err, error_class = v.class, alias_of = v.alias,
		       parked = v.parked::jsonb, learned = v.learned::jsonb, waits_for = v.waits_for, last_synced_at = closesync.clock(), local_xid = coalesce(t.xmin::text::bigint, r.local_xid),
		       attempts = CASE WHEN v.err IS NULL THEN 0 ELSE r.attempts + 1 END
		FROM unnest($1::bigint[], $2::text[], $3::text[], $4::text[], $5::timestamptz[], $6::bigint[], $7::text[], $8::text[],
		            $9::text[], $10::text[], $11::text[], $12::text[], $13::text[])
		     AS v(id, close_id, local_key, base, version, hash, state, err, class, alias, parked, learned, waits_for)
		LEFT JOIN `+t.name+` t ON t.`+t.key+` = v.local_key::`+t.keyCast+`
		WHERE r.id = v.id`, ids, closes, keys, bases, versions, hashes, statuses, errs, classes, aliases, parked, learned, waits)
	return err
}

// dropStandIns removes the records that hints made for a Close id before its
// create was linked. Those hints may tell of edits after the create, so the
// linked record takes over their marks.
func (w *writing) dropStandIns(ctx context.Context, objectType string, taken map[string]*engine.State) error {
	if len(taken) == 0 {
		return nil
	}
	rows, err := w.tx.Query(ctx, `DELETE FROM closesync.records WHERE connection = $1 AND object_type = $2
		AND close_id = ANY ($3) AND local_key IS NULL RETURNING close_id`, w.id, objectType, keysOf(taken))
	if err != nil {
		return err
	}
	dropped, err := pgx.CollectRows(rows, pgx.RowTo[string])
	for _, id := range dropped {
		o := taken[id].Outcome
		o.Mark, o.Fetch = true, true
	}
	return err
}
