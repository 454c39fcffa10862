package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"os"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/lmittmann/tint"
	"github.com/mattn/go-isatty"
	"github.com/spf13/pflag"

	"closesync/config"
	"closesync/internal/pglocal"
	"closesync/internal/seal"
	"closesync/mapping"
	"closesync/sync/closeapi"
	"closesync/sync/store"
)

// options are the settings every command shares, and where it reads and
// writes: tests replace them.
type options struct {
	in       io.Reader
	out, err io.Writer
	log      io.Writer // of the worker; nil means err
	environ  []string
	flags    *pflag.FlagSet // the persistent flags of the root command

	connection string // --connection; "" means the first one
	json       bool
	role       string // that the database was opened as
	began      bool   // a command's own code runs: errors are no longer usage
	worker     bool   // this process is the worker, whose embedded Postgres stays
	passing    bool   // the database is up for this command alone
}

// configFlags are those that config knows; none of them is a secret, because
// other users of a machine can read the arguments of a process.
var configFlags = []struct{ name, usage string }{
	{config.FlagConfig, "config `file` (default closesync.yaml in the working directory, if present)"},
	{config.FlagBaseURL, "root `URL` of Close's API"},
	{config.FlagListen, "HTTP `address` (default 127.0.0.1:8080)"},
	{config.FlagPublicURL, "public https root `URL`, for webhooks"},
	{config.FlagDataDir, "`folder` of the embedded Postgres"},
	{config.FlagLogLevel, "debug, info, warn or error"},
	{config.FlagLogFormat, "text or json"},
}

func (o *options) addFlags(f *pflag.FlagSet) {
	o.flags = f
	for _, c := range configFlags {
		f.String(c.name, "", c.usage)
	}
	f.StringVar(&o.connection, "connection", "", "`name` of the connection (default: the first one)")
}

// load reads the settings. Its errors exit with 2.
func (o *options) load() (*config.Config, error) {
	cfg, err := config.Load(config.Source{Args: o.given(), Environ: o.environ, Terminal: isTerminal(o.err), Root: os.Geteuid() == 0})
	if err != nil {
		return nil, &exitError{exitUsage, err}
	}
	_, err = find(cfg, o.connection)
	return cfg, err
}

// given are the flags of the command line that config knows.
func (o *options) given() map[string]string {
	args := map[string]string{}
	for _, c := range configFlags {
		if f := o.flags.Lookup(c.name); f != nil && f.Changed {
			args[c.name] = f.Value.String()
		}
	}
	return args
}

// logger writes to stderr: coloured lines on a terminal, else as configured.
func (o *options) logger(cfg *config.Config) *slog.Logger {
	to := o.log
	if to == nil {
		to = o.err
	}
	if cfg.LogFormat == "json" {
		return slog.New(slog.NewJSONHandler(to, &slog.HandlerOptions{Level: cfg.LogLevel, ReplaceAttr: readable}))
	}
	return slog.New(tint.NewTextHandler(to, &tint.Options{Level: cfg.LogLevel, NoColor: !o.colour(), TimeFormat: "15:04:05.000"}))
}

// readable writes durations as "1.5s", not as nanoseconds.
func readable(_ []string, a slog.Attr) slog.Attr {
	if a.Value.Kind() == slog.KindDuration {
		a.Value = slog.StringValue(a.Value.Duration().String())
	}
	return a
}

// colour follows no-color.org.
func (o *options) colour() bool {
	return isTerminal(o.err) && !slices.ContainsFunc(o.environ, func(e string) bool {
		return strings.HasPrefix(e, "NO_COLOR=") && e != "NO_COLOR="
	})
}

func isTerminal(w any) bool {
	f, ok := w.(*os.File)
	return ok && (isatty.IsTerminal(f.Fd()) || isatty.IsCygwinTerminal(f.Fd()))
}

