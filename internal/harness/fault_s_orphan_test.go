package harness

import (
	"context"
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"closesync/sync/reconcile"
)

// ownFamily are tables whose children outlive their parent, without one.
const ownFamily = `CREATE SCHEMA own;
CREATE TABLE own.acct (key uuid PRIMARY KEY DEFAULT gen_random_uuid(), cid text UNIQUE, nm text, about text);
CREATE TABLE own.person (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, cid text UNIQUE, acct uuid REFERENCES own.acct ON DELETE SET NULL, nm text);
CREATE TABLE own.deal (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, cid text UNIQUE, acct uuid REFERENCES own.acct ON DELETE SET NULL,
	pers bigint REFERENCES own.person ON DELETE SET NULL, note text)`

func orphans(t *testing.T, change func(lead *config, o *Options)) *World {
	t.Helper()
	return world(t, func(o *Options) {
		o.Setup = ownFamily
		o.Objects = []config{
			{Type: "lead", Table: "own.acct", Key: "key", CloseID: "cid", Fields: fields("name", "nm", "description", "about")},
			{Type: "contact", Table: "own.person", Key: "id", CloseID: "cid", Fields: fields("lead_id", "acct", "name", "nm")},
			{Type: "opportunity", Table: "own.deal", Key: "id", CloseID: "cid", Fields: fields("lead_id", "acct", "contact_id", "pers", "note", "note")},
		}
		if change != nil {
			change(&o.Objects[0], o)
		}
	})
}

// familyOf is how many children of a lead there are in Close.
func (w *World) familyOf(lead string) int {
	w.T.Helper()
	n := 0
	for _, child := range []string{"contact", "opportunity"} {
		for _, r := range w.Close.List(child) {
			if r["lead_id"] == lead {
				n++
			}
		}
	}
	return n
}

const orphaned = "SELECT (SELECT count(*) FROM own.person WHERE acct IS NULL) + (SELECT count(*) FROM own.deal WHERE acct IS NULL)"

// A foreign key that empties the reference to a deleted lead edits nothing: the
// lead goes, and Close takes its children along.
func TestFault_S11_ChildrenOutliveTheRowOfTheirLead(t *testing.T) {
	w := orphans(t, nil)
	lead := w.ids("lead")[0]
	require.Positive(t, w.familyOf(lead))
	w.SQL("DELETE FROM own.acct WHERE cid = $1", lead)
	w.all()
	require.NotContains(t, w.ids("lead"), lead)
	require.Zero(t, w.familyOf(lead))
	require.Equal(t, "0", w.Get(orphaned))
	require.Equal(t, "0", w.Get("SELECT count(*) FROM closesync.conflicts"))
	w.rest()
}

func TestFault_S11_OrphansComeHomeWithTheirLead(t *testing.T) {
	for name, back := range map[string]func(w *World, lead string){
		"edited in Close": func(w *World, lead string) { w.edit(lead, map[string]any{"description": "meanwhile"}) },
		"a child edited in Close": func(w *World, lead string) {
			w.edit(w.Get("SELECT cid FROM own.person WHERE acct = (SELECT key FROM own.acct WHERE cid = $1) LIMIT 1", lead), map[string]any{"name": "Meanwhile"})
		},
	} {
		t.Run(name, func(t *testing.T) {
			w := orphans(t, nil)
			lead := w.ids("lead")[0]
			family := w.familyOf(lead)
			back(w, lead)
			w.SQL("DELETE FROM own.acct WHERE cid = $1", lead)
			w.all()
			require.Contains(t, w.ids("lead"), lead)
			require.Equal(t, family, w.familyOf(lead))
			require.Equal(t, "0", w.Get(orphaned))
			w.rest()
		})
	}
}

func TestFault_S11_OrphansWaitWithAHeldDelete(t *testing.T) {
	w := orphans(t, func(_ *config, o *Options) { o.Guards = reconcile.Limits{MaxDeletes: 1} })
	first, second := w.ids("lead")[0], w.ids("lead")[1]
	family := w.familyOf(first) + w.familyOf(second)
	w.SQL("DELETE FROM own.acct WHERE cid IN ($1, $2)", first, second)
	w.Settle()
	require.Equal(t, family, w.familyOf(first)+w.familyOf(second), "nothing is deleted before somebody decides")
	w.decideHold(false)
	w.all()
	require.Equal(t, family, w.familyOf(first)+w.familyOf(second))
	require.Equal(t, "0", w.Get(orphaned))
	w.rest()
}

