package harness

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"closesync/mapping"
	"closesync/sync/closetest"
)

// stage is a loaded world in which one kind of thing happens again and again.
func stage(t *testing.T, seed uint64) *World {
	t.Helper()
	w := New(t, Options{Close: closetest.Options{Seed: seed, Leads: 4, Clock: closetest.NewClock(time.Now())}})
	w.Load()
	w.Equal()
	return w
}

// exhaust works off everything, without waiting for what is put off. The
// transactions of a worker that was cut off may end a moment later.
func (w *World) exhaust() {
	w.T.Helper()
	w.Tail()
	for range 1000 {
		w.SQL("UPDATE closesync.dirty SET not_before = '-infinity' WHERE not_before < 'infinity'")
		w.Settle()
		idle, err := w.Store.Idle(context.Background())
		require.NoError(w.T, err)
		if idle {
			return
		}
	}
	w.T.Fatal("no rest")
}

// told demands what must hold after every crash: nothing lost, nothing twice,
// nothing left over.
func (w *World) told(t *testing.T, crashes map[string]int) {
	t.Helper()
	require.Empty(t, w.Close.Violations())
	require.Equal(t, "0", w.Get("SELECT count(*) FROM closesync.conflicts"), "a crash is no conflict")
	require.Empty(t, w.Get(`SELECT string_agg(s::text, E'\n') FROM closesync.record_status s WHERE state NOT IN ('synced', 'deleted')`))
	require.Empty(t, w.Get(`SELECT string_agg(i::text, E'\n') FROM closesync.intents i WHERE state IN ('open', 'unknown')`))
	require.Empty(t, w.Get(`SELECT string_agg(name, ',') FROM (SELECT name FROM crm.leads GROUP BY name HAVING count(*) > 1) twice`))
	w.rest()
	total, table := 0, ""
	for _, name := range slices.Sorted(maps.Keys(crashes)) {
		total += crashes[name]
		table += fmt.Sprintf("\n%4d %s", crashes[name], name)
	}
	t.Logf("%d crashes%s", total, table)
	require.Positive(t, total)
}

func follow(ctx context.Context, k *Worker) error {
	if _, _, err := k.Engine.Tail(ctx); err != nil {
		return err
	}
	_, err := k.Engine.Run(ctx)
	return err
}

func run(ctx context.Context, k *Worker) error {
	_, err := k.Engine.Run(ctx)
	return err
}

func TestFault_D1_KilledWhileFollowingAnEdit(t *testing.T) {
	t.Parallel()
	w := stage(t, 1101)
	lead, contact := w.ids("lead")[0], w.ids("contact")[1]
	w.told(t, w.Crashes(Story{Name: "edit in Close",
		Begin: func(n int) {
			w.edit(lead, map[string]any{"name": fmt.Sprint("there ", n)})
			w.edit(contact, map[string]any{"title": fmt.Sprint("title ", n)})
		},
		Work:   follow,
		Finish: func(int) { w.exhaust() },
	}))
}

func TestFault_D1_KilledWhileFollowingACreate(t *testing.T) {
	heavy(t)
	t.Parallel()
	w := stage(t, 1102)
	w.told(t, w.Crashes(Story{Name: "create in Close",
		Begin: func(n int) {
			lead, err := w.Close.Create("lead", map[string]any{"name": fmt.Sprint("lead ", n)})
			require.NoError(t, err)
			_, err = w.Close.Create("contact", map[string]any{"lead_id": lead, "name": fmt.Sprint("contact ", n)})
			require.NoError(t, err)
		},
		Work:   follow,
		Finish: func(int) { w.exhaust() },
	}))
}

func TestFault_D1_KilledWhileFollowingADelete(t *testing.T) {
	heavy(t)
	t.Parallel()
	w := stage(t, 1103)
	var gone string
	w.told(t, w.Crashes(Story{Name: "delete in Close",
		Begin: func(n int) {
			gone = w.family(n)
			w.Tail()
			require.NoError(t, w.Close.Delete(gone))
		},
		Work: follow,
		Finish: func(int) {
			w.exhaust()
			require.Equal(t, "0", w.Get("SELECT count(*) FROM crm.leads WHERE close_id = $1", gone))
		},
	}))
}

// family makes a lead with a contact in Close.
func (w *World) family(n int) string {
	w.T.Helper()
	lead, err := w.Close.Create("lead", map[string]any{"name": fmt.Sprint("family ", n)})
	require.NoError(w.T, err)
	_, err = w.Close.Create("contact", map[string]any{"lead_id": lead, "name": fmt.Sprint("member ", n)})
	require.NoError(w.T, err)
	return lead
}

func TestFault_D1_KilledWhileFollowingAMerge(t *testing.T) {
	heavy(t)
	t.Parallel()
	w := stage(t, 1104)
	into := w.ids("lead")[0]
	w.told(t, w.Crashes(Story{Name: "merge in Close",
		Begin: func(n int) {
			source := w.family(n)
			w.Tail()
			require.NoError(t, w.Close.Merge(source, into))
		},
		Work: follow,
		Finish: func(n int) {
			w.exhaust()
			require.Equal(t, "1", w.Get(`SELECT count(*) FROM crm.contacts c JOIN crm.leads l ON l.id = c.lead_id
				WHERE c.name = $1 AND l.close_id = $2`, fmt.Sprint("member ", n), into), "the contact moved along")
		},
	}))
}

