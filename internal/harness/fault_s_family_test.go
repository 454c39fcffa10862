package harness

import (
	"context"
	"fmt"
	"strconv"
	"testing"

	"github.com/stretchr/testify/require"

	"closesync/sync/closetest"
	"closesync/sync/reconcile"
)

// kids are the Close ids of a lead's children, and the rows of those.
func (w *World) kids(lead string) []string {
	var list []string
	for _, objectType := range []string{"contact", "opportunity"} {
		for _, r := range w.Close.List(objectType) {
			if r["lead_id"] == lead {
				list = append(list, r["id"].(string))
			}
		}
	}
	return list
}

// orders runs a test with the children's hints before, with and after their
// parent's.
func orders(t *testing.T, change func(*Options), test func(t *testing.T, w *World, settle func())) {
	for _, first := range []string{"", "lead", "child"} {
		t.Run("first "+first, func(t *testing.T) {
			w := world(t, change)
			test(t, w, func() {
				for first != "" {
					_, _, err := w.Store.Absorb(context.Background(), 1)
					require.NoError(t, err)
					w.SQL(`UPDATE closesync.dirty d SET not_before = clock_timestamp() + interval '300 ms' FROM closesync.records r
						WHERE r.id = d.record_id AND (r.object_type = 'lead') = ($1 = 'child')`, first)
					_, err = w.Engine.Cycle(context.Background())
					require.NoError(t, err)
					if w.hints() == "0" {
						break
					}
				}
				w.Settle()
			})
		})
	}
}

func TestFault_S4_ALeadThatComesBackBringsItsChildren(t *testing.T) {
	orders(t, nil, func(t *testing.T, w *World, settle func()) {
		id := w.ids("lead")[0]
		kids := w.kids(id)
		require.Len(t, kids, 3)
		w.SQL("DELETE FROM crm.leads WHERE close_id = $1", id)
		w.edit(id, map[string]any{"description": "outlives the delete"})
		w.Close.ResetRequests()
		settle()
		require.Empty(t, w.changing(), "nothing of a lead that is edited in Close is deleted there")
		w.all()
		require.Equal(t, kids, w.kids(id))
		require.Equal(t, "outlives the delete", w.Get("SELECT description FROM crm.leads WHERE close_id = $1", id))
		w.rest()
	})
}

func TestFault_S4_AnEditOfAChildBringsTheLeadBack(t *testing.T) {
	for name, touch := range map[string]func(w *World, lead string, kids []string){
		"edited": func(w *World, _ string, kids []string) { w.edit(kids[0], map[string]any{"title": "new words"}) },
		"created": func(w *World, lead string, _ []string) {
			w.create("contact", map[string]any{"lead_id": lead, "name": "New"})
		},
	} {
		t.Run(name, func(t *testing.T) {
			orders(t, nil, func(t *testing.T, w *World, settle func()) {
				id := w.ids("lead")[0]
				w.SQL("DELETE FROM crm.leads WHERE close_id = $1", id)
				touch(w, id, w.kids(id))
				kids := w.kids(id)
				settle()
				w.all()
				require.Equal(t, kids, w.kids(id))
				w.rest()
			})
		})
	}
}

func TestFault_S11_ADeletedLeadCostsOneCall(t *testing.T) {
	orders(t, nil, func(t *testing.T, w *World, settle func()) {
		id := w.ids("lead")[0]
		kids := w.kids(id)
		w.Close.ResetRequests()
		w.SQL("DELETE FROM crm.leads WHERE close_id = $1", id)
		settle()
		require.Equal(t, []string{"DELETE /api/v1/lead/" + id + "/"}, w.changing())
		require.LessOrEqual(t, len(w.Close.Requests()), 2, "one reading and one delete for all of them")
		for _, kid := range kids {
			require.Equal(t, "deleted", w.Get("SELECT state FROM closesync.record_status WHERE close_id = $1", kid))
			require.Equal(t, "1", w.Get("SELECT count(*) FROM closesync.journal WHERE close_id = $1 AND action = 'delete' AND direction = 'to_close' AND old_value ->> 'lead_id' = $2", kid, id))
		}
		require.Equal(t, "0", w.Get("SELECT count(*) FROM closesync.dirty"))
		w.rest()
		require.Equal(t, []string{"DELETE /api/v1/lead/" + id + "/"}, w.changing())
	})
}

func TestFault_S11_AChildMovedInCloseOutlivesItsOldLead(t *testing.T) {
	orders(t, nil, func(t *testing.T, w *World, settle func()) {
		leads := w.ids("lead")
		kid := w.kids(leads[0])[0]
		w.SQL("DELETE FROM crm.leads WHERE close_id = $1", leads[0])
		w.edit(kid, map[string]any{"lead_id": leads[1]})
		settle()
		w.due()
		w.all()
		require.NotContains(t, w.ids("lead"), leads[0])
		require.Equal(t, leads[1], w.field(kid, "lead_id"))
		w.rest()
	})
}

func TestFault_S11_AChildMovedHereLeavesBeforeItsOldLeadIsDeleted(t *testing.T) {
	orders(t, nil, func(t *testing.T, w *World, settle func()) {
		leads := w.ids("lead")
		kid := w.kids(leads[0])[0]
		w.SQL("UPDATE crm.contacts SET lead_id = (SELECT id FROM crm.leads WHERE close_id = $2) WHERE close_id = $1", kid, leads[1])
		w.SQL("DELETE FROM crm.leads WHERE close_id = $1", leads[0])
		settle()
		w.all()
		require.NotContains(t, w.ids("lead"), leads[0])
		require.Equal(t, leads[1], w.field(kid, "lead_id"), "it was moved before its old lead went")
		w.rest()
	})
}

