package harness

import (
	"context"
	"strconv"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"closesync/sync/closetest"
	"closesync/sync/engine"
	"closesync/sync/reconcile"
	"closesync/sync/store"
)

// guarded is a loaded world of twelve leads with guards.
func guarded(t *testing.T, limits reconcile.Limits, change func(*Options)) *World {
	t.Helper()
	return world(t, func(o *Options) {
		o.Close = closetest.Options{Seed: 19, Leads: 12}
		o.Guards = limits
		if change != nil {
			change(o)
		}
	})
}

// tables is everything that the mapped tables hold.
func (w *World) tables() string {
	return w.Get(`SELECT jsonb_pretty(jsonb_build_object('leads', (SELECT jsonb_agg(to_jsonb(t) - 'date_updated' ORDER BY id) FROM crm.leads t),
		'contacts', (SELECT jsonb_agg(to_jsonb(t) ORDER BY id) FROM crm.contacts t), 'opportunities', (SELECT jsonb_agg(to_jsonb(t) ORDER BY id) FROM crm.opportunities t)))`)
}

// openHolds describes the open holds.
func (w *World) openHolds() string {
	return w.Get(`SELECT string_agg(concat_ws(' ', h.kind, h.object_type, nullif(h.field, ''), (SELECT count(*) FROM closesync.hold_items i WHERE i.hold_id = h.id)), ', ' ORDER BY h.kind, h.object_type, h.id)
		FROM closesync.holds h WHERE status = 'open'`)
}

func TestFault_C19_EverythingDeletedIsHeldAndPutBack(t *testing.T) {
	w := guarded(t, reconcile.Limits{MaxDeletes: 3}, func(o *Options) {
		o.Setup = "ALTER TABLE crm.leads ADD rating int; ALTER TABLE crm.contacts ADD nick text NOT NULL DEFAULT 'none', ADD shout text GENERATED ALWAYS AS (upper(name)) STORED"
	})
	w.SQL("UPDATE crm.leads SET rating = id; UPDATE crm.contacts SET nick = 'nick ' || id")
	w.Settle()
	before := w.tables()
	w.SQL("DELETE FROM crm.leads")
	w.Settle()
	w.Tail()
	w.Audit()
	require.Equal(t, "delete lead 12", w.openHolds(), "children go with their leads and need no decision of their own")
	require.Equal(t, "12 deletes, more than max_deletes 3", w.Get("SELECT reason FROM closesync.holds"))
	require.Zero(t, w.writes())
	require.True(t, w.idle(), "a hold waits for a person, not for the worker")
	require.Equal(t, "48", w.Get("SELECT count(*) FROM closesync.record_status WHERE state = 'held'"))

	// The rest goes on.
	w.SQL("INSERT INTO crm.leads (name) VALUES ('Goes on')")
	w.Settle()
	require.Len(t, w.Close.List("lead"), 13)
	w.SQL("DELETE FROM crm.leads WHERE name = 'Goes on'")
	w.Settle()
	require.Equal(t, "delete lead 13", w.openHolds(), "it joins while the hold is young")
	w.SQL("UPDATE closesync.holds SET created_at = created_at - interval '2 hours'")

	w.decideHold(false)
	w.Settle()
	w.SQL("DELETE FROM crm.leads WHERE name = 'Goes on'")
	w.all()
	require.Equal(t, before, w.tables(), "every row, key, link and unmapped column is back")
	require.Equal(t, 2, w.writes(), "the one lead made and deleted meanwhile")
	w.rest()
}

func TestFault_C19_ApprovedDeletesGo(t *testing.T) {
	w := guarded(t, reconcile.Limits{MaxDeletes: 3}, nil)
	w.SQL("DELETE FROM crm.leads WHERE id <= 10")
	w.Settle()
	require.Equal(t, "delete lead 10", w.openHolds())
	w.decideHold(true)
	w.Settle()
	require.Len(t, w.Close.List("lead"), 2)
	require.Equal(t, 10, w.writes(), "Close deletes the children itself")
	w.all()
	require.Equal(t, "0", w.Get("SELECT count(*) FROM closesync.record_status WHERE state = 'held'"))
	w.rest()
}

