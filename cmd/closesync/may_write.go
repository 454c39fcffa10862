package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"closesync/config"
	"closesync/sync/closeapi"
	"closesync/sync/store"
)

// bindingTimeout is how long a call to Close waits for the database to say
// whose it is.
const bindingTimeout = 5 * time.Second

// mayWrite refuses a write to Close with a key of another organization than the
// one the database is bound to. Without a database there is nothing to guard,
// and one that does not answer keeps nobody from Close: both are as if it were
// not bound.
func (o *options) mayWrite(ctx context.Context, cfg *config.Config, client *closeapi.Client) error {
	c, err := find(cfg, o.connection)
	if err != nil {
		return err
	}
	bound, known, err := o.boundTo(ctx, cfg, c)
	if err != nil {
		_, _ = fmt.Fprintf(o.err, "the database does not say which organization it holds: %v\n", err)
		return nil
	}
	if bound == "" || known {
		return nil
	}
	me, err := client.Me(ctx)
	if err != nil {
		return o.refused(err)
	}
	if org, _ := identify(me); org != bound {
		return fmt.Errorf("nothing is written: %w: it holds organization %s, the key belongs to %s; use that organization's key, or another DATABASE_URL", store.ErrForeign, bound, org)
	}
	return nil
}

// mayWrite is the same for a command that has the database at hand: a copy of
// the database that was bound is refused, too.
func (s *session) mayWrite(ctx context.Context, m member, client *closeapi.Client) error {
	me, err := client.Me(ctx)
	if err != nil {
		return s.refused(err)
	}
	org, _ := identify(me)
	if err := m.CheckBinding(ctx, org); err != nil {
		return fmt.Errorf("nothing is written: %w", err)
	}
	return nil
}

// boundTo looks into the database that is there; an embedded one that was never
// started is not made for it.
func (o *options) boundTo(ctx context.Context, cfg *config.Config, c config.Connection) (organization string, known bool, err error) {
	if cfg.DatabaseURL.IsZero() {
		dir, err := namedDir(cfg)
		if err != nil {
			return "", false, err
		}
		if _, err := os.Stat(filepath.Join(dir, "postgres")); errors.Is(err, os.ErrNotExist) {
			return "", false, nil
		}
	}
	ctx, cancel := context.WithTimeout(ctx, bindingTimeout)
	defer cancel()
	pool, stop, err := o.openDatabase(ctx, cfg)
	if err != nil {
		return "", false, err
	}
	defer stop()
	s, err := sealer(cfg, c.Name)
	if err != nil {
		return "", false, err
	}
	return store.BoundTo(ctx, pool, c.Name, s)
}