// A child that moves before its old parent is deleted, in one transaction.
func TestFault_S11_MovedAwayFromALeadThatIsDeleted(t *testing.T) {
	w := orphans(t, nil)
	from, to := w.ids("lead")[0], w.ids("lead")[1]
	moved := w.Get("SELECT min(cid) FROM own.person WHERE acct = (SELECT key FROM own.acct WHERE cid = $1)", from)
	tx, err := w.Pool.Begin(context.Background())
	require.NoError(t, err)
	for _, sql := range []string{
		"UPDATE own.person SET acct = (SELECT key FROM own.acct WHERE cid = '" + to + "') WHERE cid = '" + moved + "'",
		"DELETE FROM own.acct WHERE cid = '" + from + "'",
	} {
		_, err = tx.Exec(context.Background(), sql)
		require.NoError(t, err)
	}
	require.NoError(t, tx.Commit(context.Background()))
	w.all()
	require.NotContains(t, w.ids("lead"), from)
	require.Equal(t, to, w.field(moved, "lead_id"))
	require.Equal(t, "0", w.Get(orphaned))
	w.rest()
}

// With on_local_delete: ignore the lead stays in Close for good, and so do its
// children: nothing is sent and nothing waits.
func TestFault_S11_OrphansOfALeadWhoseDeleteIsIgnored(t *testing.T) {
	w := orphans(t, func(lead *config, _ *Options) { lead.OnLocalDelete = "ignore" })
	lead := w.ids("lead")[0]
	family := w.familyOf(lead)
	w.SQL("DELETE FROM own.acct WHERE cid = $1", lead)
	before := w.writes()
	w.Settle()
	w.Audit()
	require.Equal(t, before, w.writes())
	require.Equal(t, family, w.familyOf(lead))
	require.Equal(t, "0", w.Get("SELECT count(*) FROM closesync.dirty"))
	require.Equal(t, "0", w.Get("SELECT count(*) FROM closesync.record_status WHERE state = 'error'"))
}

// A lead is merged into one that was deleted here, while its children were
// edited: whatever is looked at first, none waits for the other for good.
func TestFault_S9_MergedIntoALeadDeletedHere(t *testing.T) {
	for name, meanwhile := range map[string]string{
		"children edited": "UPDATE crm.contacts SET title = 'x' WHERE lead_id = (SELECT id FROM crm.leads WHERE close_id = $1)",
		"children moved":  "UPDATE crm.contacts SET lead_id = (SELECT max(id) FROM crm.leads) WHERE lead_id = (SELECT id FROM crm.leads WHERE close_id = $1)",
		"nothing":         "UPDATE crm.leads SET name = name WHERE close_id = $1",
	} {
		for _, tail := range []bool{false, true} {
			t.Run(fmt.Sprint(name, tail), func(t *testing.T) {
				w := world(t, nil)
				from, into := w.ids("lead")[0], w.ids("lead")[1]
				w.SQL(meanwhile, from)
				w.SQL("DELETE FROM crm.leads WHERE close_id = $1", into)
				require.NoError(t, w.Close.Merge(from, into))
				if tail {
					w.Tail()
				}
				w.all()
				require.Equal(t, "0", w.Get("SELECT count(*) FROM closesync.record_status WHERE state = 'error'"))
				w.rest()
			})
		}
	}
}

// Contacts come in Close to a lead whose delete here waits for somebody.
func TestFault_S8_MovedToALeadWhoseDeleteIsHeld(t *testing.T) {
	for _, approve := range []bool{true, false} {
		t.Run(fmt.Sprint(approve), func(t *testing.T) {
			w := world(t, func(o *Options) { o.Guards = reconcile.Limits{MaxDeletes: 1} })
			to, other := w.ids("lead")[0], w.ids("lead")[1]
			contact := w.Get("SELECT c.close_id FROM crm.contacts c JOIN crm.leads l ON l.id = c.lead_id WHERE l.close_id = $1 LIMIT 1", w.ids("lead")[2])
			w.SQL("DELETE FROM crm.leads WHERE close_id IN ($1, $2)", to, other)
			w.Settle()
			w.edit(contact, map[string]any{"lead_id": to})
			w.Tail()
			w.Close.ResetRequests()
			w.Settle()
			require.Empty(t, w.Close.Requests(), "it waits without asking")
			w.decideHold(approve)
			w.all()
			require.Equal(t, "0", w.Get("SELECT count(*) FROM closesync.record_status WHERE state = 'error'"))
			w.rest()
		})
	}
}

// A child that names no lead says so, and is sent once it names one.
func TestFault_S12_AChildWithoutALeadSaysSo(t *testing.T) {
	w := orphans(t, nil)
	w.SQL("INSERT INTO own.person (nm) VALUES ('Nobody''s')")
	w.Settle()
	require.Zero(t, w.writes())
	require.Equal(t, "error parent", w.Get("SELECT state || ' ' || error_class FROM closesync.record_status WHERE object_type = 'contact' AND close_id IS NULL"))
	w.SQL("UPDATE own.person SET acct = (SELECT key FROM own.acct LIMIT 1) WHERE nm = 'Nobody''s'")
	w.all()
	require.Equal(t, "0", w.Get("SELECT count(*) FROM closesync.record_status WHERE state = 'error'"))
	w.rest()
}
