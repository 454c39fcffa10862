package harness

import (
	"context"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"closesync/mapping"
	"closesync/sync/engine"
)

// changing Close: what is sent arrives in another form, or is changed right
// after by another program.
type meddling struct {
	engine.Remote
	form  func(mapping.Record)
	after func(id string)
}

func (m *meddling) Update(ctx context.Context, objectType, id string, set mapping.Record) (mapping.Remote, error) {
	set = set.Clone()
	if m.form != nil {
		m.form(set)
	}
	answer, err := m.Remote.Update(ctx, objectType, id, set)
	if m.after != nil {
		m.after(id)
	}
	return answer, err
}

// anew forgets what the engine remembers, as a restart does.
func (w *World) anew() { w.Engine = engine.New(w.Engine.Options) }

func (w *World) age(d string) {
	w.SQL("UPDATE closesync.intents SET created_at = created_at - $1::text::interval", d)
}

// directed is a world that was loaded before its leads got that direction.
func directed(t *testing.T, d mapping.Direction) *World {
	t.Helper()
	w := world(t, nil)
	w.Objects["lead"].Direction = d
	return w
}

// loopLimit is how many turns it takes until a field rests.
const loopLimit = 8

func TestFault_S40_AFieldWrittenInTurnsRests(t *testing.T) {
	for _, direction := range []mapping.Direction{mapping.Both, mapping.ToClose} {
		t.Run(string(direction), func(t *testing.T) {
			w := directed(t, direction)
			id := w.ids("lead")[0]
			n := 0
			w.Engine.Remote = &meddling{Remote: w.Remote, after: func(id string) {
				n++
				w.edit(id, map[string]any{"name": "theirs " + strconv.Itoa(n)})
			}}
			before := w.writes()
			for i := range 3 * loopLimit {
				if i == 4 {
					w.anew()
				}
				if direction == mapping.Both || i == 0 {
					w.SQL("UPDATE crm.leads SET name = $2 WHERE close_id = $1", id, "ours "+strconv.Itoa(i))
				}
				w.Settle()
				w.age("7 seconds") // slower than the limit of writes a minute
				w.Tail()
			}
			require.LessOrEqual(t, w.writes(), before+loopLimit+1)
			require.Greater(t, w.writes(), before+loopLimit/2)
			require.Equal(t, "error loop", w.Get("SELECT state || ' ' || error_class FROM closesync.record_status WHERE close_id = $1", id))
			require.Contains(t, w.Get("SELECT last_error FROM closesync.record_status WHERE close_id = $1", id), "name is changed in Close after each of our writes")
			// A restart does not begin anew, and the rest goes on.
			at := w.writes()
			w.anew()
			w.Audit()
			w.Tail()
			require.Equal(t, at, w.writes())
			w.SQL("UPDATE crm.leads SET description = 'goes on' WHERE close_id = $1", id)
			w.Settle()
			require.Equal(t, "goes on", w.field(id, "description"))
			require.Equal(t, at+1, w.writes())
			// Later, with the other program gone, an edit is sent again.
			w.Engine.Remote = w.Remote
			w.age("2 hours")
			w.SQL("UPDATE crm.leads SET name = 'Peace' WHERE close_id = $1", id)
			w.Settle()
			w.Tail()
			if direction == mapping.ToClose {
				require.Equal(t, "Peace", w.field(id, "name"))
			} else {
				w.Equal()
				require.Contains(t, w.conflict(id, "local_value::text"), "Peace", "both sides have changed it, and Close wins")
			}
			require.Equal(t, "synced", w.state("lead", id))
		})
	}
}

