package harness

import (
	"context"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sync/errgroup"

	"closesync/mapping"
	"closesync/sync/closetest"
	"closesync/sync/engine"
)

func TestFault_S16_LostAnswersCreateNothingTwice(t *testing.T) {
	for _, kind := range []closetest.FaultKind{closetest.FaultCutAfter, closetest.FaultStatusAfter, closetest.FaultCut} {
		t.Run(string(kind), func(t *testing.T) {
			w := world(t, nil)
			w.Close.Fault(closetest.Fault{Name: "lost", Method: "POST", Path: "/lead/", Kind: kind, Rate: 0.4, Times: 8})
			w.Close.Fault(closetest.Fault{Method: "POST", Path: "/contact/", Kind: kind, Rate: 0.4, Times: 8})
			w.SQL(`WITH l AS (INSERT INTO crm.leads (name) SELECT 'New ' || n FROM generate_series(1, 12) n RETURNING id, name)
				INSERT INTO crm.contacts (lead_id, name) SELECT id, 'Kid of ' || name FROM l`)
			w.Settle()
			require.Positive(t, w.Close.FaultFired("lost"))
			w.due()
			w.all()
			require.Len(t, w.ids("lead"), 16)
			require.Len(t, w.ids("contact"), 20)
			require.Equal(t, "0", w.Get("SELECT count(*) FROM closesync.intents WHERE state IN ('open', 'unknown')"))
			w.rest()
		})
	}
}

func TestFault_S16_TwinsAreNotMixedUp(t *testing.T) {
	for _, kind := range []closetest.FaultKind{closetest.FaultCutAfter, closetest.FaultCut} {
		t.Run(string(kind), func(t *testing.T) {
			w := world(t, nil)
			w.Close.Fault(closetest.Fault{Method: "POST", Path: "/lead/", Kind: kind, Times: 2})
			w.SQL("INSERT INTO crm.leads (name) VALUES ('Twin'), ('Twin'), ('Twin')")
			w.all()
			require.Len(t, w.ids("lead"), 7)
			w.rest()
		})
	}
}

// Rows that share a name, of which some are created and some are not: a record
// of Close goes to the row whose content it holds, never to a namesake.
func TestFault_S16_NamesakesAreNotMixedUp(t *testing.T) {
	heavy(t)
	contents := []string{"", "the second", "the third", "", "the second"}
	for lost := range len(contents) {
		for _, kind := range []closetest.FaultKind{closetest.FaultCutAfter, closetest.FaultCut} {
			t.Run(string(kind)+strconv.Itoa(lost), func(t *testing.T) {
				w := world(t, nil)
				// All answers are lost; the create of one row did not even arrive.
				w.Close.Fault(closetest.Fault{Method: "POST", Path: "/lead/", Kind: closetest.FaultCut, Nth: lost + 1})
				w.Close.Fault(closetest.Fault{Method: "POST", Path: "/lead/", Kind: kind, Times: len(contents) - 1})
				for _, text := range contents {
					w.SQL("INSERT INTO crm.leads (name, description) VALUES ('Namesake', $1)", text)
				}
				before := w.Get("SELECT string_agg(id || coalesce(description, ''), ',' ORDER BY id) FROM crm.leads WHERE name = 'Namesake'")
				w.due()
				w.all()
				require.Len(t, w.ids("lead"), 4+len(contents))
				require.Equal(t, before, w.Get("SELECT string_agg(id || coalesce(description, ''), ',' ORDER BY id) FROM crm.leads WHERE name = 'Namesake'"))
				w.rest()
			})
		}
	}
}

// A record that fits two rows of different content equally well is adopted by
// neither: both are left to a person, and nothing is sent again.
func TestFault_S16_AContestedRecordIsLeftToAPerson(t *testing.T) {
	w := world(t, nil)
	w.SQL("INSERT INTO crm.leads (name, description) VALUES ('Namesake', 'one'), ('Namesake', 'two')")
	w.Close.Fault(closetest.Fault{Method: "POST", Path: "/lead/", Kind: closetest.FaultCut})
	_, err := w.Engine.Run(context.Background())
	require.NoError(t, err)
	_, err = w.Close.As(closetest.Actor{APIKeyID: keyID(w)}).Create("lead", map[string]any{"name": "Namesake"})
	require.NoError(t, err)
	w.Close.ClearFaults()
	w.due()
	require.Equal(t, "2", w.Get("SELECT count(*) FROM closesync.record_status WHERE state = 'error' AND error_class = 'ambiguous'"))
	require.Len(t, w.ids("lead"), 5)
}