// find gives the named connection, or the first one for "".
func find(cfg *config.Config, name string) (config.Connection, error) {
	if name == "" {
		return cfg.Connections[0], nil
	}
	for _, c := range cfg.Connections {
		if c.Name == name {
			return c, nil
		}
	}
	return config.Connection{}, usageError("there is no connection %q; `closesync connection list` shows them", name)
}

// client makes a client of the named connection, "" for the chosen one. It
// sends nothing.
func (o *options) client(cfg *config.Config, connection string) (*closeapi.Client, error) {
	if connection == "" {
		connection = o.connection
	}
	c, err := find(cfg, connection)
	if err != nil {
		return nil, err
	}
	if c.APIKey.IsZero() {
		return nil, usageError("%s", noKey(c))
	}
	client, err := closeapi.New(closeapi.Options{
		BaseURL: c.BaseURL, Key: closeapi.Secret(c.APIKey.Reveal()), UserAgent: "closesync/" + version(),
		ReservePercent: cfg.Rate.ReservePercent, Logger: o.logger(cfg),
	})
	if err != nil {
		return nil, &exitError{exitUsage, err}
	}
	return client, nil
}

func noKey(c config.Connection) string {
	place := c.APIKeyEnv
	if c.APIKeyFile != "" {
		place = "the file " + c.APIKeyFile
	}
	return fmt.Sprintf("connection %s has no API key: make one in Close under Settings, Developer, API Keys, and put it in %s; "+
		"or try without an account: closesync run --sandbox", c.Name, place)
}

// openDatabase connects to DATABASE_URL, else to the embedded Postgres: the one
// that a running worker holds, or one of its own until stop is called.
func (o *options) openDatabase(ctx context.Context, cfg *config.Config) (*pgxpool.Pool, func(), error) {
	url, stop := cfg.DatabaseURL.Reveal(), func() {}
	if url == "" {
		server, err := o.embedded(ctx, cfg)
		if err != nil {
			return nil, nil, err
		}
		url, stop, o.passing = server.DSN(pglocal.Database), server.Stop, !server.ByWorker()
	}
	pool, err := openPool(ctx, url)
	if err == nil {
		o.role = pool.Config().ConnConfig.User
	}
	if err != nil {
		stop()
		return nil, nil, err
	}
	return pool, func() { pool.Close(); stop() }, nil
}

// dataDir is the folder of the embedded Postgres, and makes it.
func dataDir(cfg *config.Config) (string, error) {
	dir, err := namedDir(cfg)
	if err != nil {
		return "", err
	}
	return dir, os.MkdirAll(dir, 0o755)
}

// namedDir is the same folder, which may not be there.
func namedDir(cfg *config.Config) (string, error) {
	if cfg.DataDir != "" {
		return cfg.DataDir, nil
	}
	dir, err := pglocal.DefaultDataDir()
	if err != nil {
		return "", &exitError{exitUsage, fmt.Errorf("no folder for the embedded Postgres: set CLOSESYNC_DATA_DIR or DATABASE_URL: %w", err)}
	}
	return dir, nil
}

func (o *options) embedded(ctx context.Context, cfg *config.Config) (*pglocal.Server, error) {
	dir, err := dataDir(cfg)
	if err != nil {
		return nil, err
	}
	return pglocal.Start(ctx, pglocal.Options{DataDir: dir, Attach: true, Worker: o.worker, Logger: o.logger(cfg)})
}

