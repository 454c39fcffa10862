package harness

import (
	"context"
	"fmt"
	"slices"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"closesync/mapping"
	"closesync/sync/closetest"
	"closesync/sync/engine"
	"closesync/sync/reconcile"
)

// contents is all that the database holds, table by table, with the versions
// of the rows.
func (w *World) contents() map[string]string {
	w.T.Helper()
	rows, err := w.Pool.Query(context.Background(), `SELECT table_schema || '.' || table_name, format('%I.%I', table_schema, table_name)
		FROM information_schema.tables WHERE table_schema IN ('closesync', 'crm') AND table_type = 'BASE TABLE'`)
	require.NoError(w.T, err)
	var name, quoted string
	tables := map[string]string{}
	_, err = pgx.ForEachRow(rows, []any{&name, &quoted}, func() error { tables[name] = quoted; return nil })
	require.NoError(w.T, err)
	require.Greater(w.T, len(tables), 10)
	for name, quoted := range tables {
		tables[name] = w.Get(fmt.Sprintf("SELECT md5(string_agg(t.xmin::text || t::text, '|' ORDER BY t.xmin::text || t::text)) FROM %s t", quoted))
	}
	return tables
}

// plan plans, and demands that nothing is written on either side.
func (w *World) plan(types ...string) []engine.PlanItem {
	w.T.Helper()
	contents, writes := w.contents(), w.writes()
	items, err := w.Engine.Plan(context.Background(), types)
	require.NoError(w.T, err)
	require.Equal(w.T, contents, w.contents(), "a plan wrote in the database")
	require.Equal(w.T, writes, w.writes(), "a plan wrote to Close")
	return items
}

// planned gives what a plan says will be done, in the words of the journal.
func planned(items []engine.PlanItem) []string {
	list := []string{}
	for _, i := range items {
		if i.Hold != "" {
			continue
		}
		direction, action := "from_close", i.Action
		if i.Side == "close" {
			direction = "to_close"
		}
		switch {
		case i.Field == "lead_id" && i.ObjectType != "lead":
			action = "move"
		case action == "detach" || action == "flag":
			action = "delete"
		case i.Rule == string(reconcile.ReasonRemoteDeleted) && action == "delete":
			action = "end"
		}
		list = append(list, fmt.Sprintf("%s %s %s %s %s", direction, i.ObjectType, i.ID, action, i.Field))
	}
	slices.Sort(list)
	return list
}

// done gives what the journal says was done since a moment. What Close made of
// a write of ours, in its answer, no plan can know.
func (w *World) done(since string) []string {
	w.T.Helper()
	rows, err := w.Pool.Query(context.Background(), `
		SELECT DISTINCT format('%s %s %s %s %s', j.direction, j.object_type,
		       CASE WHEN j.action = 'create' AND j.direction = 'to_close' THEN 'local:' || j.local_key ELSE j.close_id END,
		       CASE WHEN j.direction = 'from_close' AND j.action IN ('delete', 'merge') THEN 'end' ELSE j.action END,
		       CASE WHEN j.action <> 'create' THEN j.field END)
		FROM closesync.journal j WHERE j.id > $1::text::bigint AND j.action <> 'link' AND NOT (j.direction = 'from_close' AND j.cause ? 'intent')`, since)
	require.NoError(w.T, err)
	list, err := pgx.CollectRows(rows, pgx.RowTo[string])
	require.NoError(w.T, err)
	slices.Sort(list)
	return list
}

