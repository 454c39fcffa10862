package store

import (
	"context"
	"slices"
	"strconv"

	"github.com/jackc/pgx/v5"

	"closesync/sync/engine"
)

// noteMeets tells the rows and records that were left to a person at the first
// start whom they still may be. An edit may have given a row other keys.
func (s *Store) noteMeets(ctx context.Context, tx pgx.Tx, t *table, states []*engine.State) error {
	if len(t.object.Match) == 0 {
		return nil
	}
	locals, remotes := map[string]*engine.State{}, map[string]*engine.State{}
	for _, st := range states {
		if st.LocalKey != "" {
			locals[strconv.FormatInt(st.ID, 10)] = st
		} else if st.CloseID != "" {
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
	var keyed, edited []*engine.State
	if _, err = pgx.ForEachRow(rows, []any{&side, &ref, &keys}, func() error {
		st := remotes[ref]
		if side == "l" {
			st = locals[ref]
		}
		st.Keys = slices.Clone(keys)
		keyed = append(keyed, st)
		if side == "l" && st.CloseID == "" && st.Local.Exists && st.Unreadable == "" {
			now := slices.Sorted(slices.Values(t.object.MatchKeys(st.Local.Record)))
			if st.Rekeyed = !slices.Equal(now, st.Keys); st.Rekeyed {
				edited = append(edited, st)
			}
		}
		return nil
	}); err != nil || len(keyed) == 0 {
		return err
	}
	if len(edited) > 0 {
		if err := s.keyStates(ctx, tx, t, edited); err != nil {
			return err
		}
	}
	return s.meets(ctx, tx, t.object.Type, locals, remotes)
}

func (s *Store) meets(ctx context.Context, tx pgx.Tx, objectType string, locals, remotes map[string]*engine.State) error {
	rows, err := tx.Query(ctx, meetings+` SELECT "row"::text, local, remote, locals = 1 AND remotes = 1 FROM pairs
		WHERE "row"::text = ANY ($3) OR remote = ANY ($4) ORDER BY "row", remote`, s.id, objectType, keysOf(locals), keysOf(remotes))
	if err != nil {
		return err
	}
	var row, local, remote string
	var certain bool
	_, err = pgx.ForEachRow(rows, []any{&row, &local, &remote, &certain}, func() error {
		if st := locals[row]; st != nil {
			st.Meets = append(st.Meets, remote)
			if certain {
				st.Certain = remote
			}
		}
		if st := remotes[remote]; st != nil {
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
// is settled by now or has other keys, and forgets the keys of what is settled.
func (w *writing) passOn(ctx context.Context, objectType string, states []*engine.State) error {
	var met, settled, ids, edited []string
	var l keyList
	for _, st := range states {
		waits := st.Outcome.Class == engine.Ambiguous
		if len(st.Keys) == 0 || (waits && !st.Rekeyed && !st.Outcome.Rekey) {
			continue
		}
		met = append(met, st.Keys...)
		switch {
		case st.Outcome.Rekey:
			edited = append(edited, st.CloseID)
			l.add(st.CloseID, st.Outcome.Keys)
		case waits:
		case st.LocalKey != "":
			settled = append(settled, strconv.FormatInt(st.ID, 10))
		default:
			ids = append(ids, st.CloseID)
		}
	}
	if len(met) == 0 {
		return nil
	}
	again, err := idsOf(ctx, w.tx, `
		WITH near AS (SELECT DISTINCT side, ref FROM closesync.match_keys WHERE connection = $1 AND object_type = $2 AND key = ANY ($3))
		SELECT r.id FROM closesync.records r JOIN near ON near.ref = CASE near.side WHEN 'l' THEN r.id::text ELSE r.close_id END
		WHERE r.connection = $1 AND r.object_type = $2 AND r.state = 'error' AND r.error_class = $4`, w.id, objectType, met, engine.Ambiguous)
	if err != nil {
		return err
	}
	if _, err := w.tx.Exec(ctx, `DELETE FROM closesync.match_keys WHERE connection = $1 AND object_type = $2
		AND ((side = 'l' AND ref = ANY ($3)) OR (side = 'r' AND ref = ANY ($4)))`, w.id, objectType, settled, ids); err != nil {
		return err
	}
	if err := w.saveKeys(ctx, w.tx, objectType, "r", edited, l); err != nil {
		return err
	}
	return w.markIDs(ctx, w.tx, again, true, engine.Cause{"source": "match"}, 1, 0)
}
