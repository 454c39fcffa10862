package harness

import (
	"context"
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"closesync/sync/closetest"
	"closesync/sync/engine"
)

// parting has somebody act right before a delete of ours arrives, and right
// after it, once each; nil for nobody.
type parting struct {
	engine.Remote
	before, after func()
}

func (r *parting) Delete(ctx context.Context, objectType, id string) error {
	before, after := r.before, r.after
	r.before, r.after = nil, nil
	if before != nil {
		before()
	}
	err := r.Remote.Delete(ctx, objectType, id)
	if after != nil {
		after()
	}
	return err
}

// remove has a row's delete pushed. before runs between the worker's last reading
// and its DELETE, after before the answer is taken in.
func (w *World) remove(before, after func(), sql string, args ...any) {
	w.T.Helper()
	real := w.Engine.Remote
	w.Engine.Remote = &parting{real, before, after}
	w.SQL(sql, args...)
	w.Settle()
	w.Engine.Remote = real
}

const parted = "field || ' ' || coalesce(base_value #>> '{}', '-') || ' ' || coalesce(local_value #>> '{}', '-') || ' ' || (close_value #>> '{}') || ' ' || rule || ' ' || winner || ' ' || status"

func TestFault_S21_EditThatWentWithOurDelete(t *testing.T) {
	w := world(t, nil)
	id := w.ids("opportunity")[0]
	w.edit(id, map[string]any{"note": "as it was"})
	w.all()
	w.remove(func() { w.edit(id, map[string]any{"note": "meanwhile"}) }, nil, "DELETE FROM crm.opportunities WHERE close_id = $1", id)
	w.all()
	require.Equal(t, "note as it was - meanwhile delete local resolved", w.conflict(id, parted))
	w.rest()
	require.Equal(t, "1", w.Get("SELECT count(*) FROM closesync.conflicts"), "told once")
}

func TestFault_S21_EditOfAChildThatWentWithItsLead(t *testing.T) {
	for _, kind := range []closetest.FaultKind{"", closetest.FaultCutAfter} {
		t.Run(string(kind), func(t *testing.T) {
			w := world(t, nil)
			lead := w.ids("lead")[0]
			contact := w.Get("SELECT c.close_id FROM crm.contacts c JOIN crm.leads l ON l.id = c.lead_id WHERE l.close_id = $1 LIMIT 1", lead)
			w.edit(contact, map[string]any{"title": "as it was"})
			w.all()
			if kind != "" {
				w.Close.Fault(closetest.Fault{Method: "DELETE", Path: "/lead/", Kind: kind, Times: 1})
			}
			w.remove(func() { w.edit(contact, map[string]any{"title": "meanwhile"}) }, nil, "DELETE FROM crm.leads WHERE close_id = $1", lead)
			w.all()
			require.Equal(t, "title as it was - meanwhile delete local resolved", w.conflict(contact, parted))
			w.rest()
			require.Equal(t, "1", w.Get("SELECT count(*) FROM closesync.conflicts"), "told once, and of nothing else")
		})
	}
}

// The events may come before the worker has taken in the answer.
func TestFault_S21_EventsOfAPartingBeforeItsAnswer(t *testing.T) {
	w := world(t, nil)
	lead := w.ids("lead")[0]
	contact := w.Get("SELECT c.close_id FROM crm.contacts c JOIN crm.leads l ON l.id = c.lead_id WHERE l.close_id = $1 LIMIT 1", lead)
	w.remove(func() { w.edit(contact, map[string]any{"title": "meanwhile"}) }, func() { w.Tail() }, "DELETE FROM crm.leads WHERE close_id = $1", lead)
	w.all()
	require.Equal(t, "meanwhile", w.conflict(contact, "close_value #>> '{}'"))
	w.rest()
}

// The key may be used again before it is known that the delete arrived.
func TestFault_S21_APartingWhoseKeyIsUsedAgain(t *testing.T) {
	w := world(t, nil)
	id := w.ids("opportunity")[0]
	key := w.Get("SELECT id FROM crm.opportunities WHERE close_id = $1", id)
	w.Close.Fault(closetest.Fault{Method: "DELETE", Path: "/opportunity/", Kind: closetest.FaultCutAfter, Times: 1})
	w.remove(func() { w.edit(id, map[string]any{"note": "meanwhile"}) }, func() {
		w.SQL("INSERT INTO crm.opportunities (id, lead_id, note) SELECT $1::bigint, min(id), 'another' FROM crm.leads", key)
		w.Tail()
	}, "DELETE FROM crm.opportunities WHERE close_id = $1", id)
	w.all()
	require.Equal(t, "meanwhile", w.conflict(id, "close_value #>> '{}'"))
	require.Equal(t, "another", w.field(w.Get("SELECT close_id FROM crm.opportunities WHERE id = $1::bigint", key), "note"))
	w.rest()
}

// A child that nobody here has seen goes the same way.
func TestFault_S21_ChildBornUnseenWentWithItsLead(t *testing.T) {
	w := world(t, nil)
	lead := w.ids("lead")[0]
	var born string
	w.remove(func() {
		var err error
		born, err = w.Close.Create("contact", map[string]any{"lead_id": lead, "name": "Born unseen"})
		require.NoError(t, err)
	}, nil, "DELETE FROM crm.leads WHERE close_id = $1", lead)
	w.all()
	require.Equal(t, "Born unseen", w.Get("SELECT close_value #>> '{}' FROM closesync.conflicts WHERE close_id = $1 AND field = 'name' AND winner = 'local'", born))
	w.rest()
}

// What a person deletes in Close is nobody's loss.
func TestFault_S21_DeletesOfOthersAreNotTold(t *testing.T) {
	w := world(t, nil)
	lead := w.ids("lead")[0]
	w.edit(lead, map[string]any{"description": "the last word"})
	require.NoError(t, w.Close.Delete(lead))
	w.all()
	other := w.ids("lead")[0]
	w.remove(nil, nil, "DELETE FROM crm.leads WHERE close_id = $1", other)
	w.all()
	require.Equal(t, "0", w.Get("SELECT count(*) FROM closesync.conflicts"), fmt.Sprint(lead, other))
	w.rest()
}
