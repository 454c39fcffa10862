package store

import (
	"context"
	"errors"
	"fmt"
)

// What keeps a database that answers from being worked with.
var (
	ErrReadOnly = errors.New("the database takes no writes (read-only): make it writable, or name its primary server")
	ErrNoSchema = errors.New("the database has no closesync schema: run `closesync migrate up`")
)

// A session keeps the default with which it began, so the setting of the next
// one is looked up as well: the role's in this database goes before the role's,
// before the database's.
const readySQL = `
SELECT to_regclass('closesync.dirty') IS NOT NULL,
       current_setting('transaction_read_only')::boolean OR coalesce((
           SELECT split_part(c, '=', 2)::boolean FROM pg_db_role_setting s CROSS JOIN unnest(s.setconfig) AS c
           WHERE c LIKE 'default\_transaction\_read\_only=%' AND s.setrole IN (0, (SELECT oid FROM pg_roles WHERE rolname = session_user))
             AND s.setdatabase IN (0, (SELECT oid FROM pg_database WHERE datname = current_database()))
           ORDER BY s.setrole <> 0 DESC, s.setdatabase <> 0 DESC LIMIT 1), false)`

// Ready tells whether the database has the schema and takes writes: ErrNoSchema
// or ErrReadOnly if not. It writes nothing.
func Ready(ctx context.Context, q Querier) error {
	var schema, readOnly bool
	switch err := q.QueryRow(ctx, readySQL).Scan(&schema, &readOnly); {
	case err != nil:
		return fmt.Errorf("store.Ready: %w", err)
	case !schema:
		return ErrNoSchema
	case readOnly:
		return ErrReadOnly
	}
	return nil
}
