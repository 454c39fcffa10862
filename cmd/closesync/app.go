package main

import (
	"context"
	"crypto/rand"
	"errors"
	"log/slog"
	"strings"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"closesync/config"
	"closesync/jobs"
	"closesync/mapping"
	"closesync/sync/closeapi"
	"closesync/sync/engine"
	"closesync/sync/reconcile"
	"closesync/sync/remote"
	"closesync/sync/store"
)

// app is the assembled program: one engine a connection over one database.
type app struct {
	cfg      *config.Config
	log      *slog.Logger
	pool     *pgxpool.Pool
	stop     func()
	conns    []*conn
	lag      lags
	receipts *receipts
	looks    bool // nothing at all is written
}

// conn is one connection's parts.
type conn struct {
	name     string
	key      closeapi.Secret
	client   *closeapi.Client
	store    *store.Store
	remote   *remote.Remote
	engine   *engine.Engine
	types    []string
	log      *slog.Logger
	requests atomic.Int64
	api      apiState
	noted    atomic.Int64 // second of the last delivery that was written down
	tables   tableWatch

	permission permission
}

// assemble connects everything and writes nothing but the schema, if migrate
// says so. The caller calls close.
func (o *options) assemble(ctx context.Context, cfg *config.Config, migrate bool) (*app, error) {
	return o.assembleAs(ctx, cfg, &app{}, migrate)
}

// assembleToLook is assemble for a command that writes nothing anywhere: no
// connection is written down, and none is bound.
func (o *options) assembleToLook(ctx context.Context, cfg *config.Config) (*app, error) {
	return o.assembleAs(ctx, cfg, &app{looks: true}, false)
}

func (o *options) assembleAs(ctx context.Context, cfg *config.Config, a *app, migrate bool) (*app, error) {
	if err := startable(cfg); err != nil {
		return nil, err
	}
	pool, stop, err := o.openDatabase(ctx, cfg)
	if err != nil {
		return nil, err
	}
	a.cfg, a.log, a.pool, a.stop = cfg, o.logger(cfg), pool, stop
	a.receipts = newReceipts(a.log, time.Now)
	if weak := transportWarning(cfg.DatabaseURL.Reveal()); weak != "" {
		a.log.Warn(weak)
	}
	if migrate {
		if err := migrateUp(ctx, cfg, pool); err != nil {
			a.stop()
			return nil, err
		}
	}
	for _, c := range cfg.Connections {
		cn, err := o.connect(ctx, a, c)
		if err != nil {
			a.stop()
			return nil, err
		}
		a.conns = append(a.conns, cn)
	}
	return a, nil
}

// startable finds what is wrong with the settings as a whole before a database
// is started for them.
func startable(cfg *config.Config) error {
	for _, c := range cfg.Connections {
		if c.APIKey.IsZero() {
			return usageError("%s", noKey(c))
		}
	}
	return tablesOfOne(cfg)
}

// tablesOfOne refuses two connections over the same tables: each would take the
// capture of local changes from the other and link the other's rows. The
// objects of the config are those of every connection.
func tablesOfOne(cfg *config.Config) error {
	bound, err := objects(cfg)
	if err != nil || len(cfg.Connections) < 2 || len(bound) == 0 {
		return err
	}
	var names, tables []string
	for _, c := range cfg.Connections {
		names = append(names, c.Name)
	}
	for _, t := range enabled(bound) {
		tables = append(tables, bound[t].Table.Schema+"."+bound[t].Table.Name)
	}
	return usageError("connections %s would share the tables %s: run one worker with its own config and DATABASE_URL for each, and leave one connection in this file (closesync connection remove NAME)",
		strings.Join(names, ", "), strings.Join(tables, ", "))
}

func limits(g config.Guards) reconcile.Limits {
	return reconcile.Limits{MaxDeletes: g.MaxDeletes, MaxDeletePercent: g.MaxDeletePercent, MaxCreates: g.MaxCreates,
		MaxClears: g.MaxClears, InboundDeletes: g.InboundDeletes}
}

