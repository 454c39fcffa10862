package main

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/spf13/cobra"

	"closesync/config"
	"closesync/migrations"
)

func newMigrateCommand(o *options) *cobra.Command {
	up := newMigrateUpCommand(o)
	down := &cobra.Command{
		Use: "down", Short: "Take back the last migration", Args: cobra.NoArgs,
		RunE: o.withDatabase(func(ctx context.Context, _ *config.Config, pool *pgxpool.Pool) error {
			if err := migrations.Down(ctx, pool); err != nil {
				return err
			}
			_, _ = fmt.Fprintln(o.err, "the last migration is taken back")
			return nil
		}),
	}
	status := o.jsonFlag(&cobra.Command{
		Use: "status", Short: "List the migrations", Args: cobra.NoArgs,
		RunE: o.withDatabase(o.migrationStatus),
	})
	return group("migrate", "Manage the schema", nil, up, down, status)
}

// withDatabase wraps what needs the database alone, not a migrated one.
func (o *options) withDatabase(do func(context.Context, *config.Config, *pgxpool.Pool) error) func(*cobra.Command, []string) error {
	return func(c *cobra.Command, _ []string) error {
		cfg, err := o.load()
		if err != nil {
			return err
		}
		pool, stop, err := o.openDatabase(c.Context(), cfg)
		if err != nil {
			return err
		}
		defer stop()
		return do(c.Context(), cfg, pool)
	}
}

func (o *options) migrationStatus(ctx context.Context, _ *config.Config, pool *pgxpool.Pool) error {
	list, err := migrations.List(ctx, pool)
	if err != nil {
		return err
	}
	type row struct {
		ID      int64  `json:"id"`
		Name    string `json:"name"`
		Applied bool   `json:"applied"`
	}
	rows := []row{}
	for _, m := range list {
		rows = append(rows, row{m.Version, m.Name, m.Applied})
	}
	return show(o, rows, []string{"version", "name", "applied"}, func(r row) []any { return []any{r.ID, r.Name, r.Applied} })
}