// What is planned is what is then done, over a world in which about everything
// that can differ does.
func TestPlan_IsWhatIsDone(t *testing.T) {
	t.Parallel()
	w := New(t, Options{Close: closetest.Options{Seed: 21, Leads: 14}, Guards: reconcile.Limits{MaxDeletes: 50, MaxCreates: 50}})
	w.Load()
	leads := w.Close.List("lead")
	id := func(i int) string { return leads[i]["id"].(string) }
	key := func(i int) string { return w.Get("SELECT id FROM crm.leads WHERE close_id = $1", id(i)) }
	contact := func(i int) string {
		return w.Get("SELECT min(close_id) FROM crm.contacts WHERE lead_id = $1::text::bigint", key(i))
	}
	opportunity := func(i int) string {
		return w.Get("SELECT min(close_id) FROM crm.opportunities WHERE lead_id = $1::text::bigint", key(i))
	}
	deal := ""
	for i := range leads {
		if deal == "" && i > 9 {
			deal = opportunity(i)
		}
	}
	remote := func(id string, fields map[string]any) { require.NoError(t, w.Close.Update(id, fields)) }

	w.SQL(`UPDATE crm.leads SET name = 'Here' WHERE close_id = $1`, id(0))
	remote(id(1), map[string]any{"name": "There"})
	w.SQL(`UPDATE crm.leads SET name = 'Here too' WHERE close_id = $1`, id(2))
	remote(id(2), map[string]any{"description": "There too"})
	w.SQL(`UPDATE crm.leads SET name = 'Ours' WHERE close_id = $1`, id(3))
	remote(id(3), map[string]any{"name": "Theirs"})
	w.SQL(`UPDATE crm.leads SET display_name = 'not ours to say' WHERE close_id = $1`, id(4))
	w.SQL(`DELETE FROM crm.leads WHERE close_id = $1`, id(5)) // with all that hangs at it
	require.NoError(t, w.Close.Delete(id(6)))
	w.SQL(`DELETE FROM crm.leads WHERE close_id = $1`, id(7))
	remote(id(7), map[string]any{"name": "Wanted"}) // comes back
	w.SQL(`UPDATE crm.contacts SET lead_id = $2::text::bigint WHERE close_id = $1`, contact(8), key(9))
	w.SQL(`UPDATE crm.contacts SET emails = '[{"email":"a@b.example","type":"office"}]' WHERE close_id = $1`, contact(9))
	w.SQL(`WITH l AS (INSERT INTO crm.leads (name) VALUES ('Brand new') RETURNING id), c AS (INSERT INTO crm.contacts (lead_id, name) SELECT id, 'Cara' FROM l)
		INSERT INTO crm.opportunities (lead_id, note) SELECT id, 'Big' FROM l`)
	_, err := w.Close.Create("lead", map[string]any{"name": "New there"})
	require.NoError(t, err)
	if deal != "" {
		require.NoError(t, w.Close.Delete(deal))
	}

	since := w.Get("SELECT coalesce(max(id), 0) FROM closesync.journal")
	items := w.plan()
	require.NotEmpty(t, items)
	before := w.writes()
	w.Audit()
	want, got := planned(items), w.done(since)
	require.Equal(t, want, got)
	require.Greater(t, len(got), 20, "the world holds next to nothing")
	writes := 0
	for _, i := range items {
		require.NotEmpty(t, i.Seen)
		require.NotEmpty(t, i.Rule, "%+v", i)
		writes += i.Calls - i.Reads
	}
	require.Equal(t, w.writes()-before, writes, "calls that write")
	w.Equal()
	w.Audit() // date_updated of leads trails behind that of their children
	require.Empty(t, w.plan(), "at rest there is nothing to plan")
}

// Before the first load a plan shows the load, and what it holds for approval.
func TestPlan_BeforeTheFirstLoad(t *testing.T) {
	t.Parallel()
	w := New(t, Options{Close: closetest.Options{Seed: 3, Leads: 4}, Setup: `INSERT INTO crm.leads (name) VALUES ('Was here')`})
	items := w.plan()
	count := map[string]int{}
	for _, i := range items {
		count[i.ObjectType+" "+i.Side+" "+i.Action]++
	}
	require.Equal(t, 4, count["lead local create"], "%v", count)
	require.Equal(t, 1, count["lead close create"])
	held := slices.IndexFunc(items, func(i engine.PlanItem) bool { return i.Side == "close" })
	require.Equal(t, engine.FirstStartReason, items[held].Hold)
	w.Load()
	for _, objectType := range mapping.Types() {
		require.Len(t, w.Close.List(objectType), count[objectType+" local create"], objectType)
	}
}