// Several workers send and settle at once, as the queue lets them.
func TestFault_S16_WorkersThatSettleTogether(t *testing.T) {
	w := world(t, nil)
	w.Close.Fault(closetest.Fault{Name: "lost", Method: "POST", Path: "/lead/", Kind: closetest.FaultCutAfter, Rate: 0.5, Times: 25})
	w.SQL("INSERT INTO crm.leads (name, description) SELECT 'Twin', nullif('d' || n % 3, 'd0') FROM generate_series(1, 45) n")
	ctx := context.Background()
	require.Eventually(t, func() bool {
		var g errgroup.Group
		for range 3 {
			g.Go(func() error {
				_, err := engine.New(w.Engine.Options).Run(ctx)
				return err
			})
		}
		_ = g.Wait() // two that adopt one record: the second is refused and looks again
		return w.Get("SELECT count(*) FROM closesync.dirty") == "0"
	}, 30*time.Second, waitStep)
	require.Positive(t, w.Close.FaultFired("lost"))
	w.all()
	require.Len(t, w.ids("lead"), 49)
	require.Equal(t, "15,15,15", w.Get("SELECT string_agg(n::text, ',') FROM (SELECT count(*) AS n FROM crm.leads WHERE name = 'Twin' GROUP BY description) v"))
	w.rest()
}

// dying is a Close side whose worker dies after the effect of a write.
type dying struct {
	engine.Remote
	reached, over chan struct{}
}

func (d *dying) Create(ctx context.Context, objectType string, set mapping.Record, marker string) (mapping.Remote, error) {
	answer, err := d.Remote.Create(ctx, objectType, set, marker)
	close(d.reached)
	<-d.over
	return answer, err
}

func TestFault_S17_CrashBetweenSendAndAnswer(t *testing.T) {
	w := world(t, nil)
	d := &dying{w.Remote, make(chan struct{}), make(chan struct{})}
	opt := w.Engine.Options
	opt.Remote = d
	w.SQL("INSERT INTO crm.leads (name) VALUES ('Only once')")
	ended := make(chan error)
	go func() {
		_, err := engine.New(opt).Run(context.Background())
		ended <- err
	}()
	<-d.reached
	w.SQL("UPDATE closesync.dirty SET lease_until = '-infinity', not_before = '-infinity'")
	w.all()
	require.Len(t, w.ids("lead"), 5)
	// The dead one turns out to have slept only: it changes nothing any more.
	close(d.over)
	require.NoError(t, <-ended)
	w.rest()
	require.Equal(t, "5", w.Get("SELECT count(*) FROM crm.leads"))
}

func TestFault_S19_LostAnswerToAnUpdate(t *testing.T) {
	for _, kind := range []closetest.FaultKind{closetest.FaultCutAfter, closetest.FaultStatusAfter, closetest.FaultCut} {
		t.Run(string(kind), func(t *testing.T) {
			w := world(t, nil)
			id := w.ids("lead")[0]
			w.Close.Fault(closetest.Fault{Method: "PUT", Path: "/lead/", Kind: kind, Times: 1})
			w.SQL("UPDATE crm.leads SET name = 'B' WHERE close_id = $1", id)
			_, err := w.Engine.Run(context.Background())
			require.NoError(t, err)
			w.SQL("UPDATE crm.leads SET name = 'C' WHERE close_id = $1", id)
			w.all()
			require.Equal(t, "C", w.field(id, "name"))
			require.Empty(t, w.conflict(id, "field"))
			require.Equal(t, "0", w.Get("SELECT count(*) FROM closesync.intents WHERE state IN ('open', 'unknown')"))
			w.rest()
		})
	}
}