func TestFault_S40_AnOperatorTriesALoopAgain(t *testing.T) {
	w := directed(t, mapping.ToClose)
	id := w.ids("lead")[0]
	w.Engine.Remote = &meddling{Remote: w.Remote, after: func(id string) { w.edit(id, map[string]any{"name": "theirs"}) }}
	w.SQL("UPDATE crm.leads SET name = 'ours' WHERE close_id = $1", id)
	for range 2 * loopLimit {
		w.Settle()
		w.age("7 seconds")
		w.Tail()
	}
	require.Equal(t, "error", w.state("lead", id))
	w.Engine.Remote = w.Remote
	_, err := w.Store.RetryErrors(context.Background(), nil)
	require.NoError(t, err)
	w.Settle()
	require.Equal(t, "ours", w.field(id, "name"))
	require.Equal(t, "synced", w.state("lead", id))
	w.rest()
}

func TestFault_S15_AFormThatCloseInsistsOnRests(t *testing.T) {
	w := world(t, nil)
	id := w.ids("lead")[0]
	w.Engine.Remote = &meddling{Remote: w.Remote, form: shout}
	before := w.writes()
	for range 6 {
		w.SQL("UPDATE crm.leads SET description = 'in small letters' WHERE close_id = $1", id)
		w.Settle()
		w.anew()
	}
	require.Equal(t, before+2, w.writes(), "learned after two rounds")
	require.Equal(t, "error loop", w.Get("SELECT state || ' ' || error_class FROM closesync.record_status WHERE close_id = $1", id))
	require.Contains(t, w.Get("SELECT last_error FROM closesync.record_status WHERE close_id = $1", id), "description is stored by Close in another form")
	w.SQL("UPDATE crm.leads SET description = 'ANOTHER', name = 'Goes on' WHERE close_id = $1", id)
	w.all()
	require.Equal(t, "ANOTHER", w.field(id, "description"))
	require.Equal(t, "synced", w.state("lead", id))
	w.rest()
}

func TestFault_S15_UnderToCloseTheFormIsLearned(t *testing.T) {
	w := directed(t, mapping.ToClose)
	id := w.ids("lead")[0]
	w.Engine.Remote = &meddling{Remote: w.Remote, form: shout}
	before := w.writes()
	w.SQL("UPDATE crm.leads SET description = 'in small letters' WHERE close_id = $1", id)
	look := func() { w.Settle(); w.Tail(); w.Search(); w.Audit(); w.anew() }
	look()
	look()
	require.Equal(t, before+1, w.writes())
	require.Equal(t, "synced", w.state("lead", id))
	require.Equal(t, "in small letters", w.Get("SELECT description FROM crm.leads WHERE close_id = $1", id))
	// Somebody's edit in Close is put back still, and an edit of the row is sent.
	w.edit(id, map[string]any{"description": "theirs"})
	look()
	require.Equal(t, "IN SMALL LETTERS", w.field(id, "description"))
	w.SQL("UPDATE crm.leads SET description = 'other letters' WHERE close_id = $1", id)
	look()
	require.Equal(t, "OTHER LETTERS", w.field(id, "description"))
	require.Equal(t, before+3, w.writes())
}

// shout is a server that keeps descriptions in capitals.
func shout(set mapping.Record) {
	if text, ok := set.Get("description").Text(); ok {
		set["description"] = mapping.TextValue(strings.ToUpper(text))
	}
}

func TestFault_S19_ALostAnswerToAClearedField(t *testing.T) {
	w := world(t, nil)
	id := w.ids("lead")[0]
	w.edit(id, map[string]any{"description": "there"})
	w.all()
	w.Engine.Remote = &cutting{Remote: w.Remote}
	w.SQL("UPDATE crm.leads SET description = NULL WHERE close_id = $1", id)
	_, err := w.Engine.Run(context.Background())
	require.NoError(t, err)
	w.SQL("UPDATE crm.leads SET description = 'here' WHERE close_id = $1", id)
	w.all()
	require.Equal(t, "here", w.field(id, "description"), "what was cleared here is no edit of Close's")
	require.Empty(t, w.conflict(id, "field"))
}

// cutting loses the first answer to an update.
type cutting struct {
	engine.Remote
	lost bool
}

