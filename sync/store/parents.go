package store

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"closesync/mapping"
	"closesync/sync/engine"
	"closesync/sync/reconcile"
)

// wantParents puts off the rows whose parent has no row here yet: the parent
// is marked to be fetched, the child waits. If the parent itself waits for a
// person, the child waits with it. A reference that may be empty is left empty
// for now and the record stays marked.
func (w *writing) wantParents(ctx context.Context, t *table, states []*engine.State, parents map[string]map[string]string) error {
	for _, f := range t.object.Parents() {
		missing := map[string][]*engine.State{}
		for _, st := range states {
			id, ok := st.Outcome.Plan.LocalSet.Get(f.Close).Text()
			if ok && parents[f.Parent][id] == "" {
				missing[id] = append(missing[id], st)
			}
		}
		if len(missing) == 0 {
			continue
		}
		parked, err := w.parkedParents(ctx, f.Parent, keysOf(missing))
		if err != nil {
			return err
		}
		var fetch []string
		for id, list := range missing {
			why, stuck := parked[id]
			if w.objects[f.Parent].Direction == mapping.ToClose {
				why, stuck = "records of its type do not come from Close", true
			}
			if !stuck {
				fetch = append(fetch, id)
			}
			for _, st := range list {
				putOff(st, f.Close, f.Required)
				o := st.Outcome
				o.WaitsFor = engine.CloseName(f.Parent, id)
				switch {
				case !stuck:
					o.Mark, o.Fetch = true, true
					o.After = max(o.After, 200*time.Millisecond)
				case f.Required:
					o.Status, o.Class = engine.Errored, "parent"
					o.Error = fmt.Sprintf("waits for its parent, %s, which has no row here: %s", id, why)
				}
			}
		}
		if err := w.markRemote(ctx, w.tx, f.Parent, fetch, true); err != nil {
			return err
		}
	}
	return nil
}

// putOff takes the reference out of an outcome, or all of it if the row cannot
// be without.
func putOff(st *engine.State, field string, required bool) {
	o := st.Outcome
	o.Hash = 0
	if required {
		o.Plan, o.Intent = reconcile.Plan{}, nil
		return
	}
	delete(o.Plan.LocalSet, field)
	delete(o.Plan.Base, field)
}

// parkedParents gives the reasons of those records that get no row by
// themselves. For the lock see awaited.
func (w *writing) parkedParents(ctx context.Context, objectType string, closeIDs []string) (map[string]string, error) {
	parked := "r.local_key IS NULL AND r.state = 'error'"
	if t := w.table(objectType); t != nil {
		// Deleted here, and that waits for somebody; or Close is never to know.
		parked += " OR r.state IN ('held', 'error') AND " + t.rowless("r")
		if t.object.OnLocal == "ignore" {
			parked += " OR " + t.rowless("r")
		}
	}
	rows, err := w.tx.Query(ctx, `SELECT r.close_id, coalesce(r.last_error, 'it was deleted here') FROM closesync.records r
		WHERE r.connection = $1 AND r.object_type = $2 AND r.close_id = ANY ($3) AND r.state <> 'deleted' AND (`+parked+`) ORDER BY r.id FOR SHARE OF r`, w.id, objectType, closeIDs)
	if err != nil {
		return nil, err
	}
	found := map[string]string{}
	var id, why string
	_, err = pgx.ForEachRow(rows, []any{&id, &why}, func() error {
		found[id] = why
		return nil
	})
	return found, err
}

// release makes the children due that waited for records which are linked now,
// or gone.
func (w *writing) release(ctx context.Context, objectType string, states []*engine.State) error {
	var names []string
	for _, st := range states {
		id, key := st.CloseID, st.LocalKey
		if st.Outcome.CloseID != "" {
			id = st.Outcome.CloseID
		}
		linked := id != "" && key != "" && (st.CloseID == "" || !st.Local.Exists)
		gone := id != "" && st.Outcome.Status == engine.Deleted && st.Status != engine.Deleted
		if linked || gone {
			names = append(names, engine.LocalName(objectType, key), engine.CloseName(objectType, id))
		}
	}
	return w.rouseChildren(ctx, w.tx, names)
}

// rouseChildren marks the records that wait for the named parents.
func (s *Store) rouseChildren(ctx context.Context, q Querier, parents []string) error {
	if len(parents) == 0 {
		return nil
	}
	ids, err := idsOf(ctx, q, `SELECT id FROM closesync.records WHERE connection = $1 AND waits_for = ANY ($2)`, s.id, parents)
	if err != nil {
		return err
	}
	return s.markIDs(ctx, q, ids, true, engine.Cause{"source": "parent"}, 1, 0)
}