func TestFault_S4_AChildThatCannotBeMovedKeepsItsLead(t *testing.T) {
	w := world(t, func(o *Options) { o.Close.RefuseContactMove = true })
	leads := w.ids("lead")
	kid := w.kids(leads[0])[0]
	w.SQL("UPDATE crm.contacts SET lead_id = (SELECT id FROM crm.leads WHERE close_id = $2) WHERE close_id = $1", kid, leads[1])
	w.SQL("DELETE FROM crm.leads WHERE close_id = $1", leads[0])
	w.due()
	w.all()
	require.Contains(t, w.ids("lead"), leads[0])
	require.Contains(t, w.ids("contact"), kid)
	w.rest()
}

// Close moves no opportunity at all.
func TestFault_S4_ALeadDeletedInTheTransactionThatMovedItsOpportunityAway(t *testing.T) {
	orders(t, nil, func(t *testing.T, w *World, settle func()) {
		deal := w.ids("opportunity")[0]
		from := w.field(deal, "lead_id")
		to := w.ids("lead")[0]
		if to == from {
			to = w.ids("lead")[1]
		}
		w.SQL(fmt.Sprintf(`DO $$ BEGIN
			UPDATE crm.opportunities SET lead_id = (SELECT id FROM crm.leads WHERE close_id = '%s') WHERE close_id = '%s';
			DELETE FROM crm.leads WHERE close_id = '%s';
		END $$`, to, deal, from))
		settle()
		for range 3 {
			w.due()
			w.all()
		}
		require.Contains(t, w.ids("lead"), from)
		require.Contains(t, w.ids("opportunity"), deal)
		require.Equal(t, "recalled", w.Get("SELECT cause ->> 'rule' FROM closesync.journal WHERE close_id = $1 AND action = 'create' ORDER BY id DESC LIMIT 1", from), "it says why it came back")
		require.NotContains(t, w.Get("SELECT coalesce(last_error, '') FROM closesync.record_status WHERE close_id = $1", deal), "foreign key")
		w.rest()
	})
}

func TestFault_S4_HeldLeadsTakeTheirChildrenAlong(t *testing.T) {
	for _, approve := range []bool{true, false} {
		t.Run(strconv.FormatBool(approve), func(t *testing.T) {
			w := world(t, func(o *Options) { o.Guards = reconcile.Limits{MaxDeletes: 2} })
			w.SQL("DELETE FROM crm.leads WHERE id <= 3")
			w.Settle()
			w.Tail()
			w.Audit()
			require.Len(t, w.ids("contact"), 8)
			require.Equal(t, "3", w.Get("SELECT count(*) FROM closesync.hold_items"), "their children are no deletes of their own")
			require.Equal(t, "held", w.Get("SELECT string_agg(DISTINCT state, ',') FROM closesync.record_status r WHERE state <> 'synced'"))
			// Another delete is not held because of them.
			w.SQL("DELETE FROM crm.contacts WHERE lead_id = 4")
			w.Settle()
			require.Len(t, w.ids("contact"), 6)
			w.decideHold(approve)
			w.all()
			if approve {
				require.Len(t, w.ids("lead"), 1)
				require.Empty(t, w.ids("contact"))
			} else {
				require.Len(t, w.ids("lead"), 4)
				require.Len(t, w.ids("contact"), 6)
			}
			w.rest()
		})
	}
}

func TestFault_S4_ARefusedDeleteOfALeadKeepsItsChildren(t *testing.T) {
	w := world(t, nil)
	id := w.ids("lead")[0]
	kids := w.kids(id)
	w.Close.Fault(closetest.Fault{Name: "no", Method: "DELETE", Path: "/lead/", Kind: closetest.FaultStatus, Status: 403})
	w.SQL("DELETE FROM crm.leads WHERE close_id = $1", id)
	w.Settle()
	w.due()
	require.Equal(t, 1, w.Close.FaultFired("no"))
	require.Equal(t, "error", w.state("lead", id))
	for _, kid := range kids {
		require.Equal(t, "error", w.Get("SELECT state FROM closesync.record_status WHERE close_id = $1", kid))
		require.Contains(t, w.Get("SELECT last_error FROM closesync.record_status WHERE close_id = $1", kid), "parent")
	}
	require.Equal(t, kids, w.kids(id))
	w.Close.ClearFaults()
	_, err := w.Store.RetryErrors(context.Background(), nil)
	require.NoError(t, err)
	w.due()
	w.all()
	require.NotContains(t, w.ids("lead"), id)
	w.rest()
}

func (w *World) create(objectType string, fields map[string]any) string {
	w.T.Helper()
	id, err := w.Close.Create(objectType, fields)
	require.NoError(w.T, err)
	return id
}

// A delete of a child without an answer, and then its lead: neither waits for
// the other.
func TestFault_S19_AChildWhoseDeleteHadNoAnswerBeforeItsLead(t *testing.T) {
	for _, kind := range []closetest.FaultKind{closetest.FaultCut, closetest.FaultCutAfter} {
		t.Run(string(kind), func(t *testing.T) {
			w := world(t, nil)
			lead := w.ids("lead")[0]
			kid := w.kids(lead)[0]
			w.Close.Fault(closetest.Fault{Method: "DELETE", Path: "/contact/", Kind: kind, Times: 1})
			w.SQL("DELETE FROM crm.contacts WHERE close_id = $1", kid)
			_, err := w.Engine.Run(context.Background())
			require.NoError(t, err)
			w.SQL("DELETE FROM crm.leads WHERE close_id = $1", lead)
			for range 3 {
				w.due()
				w.all()
			}
			require.NotContains(t, w.ids("lead"), lead)
			require.NotContains(t, w.ids("contact"), kid)
			w.rest()
		})
	}
}
