package store

import (
	"context"
	"fmt"
)

// Ages at which rows go that nobody can need any more. Close's event log keeps
// 30 days, and an event that comes again within them must be recognised; a write
// can be undone for as long.
const (
	eventAge  = "31 days"
	intentAge = "31 days"
	runAge    = "90 days"
)

// Expire removes up to n rows of each kind that are too old to be needed
// (fault C35): events, writes to Close that ended, and runs. The journal and
// the conflicts stay. Call it again while it removes something.
func (s *Store) Expire(ctx context.Context, n int) (removed int64, err error) {
	for _, sql := range []string{
		// An event that a record still waits for is not looked up elsewhere.
		`DELETE FROM closesync.inbox WHERE id IN (
			SELECT i.id FROM closesync.inbox i WHERE i.connection = $1 AND i.received_at < closesync.clock() - interval '` + eventAge + `'
			  AND NOT EXISTS (SELECT FROM closesync.dirty d WHERE d.connection = $1 AND i.id = ANY (d.events)) LIMIT $2)`,
		// The marker of a create is needed until its row is linked.
		`DELETE FROM closesync.intents WHERE id IN (
			SELECT i.id FROM closesync.intents i WHERE i.connection = $1 AND i.created_at < closesync.clock() - interval '` + intentAge + `'
			  AND i.state IN ('done', 'failed') AND NOT (i.action = 'create' AND EXISTS (
				SELECT FROM closesync.records r WHERE r.id = i.record_id AND r.close_id IS NULL AND r.state <> 'deleted')) LIMIT $2)`,
		`DELETE FROM closesync.run_log WHERE id IN (
			SELECT id FROM closesync.run_log WHERE connection = $1 AND started_at < closesync.clock() - interval '` + runAge + `' LIMIT $2)`,
	} {
		tag, err := s.pool.Exec(ctx, sql, s.id, n)
		if err != nil {
			return removed, fmt.Errorf("store.Expire: %w", err)
		}
		removed += tag.RowsAffected()
	}
	return removed, nil
}
