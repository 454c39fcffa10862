package harness

import (
	"context"
	"strconv"
	"testing"

	"github.com/stretchr/testify/require"

	"closesync/sync/reconcile"
)

func (w *World) decideHold(approve bool) {
	w.T.Helper()
	id, err := strconv.ParseInt(w.Get("SELECT min(id) FROM closesync.holds WHERE status = 'open'"), 10, 64)
	require.NoError(w.T, err)
	require.NoError(w.T, w.Store.DecideHold(context.Background(), id, approve))
}

func TestFault_S4_MassDeleteIsHeld(t *testing.T) {
	for _, approve := range []bool{true, false} {
		t.Run(strconv.FormatBool(approve), func(t *testing.T) {
			w := world(t, func(o *Options) { o.Guards = reconcile.Limits{MaxDeletes: 2} })
			w.SQL("DELETE FROM crm.contacts WHERE id <= 5")
			w.Settle()
			w.Tail()
			w.Audit()
			require.Len(t, w.ids("contact"), 8, "nothing is deleted before somebody decides")
			require.Equal(t, "5", w.Get("SELECT count(*) FROM closesync.record_status WHERE state = 'held' AND object_type = 'contact'"))
			require.Equal(t, "5", w.Get("SELECT count(*) FROM closesync.hold_items"))
			w.decideHold(approve)
			w.all()
			want := 8
			if approve {
				want = 3
			}
			require.Len(t, w.ids("contact"), want)
			require.Equal(t, strconv.Itoa(want), w.Get("SELECT count(*) FROM crm.contacts"))
			w.rest()
			// The decision was about those deletes only.
			id := w.ids("contact")[0]
			w.SQL("DELETE FROM crm.contacts WHERE close_id = $1", id)
			w.all()
			require.Len(t, w.ids("contact"), want-1)
			require.Equal(t, "0", w.Get("SELECT count(*) FROM closesync.holds WHERE status = 'open'"))
		})
	}
}

func TestFault_S4_MassCreateIsHeld(t *testing.T) {
	for _, approve := range []bool{true, false} {
		t.Run(strconv.FormatBool(approve), func(t *testing.T) {
			w := world(t, func(o *Options) { o.Guards = reconcile.Limits{MaxCreates: 2} })
			w.SQL("INSERT INTO crm.leads (name) SELECT 'Mass ' || n FROM generate_series(1, 5) n")
			w.Settle()
			require.Len(t, w.ids("lead"), 4)
			require.Equal(t, "5", w.Get("SELECT count(*) FROM closesync.record_status WHERE state = 'held'"))
			w.decideHold(approve)
			w.Settle()
			w.Audit()
			if approve {
				w.Equal()
				require.Len(t, w.ids("lead"), 9)
				return
			}
			require.Len(t, w.ids("lead"), 4)
			require.Equal(t, "9", w.Get("SELECT count(*) FROM crm.leads"), "a row that is not sent stays")
			require.Equal(t, "0", w.Get("SELECT count(*) FROM closesync.holds WHERE status = 'open'"))
		})
	}
}

func TestFault_S4_FromCloseIsAMirror(t *testing.T) {
	w := world(t, func(o *Options) { o.Objects = objects("lead", func(c *config) { c.Direction = "from_close" }) })
	id := w.ids("lead")[0]
	childless, err := w.Close.Create("lead", map[string]any{"name": "Childless"})
	require.NoError(t, err)
	w.Tail()
	w.SQL("UPDATE crm.leads SET name = 'Not mine to change' WHERE close_id = $1", id)
	w.SQL("DELETE FROM crm.leads WHERE close_id = $1", childless)
	before := w.writes()
	w.all()
	require.Equal(t, before, w.writes())
	require.Contains(t, w.conflict(id, "local_value::text"), "Not mine to change")
	w.SQL("INSERT INTO crm.leads (name) VALUES ('Stays here')")
	w.Settle()
	w.Audit()
	require.Equal(t, before, w.writes())
	require.Equal(t, "1", w.Get("SELECT count(*) FROM crm.leads WHERE name = 'Stays here' AND close_id IS NULL"))
}

func TestFault_S4_ToCloseWritesNoRow(t *testing.T) {
	w := world(t, nil)
	w.Objects["lead"].Direction = "to_close"
	id := w.ids("lead")[0]
	name := w.field(id, "name")
	w.edit(id, map[string]any{"name": "Edited in Close"})
	_, err := w.Close.Create("lead", map[string]any{"name": "Stays there"})
	require.NoError(t, err)
	w.Tail()
	w.Search()
	w.Audit()
	require.Equal(t, name, w.field(id, "name"), "Close follows the row")
	require.Equal(t, "4", w.Get("SELECT count(*) FROM crm.leads"))
	w.SQL("UPDATE crm.leads SET name = 'Row' WHERE close_id = $1", id)
	w.Settle()
	require.Equal(t, "Row", w.field(id, "name"))
	require.NoError(t, w.Close.Delete(id))
	w.Tail()
	require.Equal(t, "4", w.Get("SELECT count(*) FROM crm.leads"), "Close may not take a row away")
	before := w.writes()
	w.Audit()
	w.Tail()
	require.Equal(t, before, w.writes())
}

