package main

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/spf13/cobra"

	"closesync/config"
	"closesync/migrations"
)

func newMigrateUpCommand(o *options) *cobra.Command {
	var roles migrations.Roles
	c := &cobra.Command{
		Use: "up", Short: "Bring the schema to the newest version", Args: cobra.NoArgs,
		Long: "Bring the schema to the newest version. With a role, also give it what its part needs and no more, and make the capture\n" +
			"triggers for the worker's role, which may not make them itself. Run it as the owner of the tables, and again when the\n" +
			"mapping gets another table.",
		Example: "  closesync migrate up --worker-role closesync_worker --app-role shop --reader-role reports\n" +
			"  DATABASE_URL=postgres://closesync_worker@… closesync run --migrate=false",
		RunE: o.withDatabase(func(ctx context.Context, cfg *config.Config, pool *pgxpool.Pool) error {
			if err := migrateUp(ctx, cfg, pool); err != nil {
				return err
			}
			_, _ = fmt.Fprintln(o.err, "the schema is at the newest version")
			if roles == (migrations.Roles{}) {
				return nil
			}
			return o.grant(ctx, cfg, pool, roles)
		}),
	}
	c.Flags().StringVar(&roles.Worker, "worker-role", "", "`role` of `run --migrate=false`")
	c.Flags().StringVar(&roles.Application, "app-role", "", "`role` of local programs")
	c.Flags().StringVar(&roles.Reader, "reader-role", "", "`role` that only reads")
	return c
}

// grant gives the roles their rights, and the mapped tables the triggers that
// know the worker's role.
func (o *options) grant(ctx context.Context, cfg *config.Config, pool *pgxpool.Pool, roles migrations.Roles) error {
	bound, err := objects(cfg)
	if err != nil {
		return err
	}
	var mapped []pgx.Identifier
	for _, t := range enabled(bound) {
		mapped = append(mapped, identifier(bound[t]))
	}
	if err := migrations.Grant(ctx, pool, roles, mapped); err != nil {
		return err
	}
	if roles.Worker != "" {
		for _, c := range cfg.Connections {
			s, err := o.openStoreFor(ctx, cfg, pool, c.Name, roles.Worker)
			if err != nil {
				return err
			}
			if _, err := s.EnsureTriggers(ctx); err != nil {
				return err
			}
		}
	}
	_, _ = fmt.Fprintln(o.err, "the roles have their rights")
	return nil
}
