package store

import (
	"context"
	"errors"
	"fmt"
	"maps"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"closesync/mapping"
	"closesync/sync/engine"
	"closesync/sync/reconcile"
)

// Decide locks the batch's records and rows, lets decide fill in their
// outcomes, type by type with parents first, and carries out the local part:
// rows, links, bases, conflicts, journal, intents, dirty marks and checkpoint,
// all in one transaction. decide may be called again if the transaction must
// be; it does no I/O.
func (s *Store) Decide(ctx context.Context, b engine.Batch, decide func(engine.Present, []*engine.State) error) error {
	err := s.repeated(ctx, lostRace, func(tx pgx.Tx) error {
		if b.Lazy {
			if err := lazily(ctx, tx); err != nil {
				return err
			}
		}
		if err := s.checkFences(ctx, tx, &b); err != nil {
			return err
		}
		w := &writing{Store: s, tx: tx}
		w.now.Tally = newTally(ctx, w)
		if err := w.begin(ctx); err != nil {
			return err
		}
		for _, objectType := range mapping.Types() {
			ids, closeIDs := b.IDs[objectType], b.CloseIDs[objectType]
			if s.table(objectType) == nil || len(ids)+len(closeIDs) == 0 {
				continue
			}
			states, err := s.loadTrue(ctx, tx, objectType, ids, closeIDs)
			if err != nil {
				return err
			}
			if err := s.noteDetached(ctx, tx, s.table(objectType), states); err != nil {
				return err
			}
			if len(b.Claims) == 0 {
				if err := s.loadUnanswered(ctx, tx, states); err != nil {
					return err
				}
			}
			if b.Owners {
				if err := s.loadOwners(ctx, tx, s.table(objectType), states); err != nil {
					return err
				}
			}
			if err := decide(w.now, readable(states)); err != nil {
				return err
			}
			if err := w.apply(ctx, objectType, states); err != nil {
				return fmt.Errorf("apply %s: %w", objectType, err)
			}
		}
		if err := w.finish(ctx, b); err != nil {
			return err
		}
		if b.Checkpoint != nil {
			return s.saveCheckpoint(ctx, tx, *b.Checkpoint)
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("store.Decide: %w", refusal(err))
	}
	return nil
}

// refusal tells the engine which errors are about single rows, rather than of a
// database that cannot work.
func refusal(err error) error {
	var pgErr *pgconn.PgError
	if !errors.As(err, &pgErr) {
		return err
	}
	switch pgErr.Code {
	case "55P03", "57014":
		return &engine.Refusal{InUse: true, Err: err}
	}
	switch pgErr.Code[:2] {
	case "22", "23", "42", "P0":
		return &engine.Refusal{Reason: pgErr.Error(), Link: pgErr.SchemaName == "closesync", Passing: pgErr.Code[:2] == "42", Err: err}
	}
	return err
}

// loadTrue loads states; what hints not absorbed yet say of missing rows, that
// a TRUNCATE took them or that they have other keys, is taken in first.
func (s *Store) loadTrue(ctx context.Context, tx pgx.Tx, objectType string, ids []int64, closeIDs []string) ([]*engine.State, error) {
	states, err := s.load(ctx, tx, objectType, ids, closeIDs)
	if err != nil {
		return nil, err
	}
	missing := withoutRows(states)
	if len(missing) == 0 {
		return states, nil
	}
	emptied, err := s.emptied(ctx, tx, objectType)
	if err != nil {
		return nil, err
	}
	if emptied {
		err = s.forgetRows(ctx, tx, objectType)
	}
	if err != nil {
		return nil, err
	}
	moved, err := s.follow(ctx, tx, objectType, missing)
	if err != nil || !emptied && !moved {
		return states, err
	}
	return s.load(ctx, tx, objectType, ids, closeIDs)
}

// withoutRows gives the states whose rows are missing.
func withoutRows(states []*engine.State) []*engine.State {
	var missing []*engine.State
	for _, st := range states {
		if st.LocalKey != "" && !st.Local.Exists && st.Status != engine.Deleted {
			missing = append(missing, st)
		}
	}
	return missing
}

// noteDetached marks the states whose rows went from a table with partitions
// without a delete that was captured: with a partition that was detached.
func (s *Store) noteDetached(ctx context.Context, tx pgx.Tx, t *table, states []*engine.State) error {
	if !t.partitioned {
		return nil
	}
	unseen := map[string]*engine.State{}
	for _, st := range withoutRows(states) {
		if !st.Removed {
			unseen[st.LocalKey] = st
		}
	}
	if len(unseen) == 0 {
		return nil
	}
	rows, err := tx.Query(ctx, `SELECT local_key FROM closesync.outbox WHERE connection = $1 AND object_type = $2 AND operation = 'D' AND local_key = ANY ($3)`,
		s.id, t.object.Type, keysOf(unseen))
	if err != nil {
		return err
	}
	deleted, err := pgx.CollectRows(rows, pgx.RowTo[string])
	for _, key := range deleted {
		delete(unseen, key)
	}
	for _, st := range unseen {
		st.Unseen = true
	}
	return err
}

// readable gives the states that can be decided on. A row that cannot be
// understood is parked with the reason, once, and holds up nobody; an edit
// that mends it is captured and tries again.
func readable(states []*engine.State) []*engine.State {
	good := make([]*engine.State, 0, len(states))
	for _, st := range states {
		switch {
		case st.Unreadable == "":
			good = append(good, st)
		case st.Status != engine.Errored || st.Error != st.Unreadable:
			st.Outcome = &engine.Outcome{Status: engine.Errored, Class: "row", Error: st.Unreadable}
		}
	}
	return good
}

// writing is the state of one Decide transaction.
type writing struct {
	*Store
	tx      pgx.Tx
	xid     int64
	now     engine.Present
	states  []*engine.State // those with an outcome
	ended   []*engine.State // those that tell the fate of writes
	journal []journalEntry
	copy    copier
}

// copyIn sends n rows, which each writes into the copier; large ones in several
// statements, so that what is held beside the rows themselves is bounded.
func (w *writing) copyIn(ctx context.Context, table string, columns []string, n int, each func(c *copier, i int)) error {
	w.copy.reserve(int64(n) * w.rowSize.Load())
	var sent int64
	for i := range n {
		w.copy.begin()
		each(&w.copy, i)
		w.copy.end()
		if i < n-1 && len(w.copy.buf) < copyBytes {
			continue
		}
		sent += int64(len(w.copy.buf))
		if err := w.copy.run(ctx, w.tx, table, columns); err != nil {
			return err
		}
	}
	w.rowSize.Store(sent/int64(n) + 1)
	return nil
}

// begin reads the transaction's number and what may not be done now.
func (w *writing) begin(ctx context.Context) error {
	var loaded, staged []string
	err := w.tx.QueryRow(ctx, `SELECT (pg_current_xact_id()::text::bigint & 4294967295), pause_to_close, pause_from_close,
		       ARRAY (SELECT object_type FROM closesync.first_loads WHERE connection = $1 AND loaded_at IS NOT NULL),
		       ARRAY (SELECT object_type FROM closesync.first_loads WHERE connection = $1 AND loaded_at IS NULL AND staged), (`+epochSQL+`)
		FROM closesync.connections WHERE id = $1`, w.id).Scan(&w.xid, &w.now.ToClosePaused, &w.now.FromClosePaused, &loaded, &staged, &w.now.Epoch)
	w.now.Loaded = map[string]bool{}
	for _, t := range loaded {
		w.now.Loaded[t] = true
	}
	w.now.Staged = map[string]bool{}
	for _, t := range staged {
		w.now.Staged[t] = true
	}
	return err
}

// apply carries out the outcomes of one object type.
func (w *writing) apply(ctx context.Context, objectType string, states []*engine.State) error {
	t := w.table(objectType)
	var decided []*engine.State
	for _, st := range states {
		if len(st.Ended) > 0 {
			w.ended = append(w.ended, st)
		}
		if st.Outcome != nil {
			decided = append(decided, st)
		}
	}
	if len(decided) == 0 {
		return nil
	}
	parents, err := w.parentKeys(ctx, t, decided)
	if err != nil {
		return err
	}
	if err := w.wantParents(ctx, t, decided, parents); err != nil {
		return err
	}
	for _, st := range decided {
		w.journal = append(w.journal, entries(st)...)
	}
	if err := w.hurried(ctx, func() error { return w.writeRows(ctx, t, decided, parents) }); err != nil {
		return err
	}
	if err := w.writeRecords(ctx, decided); err != nil {
		return err
	}
	if err := w.freeRows(ctx, objectType, decided); err != nil {
		return err
	}
	if err := w.release(ctx, objectType, decided); err != nil {
		return err
	}
	if err := w.passOn(ctx, objectType, decided); err != nil {
		return err
	}
	if err := w.takeFamilies(ctx, decided); err != nil {
		return err
	}
	w.states = append(w.states, decided...)
	if err := w.forgetRemoved(ctx, decided); err != nil {
		return err
	}
	return w.releaseReferences(ctx, objectType, decided)
}

// parentKeys looks up the local keys of every parent that a row to be written
// refers to.
func (w *writing) parentKeys(ctx context.Context, t *table, states []*engine.State) (map[string]map[string]string, error) {
	found := map[string]map[string]string{}
	for _, f := range t.object.Parents() {
		want := map[string]bool{}
		for _, st := range states {
			for _, r := range []mapping.Record{st.Outcome.Plan.LocalSet, st.Local.Record} {
				if id, ok := r.Get(f.Close).Text(); ok {
					want[id] = true
				}
			}
		}
		keys := w.made(f.Parent, want)
		if len(want) > 0 {
			others, err := w.localKeys(ctx, w.tx, f.Parent, keysOf(want))
			if err != nil {
				return nil, err
			}
			maps.Copy(keys, others)
		}
		found[f.Parent] = keys
	}
	return found, nil
}

// made takes out of want the records whose rows this transaction has inserted:
// at the first load, all of them.
func (w *writing) made(objectType string, want map[string]bool) map[string]string {
	keys := make(map[string]string, len(want))
	for _, st := range w.states {
		if st.Type == objectType && st.Outcome.Plan.Local == reconcile.Create && st.LocalKey != "" && want[st.CloseID] {
			keys[st.CloseID] = st.LocalKey
			delete(want, st.CloseID)
		}
	}
	return keys
}

func (w *writing) writeRows(ctx context.Context, t *table, states []*engine.State, parents map[string]map[string]string) error {
	var inserts, updates []*rowWrite
	var deletes, flags, unlinks []string
	for _, st := range states {
		o := st.Outcome
		closes := st.CloseID
		if o.CloseID != "" {
			closes = o.CloseID
		}
		switch o.Plan.Local {
		case reconcile.Create:
			inserts = append(inserts, &rowWrite{state: st, record: o.Plan.LocalSet, closes: closes})
		case reconcile.Update:
			if len(o.Plan.LocalSet) == 0 && !st.Mislabelled && (o.CloseID == "" || o.CloseID == st.CloseID) {
				continue // all that it changes was put off
			}
			rec := st.Local.Record.Clone()
			for k, v := range o.Plan.LocalSet {
				rec[k] = v
			}
			updates = append(updates, &rowWrite{st, st.LocalKey, rec, closes, o.Plan.LocalSet})
		case reconcile.Delete:
			if err := w.lockRow(ctx, t, st.LocalKey); err != nil {
				return err
			}
			if o.Move != "" {
				if err := w.move(ctx, t.object.Type, st, o.Move); err != nil {
					return err
				}
			}
			deletes = append(deletes, st.LocalKey)
		case reconcile.Flag:
			flags = append(flags, st.LocalKey)
		case reconcile.Detach:
			unlinks = append(unlinks, st.LocalKey)
		case reconcile.None:
			if w.now.FromClosePaused || ends(st) {
				continue // a link's id goes to its row after the pause; an ended one never
			}
			if o.Untouched || st.Busy {
				continue
			}
			if st.Local.Exists && st.Unreadable == "" && (st.Mislabelled || (o.CloseID != "" && o.CloseID != st.CloseID)) {
				updates = append(updates, &rowWrite{st, st.LocalKey, st.Local.Record, closes, nil})
			}
		}
	}
	fresh, err := w.putBack(ctx, t, inserts, parents)
	if err != nil {
		return err
	}
	if err := w.insertRows(ctx, t, fresh, parents); err != nil {
		return err
	}
	if err := w.freeLabels(ctx, t, updates); err != nil {
		return err
	}
	if err := w.updateRows(ctx, w.tx, t, updates, parents); err != nil {
		return err
	}
	if err := w.heedTriggers(ctx, t, append(fresh, updates...)); err != nil {
		return err
	}
	if err := w.deleteParents(ctx, t, deletes); err != nil {
		return err
	}
	if err := w.setColumn(ctx, w.tx, t, t.object.OnClose.Column, "true", flags); err != nil {
		return err
	}
	return w.setColumn(ctx, w.tx, t, t.object.CloseID, "NULL", unlinks)
}

// hurried has f wait no longer for users' locks than users are to wait for ours
// (target T24): their foreign keys and unique keys may stand in the way.
func (w *writing) hurried(ctx context.Context, f func() error) error {
	if _, err := w.tx.Exec(ctx, "SELECT set_config('lock_timeout', '40ms', true)"); err != nil {
		return err
	}
	if err := f(); err != nil {
		return err
	}
	_, err := w.tx.Exec(ctx, "SELECT set_config('lock_timeout', '"+patience+"', true)")
	return err
}

// lockRow makes sure that no child comes to a row which is about to be deleted:
// a cascade would take it along unseen.
func (w *writing) lockRow(ctx context.Context, t *table, key string) error {
	_, err := w.tx.Exec(ctx, fmt.Sprintf("SELECT FROM %s WHERE %s = $1::text::%s FOR UPDATE NOWAIT", t.name, t.key, t.keyCast), key)
	return err
}

// errUndecided: the lead that a merge leads to was deleted here, and it is not
// decided yet whether it comes back.
var errUndecided = errors.New("the lead that it was merged into has no row now")

// move re-points the children of a merged lead before its row goes.
func (w *writing) move(ctx context.Context, objectType string, st *engine.State, into string) error {
	keys, err := w.localKeys(ctx, w.tx, objectType, []string{into})
	if err != nil || keys[into] == st.LocalKey {
		return err
	}
	if keys[into] == "" {
		open, err := w.undecided(ctx, objectType, into)
		if open {
			return &engine.Refusal{InUse: true, Err: errUndecided}
		}
		return err
	}
	return w.moveChildren(ctx, w.tx, objectType, st.LocalKey, keys[into])
}

// undecided reports whether the row of a record was deleted here while Close
// still has it.
func (w *writing) undecided(ctx context.Context, objectType, closeID string) (yes bool, err error) {
	err = w.tx.QueryRow(ctx, `SELECT EXISTS (SELECT FROM closesync.records r WHERE r.connection = $1 AND r.object_type = $2 AND r.close_id = $3
		AND r.state <> 'deleted' AND `+w.table(objectType).rowless("r")+`)`, w.id, objectType, closeID).Scan(&yes)
	return yes, err
}

func (w *writing) finish(ctx context.Context, b engine.Batch) error {
	if err := w.saveConflicts(ctx); err != nil {
		return err
	}
	if err := w.saveHolds(ctx); err != nil {
		return err
	}
	if err := w.saveIntents(ctx); err != nil {
		return err
	}
	if err := w.endIntents(ctx); err != nil {
		return err
	}
	if err := w.noteTold(ctx); err != nil {
		return err
	}
	if err := w.noteParted(ctx); err != nil {
		return err
	}
	if err := w.saveJournal(ctx, b.Run); err != nil {
		return err
	}
	if err := w.finishClaims(ctx, w.tx, b.Claims); err != nil {
		return err
	}
	return w.markAgain(ctx)
}