func (c *cutting) Update(ctx context.Context, objectType, id string, set mapping.Record) (mapping.Remote, error) {
	answer, err := c.Remote.Update(ctx, objectType, id, set)
	if !c.lost {
		c.lost = true
		return mapping.Remote{}, &engine.CallError{Class: "unknown", Message: "the answer was lost"}
	}
	return answer, err
}

// What Close chooses for a new record, where the row says nothing, stays: sent
// empty, it would be refused and the record parked.
func TestFault_S27_WhatCloseFillsStaysUnderToClose(t *testing.T) {
	w := directed(t, mapping.ToClose)
	w.Objects["opportunity"].Direction = mapping.ToClose
	run := func() { w.Settle(); w.Tail(); w.Settle(); w.Audit() }
	w.SQL("INSERT INTO crm.leads (name) VALUES ('No status')")
	run()
	id := w.Get("SELECT close_id FROM crm.leads WHERE name = 'No status'")
	require.NotEmpty(t, w.field(id, "status_id"))
	require.Equal(t, "synced", w.Get("SELECT state FROM closesync.record_status WHERE close_id = $1", id))
	w.SQL("INSERT INTO crm.opportunities (lead_id, note) SELECT id, 'No status' FROM crm.leads WHERE close_id = $1", id)
	run()
	deal := w.Get("SELECT close_id FROM crm.opportunities WHERE note = 'No status'")
	require.Equal(t, "one_time", w.field(deal, "value_period"))
	require.Equal(t, "synced", w.Get("SELECT state FROM closesync.record_status WHERE close_id = $1", deal))
	// A status that the row names later is sent, and is no conflict.
	other := w.Get("SELECT status_id FROM crm.leads WHERE status_id <> $1 LIMIT 1", w.field(id, "status_id"))
	w.SQL("UPDATE crm.leads SET status_id = $2 WHERE close_id = $1", id, other)
	run()
	require.Equal(t, other, w.field(id, "status_id"))
	require.Equal(t, "0", w.Get("SELECT count(*) FROM closesync.conflicts WHERE object_type = 'lead'"))
}

// An owner that Close chose for a deal without one stays, and is no conflict;
// an owner that somebody in Close chose is put back, which the journal says.
func TestFault_S27_TheOwnerThatCloseChoseStaysUnderToClose(t *testing.T) {
	w := directed(t, mapping.ToClose)
	w.Objects["opportunity"].Direction = mapping.ToClose
	run := func() { w.Settle(); w.Tail(); w.Settle(); w.Audit(); w.Settle() }
	w.SQL("INSERT INTO crm.opportunities (lead_id, note) SELECT id, 'No owner' FROM crm.leads LIMIT 1")
	run()
	deal := w.Get("SELECT close_id FROM crm.opportunities WHERE note = 'No owner'")
	owner := w.field(deal, "user_id")
	require.NotEmpty(t, owner)
	require.Equal(t, "0", w.Get("SELECT count(*) FROM closesync.conflicts"))
	require.Equal(t, "0", w.Get("SELECT count(*) FROM closesync.journal WHERE close_id = $1 AND action <> 'create' AND direction = 'to_close'", deal))

	another := w.Close.AddUser("Else", "Body")
	w.SQL("UPDATE crm.opportunities SET user_id = $2 WHERE close_id = $1", deal, another)
	run()
	require.Equal(t, another, w.field(deal, "user_id"))
	require.NoError(t, w.Close.Update(deal, map[string]any{"user_id": owner}))
	run()
	require.Equal(t, another, w.field(deal, "user_id"))
	require.Equal(t, "1", w.Get("SELECT count(*) FROM closesync.conflicts"))
	require.Equal(t, "local_edit put_back", w.Get("SELECT string_agg(cause ->> 'rule', ' ' ORDER BY id) FROM closesync.journal WHERE close_id = $1 AND field = 'user_id' AND action = 'update'", deal))
	w.SQL("UPDATE crm.opportunities SET user_id = NULL WHERE close_id = $1", deal)
	run()
	require.Empty(t, w.field(deal, "user_id"))
}
