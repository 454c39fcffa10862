package main

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/spf13/cobra"

	"closesync/config"
	"closesync/mapping"
	"closesync/migrations"
	"closesync/sync/closeapi"
	"closesync/sync/store"
)

// minPostgres is the oldest version that works, as server_version_num.
const minPostgres = 140000

// finding is one line of check.
type finding struct {
	ID     string `json:"id"`
	OK     bool   `json:"ok"`
	What   string `json:"what"`
	Remedy string `json:"remedy"`
}

// checking collects findings. Each step goes on with what the ones before it
// found usable.
type checking struct {
	*options
	cfg   *config.Config
	pool  *pgxpool.Pool // nil: no database
	ready bool          // the schema is there
	stop  func()
	list  []finding
}

func newCheckCommand(o *options) *cobra.Command {
	return o.jsonFlag(&cobra.Command{
		Use: "check", Short: "Check everything, one line each, with the remedy", Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			ctx := c.Context()
			k, err := o.newCheck(ctx)
			if err != nil {
				return err
			}
			defer k.stop()
			chosen, err := o.chosen(k.cfg)
			if err != nil {
				return err
			}
			k.migrations(ctx)
			for _, conn := range chosen {
				k.connection(ctx, conn)
			}
			k.mapping(ctx)
			return k.report()
		},
	})
}

// newCheck opens the database, which is the first finding.
func (o *options) newCheck(ctx context.Context) (*checking, error) {
	cfg, err := o.load()
	if err != nil {
		return nil, err
	}
	for _, w := range cfg.Warnings {
		o.logger(cfg).Warn(w)
	}
	k := &checking{options: o, cfg: cfg, stop: func() {}}
	pool, stop, err := o.openDatabase(ctx, cfg)
	if err != nil {
		var d *databaseError
		if !errors.As(err, &d) {
			d = &databaseError{err.Error(), "start it, or set DATABASE_URL; without that an embedded Postgres is used"}
		}
		k.bad("database", d.what, d.remedy)
		return k, nil
	}
	k.pool, k.stop = pool, stop
	var version string
	var number int
	err = pool.QueryRow(ctx, `SELECT current_setting('server_version'), current_setting('server_version_num')::int`).Scan(&version, &number)
	switch {
	case err != nil:
		k.bad("database", err.Error(), "")
	case number < minPostgres:
		k.bad("database", "Postgres "+version, "use Postgres 14 or newer")
	default:
		k.good("database", "Postgres "+version)
	}
	if err := pool.QueryRow(ctx, `SELECT to_regclass('closesync.dirty') IS NOT NULL`).Scan(&k.ready); err != nil {
		stop()
		return nil, err
	}
	return k, nil
}

func (k *checking) good(id, what string) {
	k.list = append(k.list, finding{ID: id, OK: true, What: what})
}

func (k *checking) bad(id, what, remedy string) {
	k.list = append(k.list, finding{ID: id, What: what, Remedy: remedy})
}

func (k *checking) migrations(ctx context.Context) {
	if k.pool == nil {
		return
	}
	list, err := migrations.List(ctx, k.pool)
	var missing []string
	for _, m := range list {
		if !m.Applied {
			missing = append(missing, m.Name)
		}
	}
	switch {
	case !k.ready:
		k.bad("migrations", "the schema is not there", "closesync migrate up")
	case err != nil:
		k.bad("migrations", err.Error(), "")
	case len(missing) > 0:
		k.bad("migrations", "not applied: "+strings.Join(missing, ", "), "closesync migrate up")
	default:
		k.good("migrations", fmt.Sprintf("all %d applied", len(list)))
	}
}

// connection checks the key, what it may do, the binding and the webhook.
func (k *checking) connection(ctx context.Context, c config.Connection) {
	id := func(what string) string { return what + " " + c.Name }
	client, err := k.client(k.cfg, c.Name)
	if err != nil {
		k.bad(id("key"), err.Error(), "")
		return
	}
	defer client.CloseIdle()
	me, err := client.Me(ctx)
	if err != nil {
		remedy := "is " + c.BaseURL + " reachable from here?"
		if errors.Is(err, closeapi.ErrUnauthorized) {
			remedy = "make a new key in Close under Settings, Developer, API Keys"
		}
		k.bad(id("key"), err.Error(), remedy)
		return
	}
	org, all := identify(me)
	k.good(id("key"), "works as "+me.Email+" in "+org)
	k.permissions(id("permissions"), me, org, all)
	if k.pool == nil || !k.ready {
		return
	}
	s, err := k.openStore(ctx, k.cfg, k.pool, c.Name)
	if err != nil {
		return // the mapping's own check names it
	}
	k.binding(ctx, id("binding"), s, org)
	k.triggers(ctx, id("triggers"), s)
	k.webhook(ctx, id("webhook"), client, s)
}

var wantedPermissions = []string{"delete_leads", "manage_others_opportunities"}

func (k *checking) permissions(id string, me *closeapi.Me, org string, all bool) {
	if !all {
		k.bad(id, "the key does not see all leads", "give its user the permission to view all leads; unseen records are kept but not followed")
		return
	}
	var missing []string
	for _, m := range me.Memberships {
		if m.OrganizationID != "" && m.OrganizationID != org || m.RoleID == "admin" || len(m.PermissionsGranted) == 0 {
			continue
		}
		for _, p := range wantedPermissions {
			if !m.May(p) {
				missing = append(missing, p)
			}
		}
	}
	if len(missing) > 0 {
		k.bad(id, "not granted: "+strings.Join(missing, ", "), "grant them to the key's user, or such changes will be parked")
		return
	}
	k.good(id, "sees and may change everything that is synchronised")
}