func TestFault_S20_DeleteAnsweredMissing(t *testing.T) {
	for _, kind := range []closetest.FaultKind{closetest.FaultCutAfter, closetest.FaultStatusAfter} {
		w := world1(t, closetest.Options{Seed: 9, Leads: 3})
		id := w.ids("contact")[0]
		w.Close.Fault(closetest.Fault{Method: "DELETE", Path: "/contact/", Kind: kind, Status: 404, Times: 1})
		w.SQL("DELETE FROM crm.contacts WHERE close_id = $1", id)
		w.all()
		require.Equal(t, "deleted", w.state("contact", id))
		w.rest()
	}
}

// racing is a Close side where somebody edits just before our write arrives.
type racing struct {
	engine.Remote
	before func()
}

func (r *racing) Update(ctx context.Context, objectType, id string, set mapping.Record) (mapping.Remote, error) {
	if r.before != nil {
		r.before()
		r.before = nil
	}
	return r.Remote.Update(ctx, objectType, id, set)
}

func TestFault_S21_EditBetweenReadingAndWrite(t *testing.T) {
	w := world(t, nil)
	id := w.ids("lead")[0]
	w.Engine.Remote = &racing{w.Remote, func() { w.edit(id, map[string]any{"description": "meanwhile"}) }}
	w.SQL("UPDATE crm.leads SET name = 'Ours' WHERE close_id = $1", id)
	w.all()
	require.Equal(t, "Ours", w.field(id, "name"))
	require.Equal(t, "meanwhile", w.field(id, "description"))
	w.rest()
}

// When nobody can tell which record a lost create made, a person decides; until
// then nothing is created again, and new records of others do not wait.
func TestFault_S16_SeveralCandidatesWaitForAPerson(t *testing.T) {
	w := world(t, nil)
	// Another program with the same key makes the same lead at the same time.
	w.Close.Fault(closetest.Fault{Method: "POST", Path: "/lead/", Kind: closetest.FaultCutAfter, Times: 1})
	w.SQL("INSERT INTO crm.leads (name) VALUES ('Ambiguous')")
	_, err := w.Engine.Run(context.Background())
	require.NoError(t, err)
	_, err = w.Remote.Create(context.Background(), "lead", mapping.Record{"name": mapping.TextValue("Ambiguous")}, "")
	require.NoError(t, err)
	look := func() { w.Settle(); w.Tail(); w.Search(); w.Audit() }
	look()
	key := w.Get("SELECT id FROM crm.leads WHERE name = 'Ambiguous'")
	require.Equal(t, "ambiguous", w.Get("SELECT error_class FROM closesync.record_status WHERE local_key = $1 AND object_type = 'lead'", key))
	require.Len(t, w.ids("lead"), 6)
	require.Equal(t, "2", w.Get("SELECT count(*) FROM closesync.record_status WHERE error_class = 'ambiguous' AND close_id IS NOT NULL"), "the candidates say so too")

	other, err := w.Close.Create("lead", map[string]any{"name": "Somebody else's"})
	require.NoError(t, err)
	look()
	require.Equal(t, "1", w.Get("SELECT count(*) FROM crm.leads WHERE close_id = $1", other), "it holds up nobody else")
	require.Equal(t, "1", w.Get("SELECT count(*) FROM crm.leads WHERE name = 'Ambiguous'"), "no candidate has a row of its own")
	w.SQL("UPDATE crm.leads SET description = 'edited meanwhile' WHERE id = $1", key)
	look()
	require.Len(t, w.ids("lead"), 7, "an edit does not create it again")

	chosen := w.Get("SELECT candidates[1] FROM closesync.intents WHERE state = 'ambiguous'")
	w.SQL("UPDATE crm.leads SET close_id = $1 WHERE id = $2", chosen, key)
	w.all()
	require.Equal(t, "edited meanwhile", w.field(chosen, "description"))
	require.Equal(t, "2", w.Get("SELECT count(*) FROM crm.leads WHERE name = 'Ambiguous'"), "the other one is a lead of its own")
	w.rest()
}
