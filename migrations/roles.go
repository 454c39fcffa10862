package migrations

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
)

// Roles are the database roles of the parts of an installation, each with what
// it needs and no more. They exist already; "" leaves a part out. Whoever
// grants owns the schema.
type Roles struct {
	Worker      string // `closesync run --migrate=false`: rows, no DDL
	Application string // local programs: the mapped tables and the public views
	Reader      string // dashboards and reports: read only
}

// publicViews are what programs may read of the worker's state.
var publicViews = []string{"record_status", "conflicts", "journal", "runs"}

// Grant gives each role its rights on our schemas and on the given tables,
// which are mapped. It may run twice, and must run again when the mapping gets
// another table.
func Grant(ctx context.Context, pool *pgxpool.Pool, r Roles, mapped []pgx.Identifier) error {
	statements := []string{
		// Before Postgres 15 everybody may create objects there, which a careless
		// search_path would then find first.
		"REVOKE CREATE ON SCHEMA public FROM PUBLIC",
		"REVOKE EXECUTE ON ALL FUNCTIONS IN SCHEMA closesync FROM PUBLIC",
	}
	statements = append(statements, workerRights(r.Worker, mapped)...)
	statements = append(statements, applicationRights(r.Application, mapped)...)
	statements = append(statements, readerRights(r.Reader, mapped)...)
	return pgx.BeginFunc(ctx, pool, func(tx pgx.Tx) error {
		for _, role := range []string{r.Worker, r.Application, r.Reader} {
			if err := roleFits(ctx, tx, role); err != nil {
				return err
			}
		}
		for _, sql := range statements {
			if _, err := tx.Exec(ctx, sql); err != nil {
				return fmt.Errorf("migrations.Grant: %s: %w", sql, err)
			}
		}
		return nil
	})
}

// roleFits refuses a role that is missing, or so strong that grants mean
// nothing.
func roleFits(ctx context.Context, tx pgx.Tx, role string) error {
	if role == "" {
		return nil
	}
	var strong bool
	err := tx.QueryRow(ctx, `SELECT rolsuper OR rolcreatedb OR rolcreaterole OR rolbypassrls FROM pg_roles WHERE rolname = $1`, role).Scan(&strong)
	if errors.Is(err, pgx.ErrNoRows) {
		return fmt.Errorf("there is no role %q: make it first with CREATE ROLE", role)
	}
	if err == nil && strong {
		return fmt.Errorf("role %q is a superuser, or may create databases or roles or pass over row security; use a plain one", role)
	}
	return err
}

func workerRights(role string, mapped []pgx.Identifier) []string {
	if role == "" {
		return nil
	}
	to := quoted(role)
	list := []string{
		"GRANT USAGE ON SCHEMA closesync, crm, " + RiverSchema + " TO " + to,
		// A statement that hangs must not hold locks that users wait for.
		"ALTER ROLE " + to + " SET statement_timeout = '10min'",
		"ALTER ROLE " + to + " SET lock_timeout = '30s'",
		"ALTER ROLE " + to + " SET idle_in_transaction_session_timeout = '1min'",
	}
	for _, schema := range []string{"closesync", "crm", RiverSchema} {
		list = append(list,
			"GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA "+schema+" TO "+to,
			"GRANT USAGE, SELECT, UPDATE ON ALL SEQUENCES IN SCHEMA "+schema+" TO "+to,
			"GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA "+schema+" TO "+to,
			"ALTER DEFAULT PRIVILEGES IN SCHEMA "+schema+" GRANT SELECT, INSERT, UPDATE, DELETE ON TABLES TO "+to,
			"ALTER DEFAULT PRIVILEGES IN SCHEMA "+schema+" GRANT USAGE, SELECT, UPDATE ON SEQUENCES TO "+to)
	}
	return append(list, onTables("SELECT, INSERT, UPDATE, DELETE", to, mapped)...)
}

// applicationRights are those of local programs. They cannot touch the
// worker's own tables: the capture triggers write there under their owner.
func applicationRights(role string, mapped []pgx.Identifier) []string {
	if role == "" {
		return nil
	}
	to := quoted(role)
	list := []string{
		"GRANT USAGE ON SCHEMA closesync, crm TO " + to,
		"GRANT SELECT ON ALL TABLES IN SCHEMA crm TO " + to,
		"GRANT USAGE ON ALL SEQUENCES IN SCHEMA crm TO " + to,
		"GRANT SELECT ON " + views() + " TO " + to,
	}
	return append(list, onTables("SELECT, INSERT, UPDATE, DELETE", to, mapped)...)
}

func readerRights(role string, mapped []pgx.Identifier) []string {
	if role == "" {
		return nil
	}
	to := quoted(role)
	list := []string{
		"GRANT USAGE ON SCHEMA closesync, crm TO " + to,
		"GRANT SELECT ON ALL TABLES IN SCHEMA crm TO " + to,
		"GRANT SELECT ON " + views() + " TO " + to,
	}
	return append(list, onTables("SELECT", to, mapped)...)
}

func onTables(rights, to string, mapped []pgx.Identifier) []string {
	var list []string
	for _, t := range mapped {
		list = append(list, "GRANT USAGE ON SCHEMA "+quoted(t[0])+" TO "+to, "GRANT "+rights+" ON "+t.Sanitize()+" TO "+to)
	}
	return list
}

func views() string {
	names := make([]string, len(publicViews))
	for i, v := range publicViews {
		names[i] = pgx.Identifier{"closesync", v}.Sanitize()
	}
	return strings.Join(names, ", ")
}

func quoted(name string) string { return pgx.Identifier{name}.Sanitize() }