func (k *checking) binding(ctx context.Context, id string, s *store.Store, org string) {
	bound, err := s.Bound(ctx)
	if err == nil && bound == "" {
		k.good(id, "not bound yet; the first run binds it to "+org)
		return
	}
	if err == nil {
		err = s.CheckBinding(ctx, org)
	}
	if err != nil {
		k.bad(id, err.Error(), "closesync adopt, if this database shall belong to this key from now on")
		return
	}
	k.good(id, "bound to "+org)
}

func (k *checking) triggers(ctx context.Context, id string, s *store.Store) {
	missing, err := s.Untriggered(ctx)
	var bound string
	if err == nil {
		bound, err = s.Bound(ctx)
	}
	switch {
	case err != nil:
		k.bad(id, err.Error(), "")
	case len(missing) > 0 && bound == "":
		k.good(id, "none yet; the first run makes them")
	case len(missing) > 0:
		k.bad(id, "local changes are not captured for "+strings.Join(missing, ", "), "closesync run puts the triggers back and compares everything")
	default:
		k.good(id, "local changes are captured")
	}
}

func (k *checking) webhook(ctx context.Context, id string, client *closeapi.Client, s *store.Store) {
	saved, err := s.LoadWebhook(ctx)
	if err != nil {
		k.bad(id, err.Error(), "closesync webhook rotate")
		return
	}
	state := webhookState(ctx, k.cfg, client, saved)
	switch {
	case state == "active" || state == "unmanaged":
		k.good(id, state)
	case state == "absent" && k.cfg.PublicURL == "":
		k.good(id, "none wanted: without CLOSESYNC_PUBLIC_URL the event log alone is followed")
	case state == "":
		k.bad(id, "Close does not tell the state of the subscription", "try again later")
	default:
		k.bad(id, "the subscription is "+state, "closesync webhook ensure")
	}
}

// mapping checks the mapping itself, then its tables, then Close's fields.
func (k *checking) mapping(ctx context.Context) {
	bound, err := objects(k.cfg)
	if err != nil {
		k.bad("mapping", err.Error(), "correct the config file")
		return
	}
	if k.pool != nil && !k.ready {
		k.bad("mapping", "the tables are not there yet", "closesync migrate up")
		return
	}
	clean := true
	if k.pool != nil {
		clean = k.tables(ctx)
	}
	clean = k.customFields(ctx, bound) && clean
	if clean {
		k.good("mapping", strings.Join(slices.Sorted(maps.Keys(bound)), ", ")+" fit both sides")
	}
}

func (k *checking) tables(ctx context.Context) bool {
	s, err := k.openStore(ctx, k.cfg, k.pool, k.cfg.Connections[0].Name)
	if err != nil {
		k.bad("mapping", err.Error(), "create the table, or correct table, key and close_id in the config file")
		return false
	}
	moved := s.CheckMapping(ctx)
	if moved != nil {
		k.bad("mapping", moved.Error(), "")
	}
	problems := s.Inspect()
	for _, p := range problems {
		k.bad("mapping "+p.ObjectType, p.Table+" "+p.What, "change the table, or the fields in the config file")
	}
	return len(problems) == 0 && moved == nil
}

// customFields looks for mapped custom fields that Close does not have. With
// no answer nothing is said here: the key's own check does.
func (k *checking) customFields(ctx context.Context, bound map[string]*mapping.Object) bool {
	client, err := k.client(k.cfg, "")
	if err != nil {
		return true
	}
	defer client.CloseIdle()
	clean := true
	for _, t := range mapping.Types() {
		wanted := mappedCustom(bound[t])
		if bound[t] == nil || (len(wanted) == 0 && bound[t].ExternalID == "") {
			continue
		}
		defined, err := client.CustomFields(ctx, t)
		if err != nil {
			return clean
		}
		shared, _ := client.CustomFields(ctx, "shared")
		defined = append(defined, shared...)
		for _, f := range defined {
			delete(wanted, "custom."+f.ID)
		}
		clean = k.marker(bound[t], defined) && clean
		for _, name := range slices.Sorted(maps.Keys(wanted)) {
			k.bad("mapping "+t, "Close has no field "+name, "correct the id, or remove the line")
			clean = false
		}
	}
	return clean
}

func mappedCustom(m *mapping.Object) map[string]bool {
	found := map[string]bool{}
	if m == nil {
		return found
	}
	for _, f := range m.Fields {
		if mapping.IsCustom(f.Close) {
			found[f.Close] = true
		}
	}
	return found
}

// report prints the findings; a bad one exits with 1.
func (k *checking) report() error {
	bad := 0
	for _, f := range k.list {
		if !f.OK {
			bad++
		}
	}
	if k.json {
		if err := printJSON(k.options, k.list); err != nil {
			return err
		}
	} else {
		for _, f := range k.list {
			_, _ = fmt.Fprintln(k.out, f.line())
		}
	}
	if bad > 0 {
		return fmt.Errorf("%d of %d checks failed", bad, len(k.list))
	}
	return nil
}

func (f finding) line() string {
	word := "ok  "
	if !f.OK {
		word = "FAIL"
	}
	line := word + " " + f.ID + ": " + f.What
	if f.Remedy != "" {
		line += " -> " + f.Remedy
	}
	return line
}
