package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strings"
	"syscall"

	"github.com/jackc/pgx/v5/pgconn"

	"closesync/sync/store"
)

// databaseError says why the database cannot be worked with, and what helps.
type databaseError struct{ what, remedy string }

func (e *databaseError) Error() string { return "database: " + e.what + "; " + e.remedy }

// unreachable explains why a connection failed. The driver's own text lists
// each try on a line of its own.
func unreachable(err error, c *pgconn.Config) error {
	at := fmt.Sprintf("%s:%d", c.Host, c.Port)
	var dns *net.DNSError
	var refused *pgconn.PgError
	switch {
	case errors.As(err, &refused):
		return &databaseError{refused.Message, loginRemedy(refused.Code, c)}
	case errors.As(err, &dns):
		return &databaseError{"there is no host " + c.Host, "correct it in DATABASE_URL"}
	case errors.Is(err, syscall.ECONNREFUSED), errors.Is(err, syscall.ENOENT):
		return &databaseError{"nothing answers at " + at, "start Postgres there (`docker compose up -d postgres`), or correct DATABASE_URL; without it an embedded Postgres is used"}
	case errors.Is(err, context.DeadlineExceeded), isTimeout(err):
		return &databaseError{"no answer from " + at + " in time", "is it reachable from here, and is DATABASE_URL right?"}
	}
	return &databaseError{strings.Join(strings.Fields(err.Error()), " "), "correct DATABASE_URL; without it an embedded Postgres is used"}
}

func isTimeout(err error) bool {
	var n net.Error
	return errors.As(err, &n) && n.Timeout()
}

// loginRemedy answers what the server says to a login, by SQLSTATE.
func loginRemedy(code string, c *pgconn.Config) string {
	switch code {
	case "28P01", "28000":
		return fmt.Sprintf("correct user and password in DATABASE_URL, or let role %q log in (CREATE ROLE … LOGIN, pg_hba.conf)", c.User)
	case "3D000":
		return fmt.Sprintf("create it (`createdb %s`), or correct DATABASE_URL", c.Database)
	case "42501":
		return fmt.Sprintf("GRANT CONNECT ON DATABASE %s TO %s", c.Database, c.User)
	case "53300":
		return "raise max_connections, or add pool_max_conns=… to DATABASE_URL"
	}
	return "look into the server's log, or correct DATABASE_URL"
}

// lackingRight completes an error about a missing right by the role that lacks
// it and by what helps.
func (o *options) lackingRight(err error) error {
	if store.Code(err) != "42501" || o.role == "" {
		return err
	}
	return fmt.Errorf("%w; role %q lacks that right: as the owner of the database run `closesync migrate up --worker-role %[2]s`, or GRANT it", err, o.role)
}
