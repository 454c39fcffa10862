package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/spf13/cobra"

	"closesync/config"
	"closesync/sync/store"
)

// session is what a command about the database has at hand.
type session struct {
	*options
	cfg    *config.Config
	pool   *pgxpool.Pool
	lists  store.Lists
	stores []member // empty unless asked for
}

// member is one connection with its part of the database.
type member struct {
	config.Connection
	*store.Store
}

// reading wraps a command that only reads lists; it works whatever the
// mapping says.
func (o *options) reading(do func(context.Context, *session, []string) error) func(*cobra.Command, []string) error {
	return o.inSession(false, do)
}

// deciding wraps a command that needs each chosen connection's store.
func (o *options) deciding(do func(context.Context, *session, []string) error) func(*cobra.Command, []string) error {
	return o.inSession(true, do)
}

func (o *options) inSession(stores bool, do func(context.Context, *session, []string) error) func(*cobra.Command, []string) error {
	return func(c *cobra.Command, args []string) error {
		ctx := c.Context()
		cfg, err := o.load()
		if err != nil {
			return err
		}
		chosen, err := o.chosen(cfg)
		if err != nil {
			return err
		}
		pool, stop, err := o.openDatabase(ctx, cfg)
		if err != nil {
			return err
		}
		defer stop()
		s := &session{options: o, cfg: cfg, pool: pool, lists: store.NewLists(pool, o.connection)}
		if stores {
			for _, conn := range chosen {
				st, err := o.openStore(ctx, cfg, pool, conn.Name)
				if err != nil {
					return err
				}
				s.stores = append(s.stores, member{conn, st})
			}
		}
		return unmigrated(do(ctx, s, args))
	}
}

// chosen gives the connection of --connection, or all.
func (o *options) chosen(cfg *config.Config) ([]config.Connection, error) {
	if o.connection == "" {
		return cfg.Connections, nil
	}
	c, err := find(cfg, o.connection)
	return []config.Connection{c}, err
}

var errNoSchema = errors.New("the database has no closesync schema yet: run `closesync migrate up`")

// unmigrated turns the error about a missing table or schema into its remedy.
func unmigrated(err error) error {
	if code := store.Code(err); code == "42P01" || code == "3F000" {
		return errNoSchema
	}
	return err
}

// first runs do on the stores until one knows what it is about.
func (s *session) first(do func(*store.Store) error) error {
	err := fmt.Errorf("no connection: %w", store.ErrNotFound)
	for _, m := range s.stores {
		if err = do(m.Store); !errors.Is(err, store.ErrNotFound) {
			return err
		}
	}
	return err
}
