package migrations

import (
	"errors"

	"github.com/jackc/pgx/v5/pgconn"
)

// racedCreate reports whether CREATE … IF NOT EXISTS lost a race against the
// same statement elsewhere, which Postgres answers with a unique violation.
func racedCreate(err error) bool {
	var pgErr *pgconn.PgError
	return errors.As(err, &pgErr) && (pgErr.Code == "23505" || pgErr.Code == "42P06")
}