// journalled counts what the journal tells of a value that was sent to Close.
func (w *World) journalled(action, id, value string) string {
	return w.Get(`SELECT count(*) FROM closesync.journal WHERE direction = 'to_close' AND action = $1 AND close_id = $2
		AND new_value IS NOT DISTINCT FROM to_jsonb($3::text)`, action, id, value)
}

func TestFault_D1_KilledWhilePushingACreate(t *testing.T) {
	heavy(t)
	t.Parallel()
	w := stage(t, 1106)
	leads, contacts := len(w.ids("lead")), len(w.ids("contact"))
	w.told(t, w.Crashes(Story{Name: "insert here",
		Begin: func(n int) {
			w.SQL(`WITH l AS (INSERT INTO crm.leads (name) VALUES ($1) RETURNING id)
				INSERT INTO crm.contacts (lead_id, name) SELECT id, $1 || ' contact' FROM l`, fmt.Sprint("made ", n))
		},
		Work: func(ctx context.Context, k *Worker) error {
			for range 3 { // the contact waits for its lead
				if err := run(ctx, k); err != nil {
					return err
				}
				if _, err := w.Pool.Exec(ctx, "UPDATE closesync.dirty SET not_before = '-infinity'"); err != nil {
					return err
				}
			}
			return nil
		},
		Finish: func(n int) {
			w.exhaust()
			require.Len(t, w.ids("lead"), leads+n, "each insert is in Close once")
			require.Len(t, w.ids("contact"), contacts+n)
			id := w.Get("SELECT close_id FROM crm.leads WHERE name = $1", fmt.Sprint("made ", n))
			require.Equal(t, "1", w.journalled("create", id, fmt.Sprint("made ", n)))
		},
	}))
}

func TestFault_D1_KilledWhilePushingADelete(t *testing.T) {
	heavy(t)
	t.Parallel()
	w := stage(t, 1107)
	var gone string
	w.told(t, w.Crashes(Story{Name: "delete here",
		Begin: func(n int) {
			gone = w.family(n)
			w.Tail()
			w.SQL("DELETE FROM crm.leads WHERE close_id = $1", gone)
		},
		Work: run,
		Finish: func(int) {
			w.exhaust()
			_, there := w.Close.Get(gone)
			require.False(t, there, w.Get("SELECT string_agg(s::text, E'\\n') FROM closesync.record_status s WHERE state <> 'synced'"))
			require.Equal(t, "1", w.Get("SELECT count(*) FROM closesync.journal WHERE direction = 'to_close' AND action = 'delete' AND close_id = $1", gone))
		},
	}))
}

// What nobody reported is found by a search.
func TestFault_D1_KilledWhileSearching(t *testing.T) {
	heavy(t)
	t.Parallel()
	w := stage(t, 1109)
	lead := w.ids("lead")[1]
	w.told(t, w.Crashes(Story{Name: "search",
		Begin: func(n int) { w.edit(lead, map[string]any{"name": fmt.Sprint("there ", n)}) },
		Work: func(ctx context.Context, k *Worker) error {
			for _, objectType := range mapping.Types() {
				if err := k.Engine.SearchChanged(ctx, objectType); err != nil {
					return err
				}
			}
			return nil
		},
		Finish: func(int) {
			w.Search()
			w.Settle()
		},
	}))
}

// The start itself: the binding, the triggers, the catalogue.
func TestFault_D1_KilledWhileStarting(t *testing.T) {
	heavy(t)
	t.Parallel()
	w := stage(t, 1111)
	leads := w.ids("lead")
	lead := ""
	w.told(t, w.Crashes(Story{Name: "start", Starting: true,
		Begin: func(n int) {
			lead = leads[n%len(leads)] // no record is written to ten times a minute
			w.SQL("DROP TRIGGER IF EXISTS closesync_capture ON crm.leads")
			w.edit(lead, map[string]any{"name": fmt.Sprint("there ", n)})
		},
		Work: func(ctx context.Context, k *Worker) error { return k.Engine.Reference(ctx) },
		Finish: func(n int) {
			w.SQL("UPDATE crm.leads SET description = $1 WHERE close_id = $2", fmt.Sprint("here ", n), lead)
			w.exhaust()
			require.Equal(t, fmt.Sprint("here ", n), w.field(lead, "description"), "the triggers are back")
		},
	}))
}

// The first load, from nothing.
func TestFault_D1_KilledDuringTheFirstLoad(t *testing.T) {
	heavy(t)
	t.Parallel()
	w := New(t, Options{Close: closetest.Options{Seed: 1112, Leads: 30}})
	empty := "TRUNCATE closesync.records, closesync.dirty, closesync.outbox, closesync.checkpoints, closesync.inbox, closesync.run_log, crm.leads CASCADE; UPDATE closesync.first_loads SET staged = false, matched_at = NULL, loaded_at = NULL"
	w.told(t, w.Crashes(Story{Name: "first load",
		Begin: func(int) { w.SQL(empty) },
		Work: func(ctx context.Context, k *Worker) error {
			if err := k.Engine.Reference(ctx); err != nil {
				return err
			}
			if err := k.Engine.Backfill(ctx, nil); err != nil {
				return err
			}
			return run(ctx, k)
		},
		Finish: func(int) { w.Load() },
	}))
}