// A plan shows the guards that would hold, over more than one batch.
func TestPlan_ShowsHolds(t *testing.T) {
	t.Parallel()
	w := New(t, Options{Close: closetest.Options{Seed: 4, Leads: 6}, Guards: reconcile.Limits{MaxDeletes: 2, MaxCreates: 3, MaxClears: 2}})
	w.Load()
	w.SQL(`DELETE FROM crm.opportunities`)
	w.SQL(`UPDATE crm.contacts SET title = 'Boss'`)
	w.Settle()
	require.NoError(t, w.Store.DecideHold(context.Background(), 1, false))
	w.Settle()
	w.SQL(`DELETE FROM crm.opportunities`)
	w.SQL(`UPDATE crm.contacts SET title = NULL`)
	w.SQL(`INSERT INTO crm.leads (name) SELECT 'Lead ' || i FROM generate_series(1, 260) i`)
	items := w.plan()
	held := map[string]int{}
	for _, i := range items {
		if i.Side == "local" {
			continue // date_updated of leads trails behind that of their children
		}
		require.NotEmpty(t, i.Hold, "%+v", i)
		held[i.ObjectType+" "+i.Action]++
	}
	require.Equal(t, map[string]int{"opportunity delete": len(w.Close.List("opportunity")), "contact update": len(w.Close.List("contact")), "lead create": 260}, held)
	w.Settle()
	require.Equal(t, fmt.Sprint(held["opportunity delete"]), w.Get("SELECT count(*) FROM closesync.hold_items i JOIN closesync.holds h ON h.id = i.hold_id WHERE h.kind = 'delete' AND h.status = 'open'"))
	require.Equal(t, "260", w.Get("SELECT count(*) FROM closesync.hold_items i JOIN closesync.holds h ON h.id = i.hold_id WHERE h.kind = 'create'"))

	again := map[string]int{}
	for _, i := range w.plan() {
		if i.Side != "local" {
			require.Contains(t, i.Hold, "hold ", "%+v", i)
			require.True(t, i.Field == "" || i.OldValue != nil, "%+v", i)
			again[i.ObjectType+" "+i.Action]++
		}
	}
	require.Equal(t, held, again, "what is held already is told again")
}

// An open conflict is told by each plan, until somebody decides.
func TestPlan_ShowsOpenConflicts(t *testing.T) {
	t.Parallel()
	w := New(t, Options{Close: closetest.Options{Seed: 5, Leads: 3}, Objects: []mapping.ObjectConfig{{Type: "lead", Conflict: "manual"}}})
	w.Load()
	lead := w.Close.List("lead")[0]["id"].(string)
	w.SQL(`UPDATE crm.leads SET name = 'Ours' WHERE close_id = $1`, lead)
	require.NoError(t, w.Close.Update(lead, map[string]any{"name": "Theirs"}))
	conflicts := func() (list []engine.PlanItem) {
		for _, i := range w.plan() {
			if i.Action == "conflict" {
				list = append(list, i)
			}
		}
		return list
	}
	before := conflicts()
	require.Len(t, before, 1)
	w.Audit()
	after := conflicts()
	require.Len(t, after, 1)
	for _, i := range after {
		require.Equal(t, lead, i.CloseID)
		require.Equal(t, before[0].Rule, i.Rule)
		require.Equal(t, [2]string{"name", "conflict 1 waits for a decision between the local value and Close's"}, [2]string{i.Field, i.Hold})
		require.Equal(t, [2]mapping.Value{`"Ours"`, `"Theirs"`}, [2]mapping.Value{i.Old, i.New})
	}
	require.Empty(t, w.plan("contact"))
}