func TestFault_S4_RowsThatOutliveADeletion(t *testing.T) {
	for _, rule := range []string{"detach", "flag:gone"} {
		t.Run(rule, func(t *testing.T) {
			w := world(t, func(o *Options) {
				o.Setup = "ALTER TABLE crm.contacts ADD gone boolean NOT NULL DEFAULT false"
				o.Objects = objects("contact", func(c *config) { c.OnCloseDelete = rule })
			})
			id := w.ids("contact")[0]
			key := w.Get("SELECT id FROM crm.contacts WHERE close_id = $1", id)
			require.NoError(t, w.Close.Delete(id))
			w.Tail()
			w.Audit()
			require.Equal(t, "deleted", w.state("contact", id))
			want := "f"
			if rule != "detach" {
				want = "t " + id
			}
			require.Equal(t, want, w.Get("SELECT concat_ws(' ', gone, close_id) FROM crm.contacts WHERE id = $1::text::bigint", key))
			before := w.writes()
			w.SQL("UPDATE crm.contacts SET title = 'still edited' WHERE id = $1::text::bigint", key)
			w.Settle()
			w.Audit()
			w.Tail()
			require.Equal(t, before, w.writes(), "it is not created again")
			require.Equal(t, "8", w.Get("SELECT count(*) FROM crm.contacts"))
		})
	}
}

func TestFault_S4_LocalDeleteIgnored(t *testing.T) {
	w := world(t, func(o *Options) { o.Objects = objects("contact", func(c *config) { c.OnLocalDelete = "ignore" }) })
	w.SQL("DELETE FROM crm.contacts WHERE id = 1")
	w.Settle() // opportunities lose their reference to it, which is an edit
	before := w.writes()
	w.Settle()
	w.Tail()
	w.Audit()
	require.Equal(t, before, w.writes())
	require.Len(t, w.ids("contact"), 8)
	require.Equal(t, "7", w.Get("SELECT count(*) FROM crm.contacts"))
}

func TestFault_S4_TruncateIsRefilled(t *testing.T) {
	w := world(t, nil)
	w.SQL("UPDATE crm.contacts SET title = 'edited just before'")
	w.SQL("TRUNCATE crm.leads CASCADE")
	before := w.writes()
	w.all()
	require.Equal(t, before, w.writes())
	require.Equal(t, "4", w.Get("SELECT count(*) FROM crm.leads"))
	w.rest()
}

const ownTables = `CREATE SCHEMA app;
CREATE TABLE app.company (uid uuid PRIMARY KEY DEFAULT gen_random_uuid(), close_ref text UNIQUE, company_name text, about text, site text);
CREATE TABLE app.person (code text PRIMARY KEY, crm text UNIQUE, account uuid REFERENCES app.company ON DELETE CASCADE, full_name text, mails jsonb)`

func TestFault_S12_OwnTables(t *testing.T) {
	off := false
	w := world(t, func(o *Options) {
		o.Setup = ownTables
		o.Objects = []config{
			{Type: "lead", Table: "app.company", Key: "uid", CloseID: "close_ref", Fields: fields("name", "company_name", "description", "about", "url", "site")},
			{Type: "contact", Table: "app.person", Key: "code", CloseID: "crm", Fields: fields("lead_id", "account", "name", "full_name", "emails", "mails")},
			{Type: "opportunity", Enabled: &off},
		}
	})
	w.SQL(`WITH c AS (INSERT INTO app.company (company_name) VALUES ('Own') RETURNING uid)
		INSERT INTO app.person (code, account, full_name, mails) SELECT 'p-1', uid, 'Ada', '[{"email":"ada@x.example","type":"office"}]' FROM c`)
	w.SQL("UPDATE app.company SET about = 'ours' WHERE close_ref = $1", w.ids("lead")[0])
	w.edit(w.ids("contact")[0], map[string]any{"name": "Theirs"})
	w.SQL("UPDATE app.person SET code = 'renamed' WHERE crm = $1", w.ids("contact")[1])
	w.all()
	require.Len(t, w.ids("contact"), 9)
	require.Len(t, w.ids("lead"), 5)
	require.Equal(t, "ours", w.field(w.ids("lead")[0], "description"))
	w.SQL("DELETE FROM app.person WHERE code = 'renamed'")
	require.NoError(t, w.Close.Merge(w.ids("lead")[2], w.ids("lead")[3]))
	w.all()
	require.Len(t, w.ids("contact"), 8)
}