// openPool checks that the database answers. Its errors hold no password: those
// of the driver's parser, which may quote the text, are left out.
func openPool(ctx context.Context, url string) (*pgxpool.Pool, error) {
	pc, err := pgxpool.ParseConfig(url)
	if err != nil {
		return nil, usageError("the database URL is not understood: write postgres://user@host:5432/database?sslmode=… or host=… dbname=…")
	}
	if !strings.Contains(url, "pool_max_conns") {
		pc.MaxConns = max(pc.MaxConns, 16)
	}
	pc.ConnConfig.RuntimeParams["timezone"] = "UTC"
	if pc.ConnConfig.RuntimeParams["application_name"] == "" {
		pc.ConnConfig.RuntimeParams["application_name"] = "closesync"
	}
	pool, err := pgxpool.NewWithConfig(ctx, pc)
	if err != nil {
		return nil, fmt.Errorf("database: %w", err)
	}
	if err := pool.Ping(ctx); err != nil {
		pool.Close()
		return nil, unreachable(err, &pc.ConnConfig.Config)
	}
	return pool, nil
}

// objects binds the mapping. All its problems are in one error, which exits
// with 2.
func objects(cfg *config.Config) (map[string]*mapping.Object, error) {
	bound, problems := mapping.Bind(objectConfigs(cfg))
	if len(problems) == 0 {
		return bound, nil
	}
	list := make([]error, len(problems))
	for i, p := range problems {
		if len(p.Known) > 0 {
			p.Reason += "; " + config.Suggest(p.Word, p.Known)
		}
		list[i] = p
	}
	return nil, &exitError{exitUsage, errors.Join(list...)}
}

func objectConfigs(cfg *config.Config) []mapping.ObjectConfig {
	var list []mapping.ObjectConfig
	for _, name := range slices.Sorted(maps.Keys(cfg.Objects)) {
		c := cfg.Objects[name]
		m := mapping.ObjectConfig{
			Type: name, Enabled: c.Enabled, Table: c.Table, Key: c.Key, CloseID: c.CloseID, Direction: c.Direction,
			Conflict: c.Conflict, OnCloseDelete: c.OnCloseDelete, OnLocalDelete: c.OnLocalDelete, Filter: c.Filter,
			Match: c.Match, ExternalIDField: c.ExternalIDField, File: c.File, Line: c.Line, Lines: map[string]int{},
		}
		for key, at := range c.Positions() {
			m.Lines[key] = at.Line
		}
		for _, f := range c.Fields {
			m.Fields = append(m.Fields, mapping.FieldConfig{Close: f.Close, Column: f.Column, Conflict: f.Conflict, Line: f.Line})
		}
		list = append(list, m)
	}
	return list
}

// openStore opens one connection's part of a migrated database.
func (o *options) openStore(ctx context.Context, cfg *config.Config, pool *pgxpool.Pool, connection string) (*store.Store, error) {
	return o.openStoreAs(ctx, cfg, store.Options{Pool: pool, Connection: connection})
}

// openStoreFor opens it on behalf of a worker with another role than ours; ""
// means ours.
func (o *options) openStoreFor(ctx context.Context, cfg *config.Config, pool *pgxpool.Pool, connection, role string) (*store.Store, error) {
	return o.openStoreAs(ctx, cfg, store.Options{Pool: pool, Connection: connection, WorkerRole: role})
}

// openStoreAs opens a store with what the settings say about all.
func (o *options) openStoreAs(ctx context.Context, cfg *config.Config, opt store.Options) (*store.Store, error) {
	bound, err := objects(cfg)
	if err != nil {
		return nil, err
	}
	opt.Objects, opt.Logger = bound, o.logger(cfg)
	if opt.Sealer, err = sealer(cfg, opt.Connection); err != nil {
		return nil, err
	}
	s, err := store.Open(ctx, opt)
	switch {
	case store.Code(err) == "42P01" || store.Code(err) == "3F000":
		return nil, errNoSchema
	case err != nil:
		return nil, misplaced(cfg, err)
	}
	return s, nil
}

// sealer seals what a connection keeps in the database under its API key,
// which is never there; nil without a key.
func sealer(cfg *config.Config, connection string) (store.Sealer, error) {
	c, err := find(cfg, connection)
	if err != nil || c.APIKey.IsZero() {
		return nil, err
	}
	return seal.New([]byte(c.APIKey.Reveal()))
}