// A lead has more children than may be deleted in a window: they are no
// deletes of their own.
func TestFault_C19_ChildrenDoNotCount(t *testing.T) {
	w := guarded(t, reconcile.Limits{MaxDeletes: 3}, nil)
	w.SQL("DELETE FROM crm.leads WHERE id <= 3")
	w.all()
	require.Empty(t, w.openHolds())
	require.Len(t, w.Close.List("lead"), 9)
	w.rest()
}

// A contact's row takes the opportunity's reference to it along. That is no
// edit: a rejected deletion puts the reference back too.
func TestFault_C19_LinksComeBack(t *testing.T) {
	w := guarded(t, reconcile.Limits{MaxDeletes: 3, MaxClears: 3}, nil)
	before := w.tables()
	w.SQL("DELETE FROM crm.contacts")
	w.Settle()
	require.Equal(t, "delete contact 24", w.openHolds())
	w.Audit()
	require.Zero(t, w.writes())
	w.decideHold(false)
	w.all()
	require.Equal(t, before, w.tables())
	require.Zero(t, w.writes())
	w.rest()
}

func TestFault_C19_ClearsOfOneColumnAreHeld(t *testing.T) {
	for _, approve := range []bool{true, false} {
		t.Run(strconv.FormatBool(approve), func(t *testing.T) {
			w := guarded(t, reconcile.Limits{MaxClears: 5}, nil)
			w.SQL("UPDATE crm.leads SET description = 'about ' || id")
			w.Settle()
			w.SQL("UPDATE crm.leads SET url = 'https://x.example', description = NULL")
			w.Settle()
			w.Tail()
			w.Audit()
			require.Equal(t, "clear lead description 12", w.openHolds())
			require.Equal(t, "description emptied in 12 rows, more than max_clears 5", w.Get("SELECT DISTINCT last_error FROM closesync.record_status WHERE state = 'held'"))
			require.Equal(t, "https://x.example", w.field(w.ids("lead")[0], "url"), "the other field goes on")
			require.NotEmpty(t, w.field(w.ids("lead")[0], "description"))
			require.Equal(t, "12", w.Get("SELECT count(*) FROM crm.leads WHERE description IS NULL"))
			require.True(t, w.idle())
			w.decideHold(approve)
			w.all()
			if approve {
				require.Empty(t, w.field(w.ids("lead")[0], "description"))
			} else {
				require.Equal(t, "12", w.Get("SELECT count(*) FROM crm.leads WHERE description = 'about ' || id"))
			}
			require.Equal(t, "0", w.Get("SELECT count(*) FROM closesync.record_status WHERE state = 'held'"))
			w.rest()
			// The decision was about those clears only.
			w.SQL("UPDATE crm.leads SET description = 'again'")
			w.Settle()
			w.SQL("UPDATE closesync.intents SET created_at = created_at - interval '2 hours'")
			w.SQL("UPDATE crm.leads SET description = NULL")
			w.Settle()
			require.Equal(t, "clear lead description 12", w.openHolds())
		})
	}
}

func TestFault_C19_ClearsOfACustomField(t *testing.T) {
	w := guarded(t, reconcile.Limits{MaxClears: 5}, nil)
	field, err := w.Close.AddCustomField("lead", map[string]any{"name": "Tier", "type": "text"})
	require.NoError(t, err)
	w.SQL("UPDATE crm.leads SET custom = custom || jsonb_build_object($1::text, 'gold')", field)
	w.Settle()
	w.SQL("UPDATE crm.leads SET custom = custom - $1::text", field)
	w.Settle()
	require.Equal(t, "clear lead custom."+field+" 12", w.openHolds())
	require.Equal(t, "gold", w.field(w.ids("lead")[0], "custom."+field))
	w.decideHold(false)
	w.all()
	require.Equal(t, "12", w.Get("SELECT count(*) FROM crm.leads WHERE custom ->> '"+field+"' = 'gold'"))
	w.rest()
}

