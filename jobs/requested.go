package jobs

import (
	"context"

	"github.com/jackc/pgx/v5/pgxpool"

	"closesync/migrations"
)

// Requested reports whether a full compare that somebody asked for is still to
// be done. Those of the schedule are nothing that anybody waits for.
func Requested(ctx context.Context, pool *pgxpool.Pool, connection string) (waits bool, err error) {
	err = pool.QueryRow(ctx, `SELECT EXISTS (SELECT FROM `+migrations.RiverSchema+`.river_job
		WHERE kind = $1 AND state NOT IN ('completed', 'cancelled', 'discarded') AND args ->> 'connection' = $2 AND args -> 'requested' = 'true')`,
		AuditArgs{}.Kind(), connection).Scan(&waits)
	return waits, err
}