func (o *options) connect(ctx context.Context, a *app, c config.Connection) (*conn, error) {
	cn := &conn{name: c.Name, log: a.log, key: closeapi.Secret(c.APIKey.Reveal())}
	client, err := closeapi.New(closeapi.Options{
		BaseURL: c.BaseURL, Key: cn.key, UserAgent: "closesync/" + version(), ReservePercent: a.cfg.Rate.ReservePercent,
		Logger: a.log, Observe: func(call closeapi.Call) {
			cn.requests.Add(1)
			cn.api.observe(call)
		},
	})
	if err != nil {
		return nil, &exitError{exitUsage, err}
	}
	cn.client = client
	if cn.store, err = o.openStoreAs(ctx, a.cfg, store.Options{Pool: a.pool, Connection: c.Name, LookOnly: a.looks}); err != nil {
		return nil, err
	}
	if err := possible(ctx, a.cfg, cn.store); err != nil {
		return nil, err
	}
	bound := cn.store.Objects()
	all, err := cn.introduce(ctx)
	if err != nil {
		return nil, err
	}
	cn.types = enabled(bound)
	cn.remote = remote.New(remote.Options{Client: client, Objects: bound, OrganizationID: cn.permission.of(), APIKeyID: cn.key.Reveal(),
		CanSeeAll: all, Attempts: cn.requests.Load, Logger: a.log})
	cn.engine = engine.New(engine.Options{
		Objects: bound, Local: cn.store, Remote: cn.remote, Logger: a.log, Optimistic: a.cfg.Push.Verify == "optimistic",
		Guards:      limits(a.cfg.Guards),
		GuardWindow: a.cfg.Guards.Window,
		Applied:     a.lag.add,
	})
	if cn.permission.reason() == nil {
		bind := cn.store.Bind
		if a.looks {
			bind = cn.look
		}
		err := cn.permission.decide("", bind(ctx, cn.permission.of()))
		switch {
		case errors.Is(err, store.ErrMoved):
			return nil, &exitError{exitUsage, err}
		case err != nil && !errors.Is(err, store.ErrForeign):
			return nil, err
		}
	}
	return cn, nil
}

// look is Bind without binding.
func (c *conn) look(ctx context.Context, organizationID string) error {
	if err := c.store.CheckBinding(ctx, organizationID); err != nil {
		return err
	}
	return c.store.CheckMapping(ctx)
}

func enabled(bound map[string]*mapping.Object) []string {
	var list []string
	for _, t := range mapping.Types() {
		if bound[t] != nil {
			list = append(list, t)
		}
	}
	return list
}

// check repairs the capture triggers and follows changes of the tables.
func (c *conn) check(ctx context.Context) ([]string, error) {
	// A table that is gone stops only itself, with its reason in the log.
	err := c.store.Refresh(ctx)
	if err != nil && !errors.Is(err, store.ErrNoTable) {
		return nil, err
	}
	c.tables.look(c.log.With("connection", c.name), err, c.store.Inspect())
	return c.store.EnsureTriggers(ctx)
}

// announce gives a command that cycles by itself a name in its claims and shows
// others that it lives until leave is called.
func (a *app) announce(ctx context.Context) (leave func(), err error) {
	name := "command " + rand.Text()
	for _, c := range a.conns {
		c.store.SetWorker(name)
	}
	return jobs.Announce(ctx, a.pool, name)
}

// jobConnections gives the connections as the jobs see them.
func (a *app) jobConnections() []jobs.Connection {
	var list []jobs.Connection
	for _, c := range a.conns {
		list = append(list, jobs.Connection{Name: c.name, Engine: c.engine, Types: c.types, Check: c.check, Allowed: c.allowed, Expire: c.store.Expire, Webhook: a.webhookKeeper(c)})
	}
	return list
}

func (a *app) close() { a.stop() }

// chosen gives the connection of --connection, or all.
func (a *app) chosen(name string) []*conn {
	if c := a.byName(name); c != nil {
		return []*conn{c}
	}
	return a.conns
}
