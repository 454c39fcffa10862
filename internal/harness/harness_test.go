package harness

import (
	"os"
	"testing"

	"github.com/stretchr/testify/require"

	"closesync/internal/testdb"
	"closesync/sync/closetest"
)

func TestMain(m *testing.M) { os.Exit(testdb.Run(m)) }

func TestLoad_GivesATrueCopy(t *testing.T) {
	t.Parallel()
	w := New(t, Options{Close: closetest.Options{Seed: 1, Leads: 500}})
	w.Load()
	w.Equal()
	require.Equal(t, "500", w.Get("SELECT count(*) FROM crm.leads"))
	w.Audit()
	w.Equal()
}

func TestTail_FollowsEveryKindOfChange(t *testing.T) {
	t.Parallel()
	w := New(t, Options{Close: closetest.Options{Seed: 2, Leads: 10}})
	w.Load()
	leads := w.Close.List("lead")
	id := func(i int) string { return leads[i]["id"].(string) }
	require.NoError(t, w.Close.Update(id(0), map[string]any{"name": "Renamed", "description": nil}))
	require.NoError(t, w.Close.Delete(id(1)))
	require.NoError(t, w.Close.Merge(id(2), id(3)))
	fresh, err := w.Close.Create("lead", map[string]any{"name": "Fresh"})
	require.NoError(t, err)
	_, err = w.Close.Create("contact", map[string]any{"lead_id": fresh, "name": "Ada", "emails": []any{map[string]any{"email": "ada@x.example", "type": "office"}}})
	require.NoError(t, err)
	w.Tail()
	w.Equal()
}

func TestPush_EveryKindOfChange(t *testing.T) {
	t.Parallel()
	w := New(t, Options{Close: closetest.Options{Seed: 3, Leads: 10}})
	w.Load()
	w.SQL("UPDATE crm.leads SET name = 'Local', description = NULL WHERE id = 1")
	w.SQL(`WITH l AS (INSERT INTO crm.leads (name) VALUES ('Parent') RETURNING id)
		INSERT INTO crm.contacts (lead_id, name, emails) SELECT id, 'Kid', '[{"email":"kid@x.example","type":"office"}]' FROM l`)
	w.SQL("DELETE FROM crm.contacts WHERE id = 3")
	w.SQL("UPDATE crm.opportunities SET value = 4200, note = 'n' WHERE id = 2")
	w.Settle()
	w.Equal()
	require.Empty(t, w.Get("SELECT string_agg(state || last_error, ',') FROM closesync.record_status WHERE state NOT IN ('synced', 'deleted')"))
	w.Tail()
	w.Equal()
}

func TestPush_ChildOfANewParent(t *testing.T) {
	t.Parallel()
	w := New(t, Options{})
	w.Load()
	w.SQL(`WITH l AS (INSERT INTO crm.leads (name) VALUES ('Parent') RETURNING id)
		INSERT INTO crm.contacts (lead_id, name, emails) SELECT id, 'Kid', '[{"email":"kid@x.example","type":"office"}]' FROM l`)
	w.Settle()
	t.Log(w.Get("SELECT string_agg(r::text || ' ' || coalesce(d::text,''), E'\n') FROM closesync.records r LEFT JOIN closesync.dirty d ON d.record_id = r.id"))
	t.Log(w.Get("SELECT string_agg(i::text, E'\n') FROM closesync.intents i"))
	w.Equal()
}

func TestTail_EventsThatChainCostNoGET(t *testing.T) {
	t.Parallel()
	w := New(t, Options{Close: closetest.Options{Seed: 4, Leads: 3}})
	w.Load()
	contact := w.Close.List("contact")[0]["id"].(string)
	w.Close.ResetRequests()
	require.NoError(t, w.Close.Update(contact, map[string]any{"title": "Captain"}))
	require.NoError(t, w.Close.Update(contact, map[string]any{"title": "Admiral", "name": "Grace"}))
	w.Tail()
	require.Equal(t, "Admiral", w.Get("SELECT title FROM crm.contacts WHERE close_id = $1", contact))
	for _, r := range w.Close.Requests() {
		require.Contains(t, r.Path, "/event/", "only the event log is read")
	}
}