// Separate transactions share the window; when it is over a new one begins.
func TestFault_C19_TheWindowCounts(t *testing.T) {
	w := guarded(t, reconcile.Limits{MaxDeletes: 3}, nil)
	for i := range 5 {
		w.SQL("DELETE FROM crm.contacts WHERE id = $1", i+1)
		w.Settle()
	}
	require.Len(t, w.ids("contact"), 21)
	require.Equal(t, "delete contact 2", w.openHolds())
	w.SQL("UPDATE closesync.intents SET created_at = created_at - interval '2 hours'")
	w.SQL("UPDATE closesync.holds SET created_at = created_at - interval '2 hours'")
	w.SQL("DELETE FROM crm.contacts WHERE id = 6")
	w.Settle()
	require.Len(t, w.ids("contact"), 20)
	require.Equal(t, "delete contact 2", w.openHolds(), "the old hold is still open")
}

// Not one delete of a transaction slips through before the others are seen:
// with several workers, after a restart, and while hints wait to be absorbed.
func TestFault_C19_HeldToTheLastRow(t *testing.T) {
	w := guarded(t, reconcile.Limits{MaxDeletes: 20}, nil)
	ctx := context.Background()
	w.SQL("DELETE FROM crm.contacts WHERE id <= 21")
	_, _, err := w.Store.Absorb(ctx, 2)
	require.NoError(t, err)
	_, err = w.Engine.Cycle(ctx)
	require.NoError(t, err)
	require.Zero(t, w.writes(), "nineteen hints are still in the outbox")

	second, err := store.Open(ctx, store.Options{Pool: w.Pool, Connection: "default", Objects: w.Objects})
	require.NoError(t, err)
	opt := w.Engine.Options
	opt.Local = second
	other := engine.New(opt)
	var wg sync.WaitGroup
	for _, e := range []*engine.Engine{w.Engine, other} {
		wg.Go(func() {
			if _, err := e.Run(ctx); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	w.Settle()
	require.Zero(t, w.writes())
	require.Equal(t, "delete contact 21", w.openHolds())
}

// A write that is under way counts, although its mark is gone and its answer
// is not in yet.
func TestFault_C19_WritesUnderWayCount(t *testing.T) {
	t.Parallel()
	var w *World
	hook := &interrupted{}
	w = New(t, Options{Close: closetest.Options{Seed: 19, Leads: 6}, Guards: reconcile.Limits{MaxCreates: 2}, Engine: func(o *engine.Options) {
		hook.Remote = o.Remote
		o.Remote = hook
	}})
	w.Load()
	ctx := context.Background()
	hook.after = func() {
		w.SQL("INSERT INTO crm.leads (name) VALUES ('third')")
		second, err := store.Open(ctx, store.Options{Pool: w.Pool, Connection: "default", Objects: w.Objects})
		require.NoError(t, err)
		opt := w.Engine.Options
		opt.Local, opt.Remote = second, hook.Remote
		_, err = engine.New(opt).Run(ctx)
		require.NoError(t, err)
	}
	w.SQL("INSERT INTO crm.leads (name) VALUES ('first'), ('second')")
	w.Settle()
	require.Len(t, w.Close.List("lead"), 8)
	require.Equal(t, "create lead 1", w.openHolds())
}

// What is held costs nothing: no GET a row, and none at rest.
func TestFault_C19_AnOpenHoldCostsNoCalls(t *testing.T) {
	w := guarded(t, reconcile.Limits{MaxDeletes: 3, MaxClears: 3}, nil)
	w.SQL("DELETE FROM crm.contacts WHERE id <= 4")
	w.SQL("UPDATE crm.leads SET description = 'x'")
	w.Settle()
	w.SQL("UPDATE crm.leads SET description = NULL WHERE id <= 4")
	w.Settle()
	require.Equal(t, "clear lead description 4, delete contact 4", w.openHolds())
	w.Close.ResetRequests()
	w.SQL("DELETE FROM crm.contacts WHERE id > 4")
	w.SQL("UPDATE crm.leads SET description = NULL WHERE id > 4")
	w.Settle()
	require.Equal(t, "clear lead description 12, delete contact 24", w.openHolds())
	for _, r := range w.Close.Requests() {
		require.Contains(t, r.Path, "/opportunity/", "only the references that the foreign key emptied are looked at")
	}
	w.decideHold(true)
	w.decideHold(true)
	w.all()
	require.Empty(t, w.ids("contact"))
	w.rest()
}

// An operator need not decide about what its user took back.
func TestFault_C19_TakenBackIsNoLongerHeld(t *testing.T) {
	w := guarded(t, reconcile.Limits{MaxDeletes: 3, MaxCreates: 3, MaxClears: 3}, nil)
	w.SQL("UPDATE crm.leads SET description = 'about ' || id")
	w.Settle()
	w.SQL("UPDATE crm.leads SET description = NULL")
	w.SQL("INSERT INTO crm.leads (name) SELECT 'new ' || n FROM generate_series(1, 4) n")
	w.Settle()
	require.Equal(t, "clear lead description 12, create lead 4", w.openHolds())
	w.SQL("UPDATE crm.leads SET description = 'about ' || id WHERE name NOT LIKE 'new %' AND id <> 1")
	w.SQL("DELETE FROM crm.leads WHERE name LIKE 'new %'")
	w.Settle()
	require.Equal(t, "clear lead description 1", w.openHolds())
	w.SQL("UPDATE crm.leads SET description = 'about 1' WHERE id = 1")
	w.Settle()
	require.Empty(t, w.openHolds())
	require.Equal(t, "0", w.Get("SELECT count(*) FROM closesync.record_status WHERE state = 'held'"))
	w.Equal()
}

func TestGuard_InboundDeletes(t *testing.T) {
	for _, approve := range []bool{true, false} {
		t.Run(strconv.FormatBool(approve), func(t *testing.T) {
			limit := 2
			w := guarded(t, reconcile.Limits{InboundDeletes: &limit}, nil)
			leads := w.ids("lead")
			for _, id := range leads[:5] {
				require.NoError(t, w.Close.Delete(id))
			}
			w.Tail()
			w.Search()
			w.Audit()
			require.Equal(t, "inbound_delete lead 5", w.openHolds())
			require.Equal(t, "12 24 12", w.Get("SELECT concat_ws(' ', (SELECT count(*) FROM crm.leads), (SELECT count(*) FROM crm.contacts), (SELECT count(*) FROM crm.opportunities))"))
			require.True(t, w.idle())
			w.edit(leads[6], map[string]any{"name": "goes on"})
			w.Tail()
			require.Equal(t, "goes on", w.Get("SELECT name FROM crm.leads WHERE close_id = $1", leads[6]))
			w.decideHold(approve)
			w.Settle()
			w.Tail()
			w.Audit()
			require.Zero(t, w.writes())
			require.Equal(t, "0", w.Get("SELECT count(*) FROM closesync.record_status WHERE state = 'held'"))
			want := "12 24 12"
			if approve {
				want = "7 14 7"
				w.Equal()
			}
			require.Equal(t, want, w.Get("SELECT concat_ws(' ', (SELECT count(*) FROM crm.leads), (SELECT count(*) FROM crm.contacts), (SELECT count(*) FROM crm.opportunities))"))
			require.Equal(t, "7 14 7", w.Get("SELECT concat_ws(' ', (SELECT count(close_id) FROM crm.leads), (SELECT count(close_id) FROM crm.contacts), (SELECT count(close_id) FROM crm.opportunities))"))
			// Below the number they go through.
			w.SQL("UPDATE closesync.journal_log SET at = at - interval '2 hours'")
			require.NoError(t, w.Close.Delete(leads[7]))
			w.Tail()
			require.Equal(t, "0", w.Get("SELECT count(*) FROM crm.leads WHERE close_id = $1", leads[7]))
		})
	}
}

func TestGuard_InboundDeletesFoundByLooking(t *testing.T) {
	limit := 2
	w := guarded(t, reconcile.Limits{InboundDeletes: &limit}, nil)
	for _, id := range w.ids("contact")[:4] {
		require.NoError(t, w.Close.Delete(id))
	}
	w.SQL("UPDATE closesync.records SET last_synced_at = last_synced_at - interval '1 minute'")
	w.Audit()
	require.Equal(t, "inbound_delete contact 4", w.openHolds())
	require.Equal(t, "24", w.Get("SELECT count(*) FROM crm.contacts"))
}
