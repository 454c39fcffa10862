package store

import (
	"context"
	"slices"

	"github.com/jackc/pgx/v5"

	"closesync/sync/engine"
)

// noteMeets tells the rows and records that were left to a person at the first
// start whom they still may be. The keys of rows are made anew: an edit may
// have settled the matter.
func (s *Store) noteMeets(ctx context.Context, tx pgx.Tx, t *table, states []*engine.State) error {
	if len(t.object.Match) == 0 {
		return nil
	}
	locals, remotes := map[string]*engine.State{}, map[string]*engine.State{}
	for _, st := range states {
		if st.LocalKey != "" {
			locals[st.LocalKey] = st
		}
		if st.CloseID != "" {
			remotes[st.CloseID] = st
		}
	}
	rows, err := tx.Query(ctx, `SELECT side::text, ref, array_agg(key ORDER BY key COLLATE "C") FROM closesync.match_keys WHERE connection = $1 AND object_type = $2
		AND ((side = 'l' AND ref = ANY ($3)) OR (side = 'r' AND ref = ANY ($4))) GROUP BY 1, 2`, s.id, t.object.Type, keysOf(locals), keysOf(remotes))
	if err != nil {
		return err
	}
	var side, ref string
	var keys []string
	var keyed []*engine.State
	if _, err = pgx.ForEachRow(rows, []any{&side, &ref, &keys}, func() error {
		st := remotes[ref]
		if side == "l" {
			st = locals[ref]
		}
		st.Keyed = true
		if side == "r" {
			st.Keys = slices.Clone(keys)
		}
		if side == "l" && st.CloseID == "" && st.Local.Exists && st.Unreadable == "" {
			keyed = append(keyed, st)
		}
		return nil
	}); err != nil {
		return err
	}
	if !slices.ContainsFunc(states, func(st *engine.State) bool { return st.Keyed }) {
		return nil
	}
	if err := s.keyStates(ctx, tx, t, keyed); err != nil {
		return err
	}
	return s.meets(ctx, tx, t.object.Type, locals, remotes)
}

func (s *Store) meets(ctx context.Context, tx pgx.Tx, objectType string, locals, remotes map[string]*engine.State) error {
	rows, err := tx.Query(ctx, meetings+` SELECT local, remote, locals = 1 AND remotes = 1 FROM pairs
		WHERE local = ANY ($3) OR remote = ANY ($4) ORDER BY local, remote`, s.id, objectType, keysOf(locals), keysOf(remotes))
	if err != nil {
		return err
	}
	var local, remote string
	var certain bool
	_, err = pgx.ForEachRow(rows, []any{&local, &remote, &certain}, func() error {
		if st := locals[local]; st != nil && st.CloseID == "" {
			st.Meets = append(st.Meets, remote)
			if certain {
				st.Certain = remote
			}
		}
		if st := remotes[remote]; st != nil && st.LocalKey == "" {
			st.Meets = append(st.Meets, local)
			if certain {
				st.Certain = local
			}
		}
		return nil
	})
	return err
}

// passOn has those looked at again that may have been a record or a row which
// is settled now, and forgets its keys.
func (w *writing) passOn(ctx context.Context, objectType string, states []*engine.State) error {
	var keys, ids []string
	for _, st := range states {
		if !st.Keyed || (st.Outcome.Class == classAmbiguous && !st.Outcome.Rekey) {
			continue
		}
		id := st.CloseID
		if st.Outcome.CloseID != "" {
			id = st.Outcome.CloseID
		}
		keys, ids = append(keys, st.LocalKey), append(ids, id)
	}
	if len(keys) == 0 {
		return nil
	}
	again, err := idsOf(ctx, w.tx, `
		WITH mine AS (SELECT DISTINCT key FROM closesync.match_keys WHERE connection = $1 AND object_type = $2
			AND ((side = 'l' AND ref = ANY ($3)) OR (side = 'r' AND ref = ANY ($4)))),
		near AS (SELECT DISTINCT k.side, k.ref FROM closesync.match_keys k JOIN mine ON mine.key = k.key WHERE k.connection = $1 AND k.object_type = $2)
		SELECT r.id FROM closesync.records r JOIN near ON near.ref = CASE near.side WHEN 'l' THEN r.local_key ELSE r.close_id END
		WHERE r.connection = $1 AND r.object_type = $2 AND r.state = 'error' AND r.error_class = $5`, w.id, objectType, keys, ids, classAmbiguous)
	if err != nil {
		return err
	}
	if _, err := w.tx.Exec(ctx, `DELETE FROM closesync.match_keys WHERE connection = $1 AND object_type = $2
		AND ((side = 'l' AND ref = ANY ($3)) OR (side = 'r' AND ref = ANY ($4)))`, w.id, objectType, keys, ids); err != nil {
		return err
	}
	for _, st := range states {
		if !st.Outcome.Rekey {
			continue
		}
		var l keyList
		l.add(st.CloseID, st.Outcome.Keys)
		if err := w.saveKeys(ctx, w.tx, objectType, "r", []string{st.CloseID}, l); err != nil {
			return err
		}
	}
	return w.markIDs(ctx, w.tx, again, true, engine.Cause{"source": "match"}, 1, 0)
}
