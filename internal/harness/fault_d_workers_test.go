package harness

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"closesync/mapping"
	"closesync/sync/closetest"
	"closesync/sync/engine"
	"closesync/sync/store"
)

// interrupted is a Close side that lets something happen right after an
// effect, before the worker knows of it.
type interrupted struct {
	engine.Remote
	once  sync.Once
	after func()
}

func (i *interrupted) Create(ctx context.Context, objectType string, set mapping.Record, marker string) (mapping.Remote, error) {
	answer, err := i.Remote.Create(ctx, objectType, set, marker)
	i.once.Do(i.after)
	return answer, err
}

func (i *interrupted) Update(ctx context.Context, objectType, id string, set mapping.Record) (mapping.Remote, error) {
	answer, err := i.Remote.Update(ctx, objectType, id, set)
	i.once.Do(i.after)
	return answer, err
}

// takeOver lets the leases end and another worker claim everything.
func (w *World) takeOver() []*engine.Claim {
	w.SQL("UPDATE closesync.dirty SET lease_until = '-infinity', not_before = '-infinity'")
	claims, err := w.Store.Claim(context.Background(), 100, time.Millisecond)
	require.NoError(w.T, err)
	require.NotEmpty(w.T, claims)
	return claims
}

func TestFault_D4_TwoWorkersCreateEachRowOnce(t *testing.T) {
	w := rested(t, 404, 3)
	ctx := context.Background()
	second, err := store.Open(ctx, store.Options{Pool: w.Pool, Connection: "default", Objects: w.Objects})
	require.NoError(t, err)
	opt := w.Engine.Options
	opt.Local = second
	other := engine.New(opt)
	w.SQL("INSERT INTO crm.leads (name) SELECT 'lead ' || n FROM generate_series(1, 60) n")
	w.SQL("UPDATE crm.contacts SET title = 'edited'")
	var wg sync.WaitGroup
	for _, e := range []*engine.Engine{w.Engine, other} {
		wg.Go(func() {
			for range 3 {
				if _, err := e.Run(ctx); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	w.Settle()
	require.Len(t, w.Close.List("lead"), 63)
	w.Equal()
}

func TestFault_D5_AZombiesResultIsRefused(t *testing.T) {
	w := rested(t, 405, 2)
	ctx := context.Background()
	w.SQL("UPDATE crm.leads SET name = 'one' WHERE id = 1")
	_, _, err := w.Store.Absorb(ctx, 10)
	require.NoError(t, err)
	zombie, err := w.Store.Claim(ctx, 10, time.Millisecond)
	require.NoError(t, err)
	require.Len(t, zombie, 1)
	owner := w.takeOver()
	require.Greater(t, owner[0].Fence, zombie[0].Fence)
	batch := engine.Batch{IDs: map[string][]int64{"lead": {zombie[0].RecordID}}, Claims: zombie}
	require.NoError(t, w.Store.Decide(ctx, batch, func(_ engine.Present, states []*engine.State) error {
		for _, st := range states {
			st.Outcome = &engine.Outcome{Status: engine.Errored, Error: "by the zombie"}
		}
		return nil
	}))
	require.Equal(t, "0", w.Get("SELECT count(*) FROM closesync.record_status WHERE last_error IS NOT NULL"))
	require.NoError(t, w.Store.Release(ctx, zombie, time.Hour))
	require.Equal(t, "1", w.Get("SELECT count(*) FROM closesync.dirty WHERE not_before < now()"), "a zombie gives nothing back")
	w.Settle()
	w.Equal()
}

func TestFault_D5_ACreateWhoseWorkerLostItsClaimHappensOnce(t *testing.T) {
	t.Parallel()
	var w *World
	hook := &interrupted{}
	w = New(t, Options{Close: closetest.Options{Seed: 4050, Leads: 2}, Engine: func(o *engine.Options) {
		hook.Remote = o.Remote
		o.Remote = hook
	}})
	hook.after = func() { w.takeOver() }
	w.Load()
	w.SQL("INSERT INTO crm.leads (name) VALUES ('once')")
	w.Settle()
	w.Tail()
	require.Len(t, w.Close.List("lead"), 3)
	w.Equal()
}

func TestFault_D5_AnUpdateWhoseWorkerLostItsClaimIsSettled(t *testing.T) {
	t.Parallel()
	var w *World
	hook := &interrupted{}
	w = New(t, Options{Close: closetest.Options{Seed: 4051, Leads: 2}, Engine: func(o *engine.Options) {
		hook.Remote = o.Remote
		o.Remote = hook
	}})
	hook.after = func() { w.takeOver() }
	w.Load()
	w.SQL("UPDATE crm.leads SET name = 'pushed' WHERE id = 1")
	w.Settle()
	w.Equal()
	require.Equal(t, "0", w.Get("SELECT count(*) FROM closesync.conflicts"))
}

func TestFault_D10_APoisonRecordHoldsUpNobody(t *testing.T) {
	w := rested(t, 410, 20)
	poison := w.Get("SELECT close_id FROM crm.leads WHERE id = 7")
	w.SQL(`CREATE FUNCTION public.poison() RETURNS trigger LANGUAGE plpgsql AS $$
		BEGIN IF NEW.id = 7 THEN RAISE EXCEPTION 'poison row %', NEW.id; END IF; RETURN NEW; END $$`)
	w.SQL("CREATE TRIGGER poison BEFORE UPDATE ON crm.leads FOR EACH ROW EXECUTE FUNCTION public.poison()")
	w.SQL("ALTER TABLE crm.leads ENABLE ALWAYS TRIGGER poison")
	for _, lead := range w.Close.List("lead") {
		require.NoError(t, w.Close.Update(lead["id"].(string), map[string]any{"description": "new"}))
	}
	w.Tail()
	require.Equal(t, "19", w.Get("SELECT count(*) FROM crm.leads WHERE description = 'new'"))
	require.Equal(t, "error", w.Get("SELECT state FROM closesync.record_status WHERE close_id = $1", poison))
	require.Contains(t, w.Get("SELECT last_error FROM closesync.record_status WHERE close_id = $1", poison), "poison row 7")
	w.SQL("DROP TRIGGER poison ON crm.leads")
	require.NoError(t, w.Store.Mark(context.Background(), "lead", []string{poison}, engine.Cause{"source": "operator"}, 2))
	w.Settle()
	w.Equal()
}

func TestFault_D17_AHintDuringACycleIsNotLost(t *testing.T) {
	t.Parallel()
	var w *World
	hook := &interrupted{}
	w = New(t, Options{Close: closetest.Options{Seed: 417, Leads: 2}, Engine: func(o *engine.Options) {
		hook.Remote = o.Remote
		o.Remote = hook
	}})
	w.Load()
	id := w.Get("SELECT close_id FROM crm.leads WHERE id = 1")
	hook.after = func() {
		w.SQL("UPDATE crm.leads SET name = 'second' WHERE id = 1")
		_, _, err := w.Store.Absorb(context.Background(), 10)
		require.NoError(t, err)
	}
	w.SQL("UPDATE crm.leads SET name = 'first' WHERE id = 1")
	w.Settle()
	got, _ := w.Close.Get(id)
	require.Equal(t, "second", got["name"])
	w.Equal()
}

// What the event tells of is in nothing that the cycle has read.
func TestFault_D17_AnEventDuringACycleIsNotLost(t *testing.T) {
	t.Parallel()
	var w *World
	hook := &interrupted{}
	w = New(t, Options{Close: closetest.Options{Seed: 4171, Leads: 2}, Engine: func(o *engine.Options) {
		hook.Remote = o.Remote
		o.Remote = hook
	}})
	w.Load()
	id := w.Get("SELECT close_id FROM crm.leads WHERE id = 1")
	hook.after = func() {
		require.NoError(t, w.Close.Update(id, map[string]any{"description": "edited before the answer was stored"}))
		_, _, err := w.Engine.Tail(context.Background())
		require.NoError(t, err)
	}
	w.SQL("UPDATE crm.leads SET name = 'edited here' WHERE id = 1")
	w.Settle()
	require.Equal(t, "edited before the answer was stored", w.Get("SELECT description FROM crm.leads WHERE id = 1"))
	w.Equal()
}

func TestFault_D17_AnEventBeforeTheAnswerOfItsCreate(t *testing.T) {
	t.Parallel()
	var w *World
	hook := &interrupted{}
	w = New(t, Options{Close: closetest.Options{Seed: 4170}, Engine: func(o *engine.Options) {
		hook.Remote = o.Remote
		o.Remote = hook
	}})
	w.Load()
	hook.after = func() {
		id := w.Close.List("lead")[0]["id"].(string)
		require.NoError(t, w.Close.Update(id, map[string]any{"description": "edited before the answer"}))
		_, _, err := w.Engine.Tail(context.Background())
		require.NoError(t, err)
	}
	w.SQL("INSERT INTO crm.leads (name) VALUES ('new')")
	w.Settle()
	require.Equal(t, "edited before the answer", w.Get("SELECT description FROM crm.leads"))
	w.Equal()
}

func TestFault_C3_AnyTransactionMayRunTwice(t *testing.T) {
	w := rested(t, 303, 3)
	ctx := context.Background()
	ev := engine.Event{ID: "ev_twice", Updated: time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC), ObjectType: "lead",
		ObjectID: w.Get("SELECT close_id FROM crm.leads WHERE id = 1"), Action: "updated", Body: []byte("{}")}
	for i, want := range []int{1, 0} {
		n, err := w.Store.Accept(ctx, "webhook", []engine.Event{ev})
		require.NoError(t, err)
		require.Equal(t, want, n, fmt.Sprint("try ", i))
	}
	w.SQL("UPDATE crm.leads SET name = 'again' WHERE id = 1")
	_, _, err := w.Store.Absorb(ctx, 10)
	require.NoError(t, err)
	// The connection dies in COMMIT, from which the worker learns nothing.
	claims, err := w.Store.Claim(ctx, 10, time.Minute)
	require.NoError(t, err)
	require.NotEmpty(t, claims)
	require.NoError(t, errors.Join(w.Store.Release(ctx, claims, 0), w.Store.Release(ctx, claims, 0)))
	w.Settle()
	w.Equal()
}
