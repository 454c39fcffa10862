package harness

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"closesync/sync/closetest"
)

// own gives the built-in lead table a trigger of the user's.
func trigger(body string) string {
	return `CREATE FUNCTION public.house_rule() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN ` + body + `; RETURN NEW; END $$;
		CREATE TRIGGER house_rule BEFORE INSERT OR UPDATE ON crm.leads FOR EACH ROW EXECUTE FUNCTION public.house_rule()`
}

// What a user's trigger makes of a value from Close is an edit made here.
func TestFault_S40_ATriggerThatRewritesValues(t *testing.T) {
	t.Parallel()
	w := New(t, Options{Close: closetest.Options{Seed: 4001, Leads: 3}, Setup: trigger("NEW.name := upper(NEW.name)")})
	w.Load()
	w.Settle()
	w.Equal()
	lead := w.Close.List("lead")[0]["id"].(string)
	require.NoError(t, w.Close.Update(lead, map[string]any{"name": "lower case"}))
	w.Tail()
	w.Settle()
	w.Equal()
	got, _ := w.Close.Get(lead)
	require.Equal(t, "LOWER CASE", got["name"])
	before := w.Get("SELECT string_agg(xmin::text, ' ' ORDER BY id) FROM crm.leads")
	w.Tail()
	w.Audit()
	require.Equal(t, before, w.Get("SELECT string_agg(xmin::text, ' ' ORDER BY id) FROM crm.leads"))
}

// One that changes its own work at each write would go on for ever.
func TestFault_S40_ATriggerThatAppends(t *testing.T) {
	t.Parallel()
	w := New(t, Options{Close: closetest.Options{Seed: 4002, Leads: 2}})
	w.Load()
	w.SQL(trigger("NEW.description := coalesce(NEW.description, '') || '!'"))
	require.NoError(t, w.Store.Refresh(t.Context()))
	lead := w.Close.List("lead")[0]["id"].(string)
	require.NoError(t, w.Close.Update(lead, map[string]any{"name": "written once"}))
	for range 15 {
		w.Tail()
	}
	require.Contains(t, w.Get("SELECT last_error FROM closesync.record_status WHERE close_id = $1", lead), "a trigger of the table does that")
	puts := w.Get("SELECT count(*) FROM closesync.intents WHERE close_id = $1", lead)
	w.Tail()
	w.Audit()
	w.Tail()
	require.Equal(t, puts, w.Get("SELECT count(*) FROM closesync.intents WHERE close_id = $1", lead), "nothing is sent any more")
	require.NoError(t, w.Close.Update(lead, map[string]any{"name": "the other fields go on"}))
	w.Tail()
	require.Equal(t, "the other fields go on", w.Get("SELECT name FROM crm.leads WHERE close_id = $1", lead))
}

// Empty text and absence are the same to Close; a column that knows no NULL
// holds the empty text.
func TestFault_C16_TextColumnsThatKnowNoNull(t *testing.T) {
	t.Parallel()
	o := narrow()
	o.Setup = `CREATE SCHEMA own;
		CREATE TABLE own.leads (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, close_id text UNIQUE, name text NOT NULL DEFAULT '', note text NOT NULL DEFAULT '')`
	o.Objects = o.Objects[:2]
	off := false
	o.Objects = append(o.Objects, config{Type: "opportunity", Enabled: &off})
	w := New(t, o)
	w.Load()
	w.SQL("INSERT INTO own.leads (name) VALUES ('made here')")
	w.Settle()
	id := w.Get("SELECT close_id FROM own.leads WHERE name = 'made here'")
	require.NotEmpty(t, id)
	require.NoError(t, w.Close.Update(id, map[string]any{"name": "edited there", "description": "something"}))
	w.Tail()
	require.NoError(t, w.Close.Update(id, map[string]any{"description": ""}))
	w.Tail()
	require.Equal(t, "edited there|", w.Get("SELECT name || '|' || note FROM own.leads WHERE close_id = $1", id))
	require.Equal(t, "0", w.Get("SELECT count(*) FROM closesync.record_status WHERE state <> 'synced'"))
	require.Len(t, w.Close.List("lead"), 5)
}

// A column that nobody changed stays as its owner wrote it.
func TestFault_C38_UntouchedColumnsStay(t *testing.T) {
	w := rested(t, 3801, 2)
	w.SQL("UPDATE crm.leads SET description = '' WHERE id = 1")
	w.Settle()
	id := w.Get("SELECT close_id FROM crm.leads WHERE id = 1")
	require.NoError(t, w.Close.Update(id, map[string]any{"name": "edited there"}))
	w.Tail()
	require.Equal(t, "edited there t", w.Get("SELECT name || ' ' || left((description IS NOT NULL)::text, 1) FROM crm.leads WHERE id = 1"), fmt.Sprint("the empty text of ", id))
	w.Equal()
}
