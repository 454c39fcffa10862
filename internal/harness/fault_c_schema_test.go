package harness

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"closesync/sync/closetest"
	"closesync/sync/store"
)

func TestFault_C6_ACopyOfTheDatabaseRefuses(t *testing.T) {
	w := rested(t, 6, 2)
	ctx := context.Background()
	for _, change := range []string{"system_identifier = '1'", "database_name = 'production'"} {
		w.SQL("UPDATE closesync.connections SET " + change)
		require.ErrorIs(t, w.Store.Bind(ctx, w.Close.OrganizationID()), store.ErrForeign, change)
		require.NoError(t, w.Store.Adopt(ctx, w.Close.OrganizationID()))
		require.NoError(t, w.Store.Bind(ctx, w.Close.OrganizationID()))
	}
}

func TestFault_A38_AnotherOrganizationsKeyRefuses(t *testing.T) {
	w := rested(t, 38, 2)
	require.ErrorIs(t, w.Store.Bind(context.Background(), "orga_other"), store.ErrForeign)
	org, err := w.Store.Bound(context.Background())
	require.NoError(t, err)
	require.Equal(t, w.Close.OrganizationID(), org)
}

// The worker waits for no row of a user's, so that the two cannot wait for each
// other.
func TestFault_C7_NoDeadlockWithAUser(t *testing.T) {
	w := rested(t, 7, 3)
	ctx := context.Background()
	w.SQL("UPDATE crm.leads SET name = name || ' x' WHERE id IN (1, 2)")
	user, err := w.Pool.Begin(ctx)
	require.NoError(t, err)
	defer func() { _ = user.Rollback(ctx) }()
	_, err = user.Exec(ctx, "UPDATE crm.leads SET description = 'user' WHERE id = 2")
	require.NoError(t, err)
	_, err = w.Engine.Run(ctx)
	require.NoError(t, err)
	require.Contains(t, w.field(w.Get("SELECT close_id FROM crm.leads WHERE id = 1"), "name"), " x", "the other went on")
	_, err = user.Exec(ctx, "UPDATE crm.leads SET description = 'user' WHERE id = 1")
	require.NoError(t, err)
	require.NoError(t, user.Commit(ctx))
	w.Settle()
	w.Equal()
}

func TestFault_C14_DroppedColumnStopsItsFieldOnly(t *testing.T) {
	w := rested(t, 14, 5)
	id := w.Get("SELECT close_id FROM crm.leads WHERE id = 1")
	before, _ := w.Close.Get(id)
	w.SQL("ALTER TABLE crm.leads DROP COLUMN description")
	w.SQL("UPDATE crm.leads SET name = 'still works' WHERE id = 1")
	w.Settle()
	got, _ := w.Close.Get(id)
	require.Equal(t, "still works", got["name"])
	require.Equal(t, before["description"], got["description"])
	require.NoError(t, w.Close.Update(id, map[string]any{"description": "from Close", "url": "https://new.example"}))
	w.Tail()
	require.Equal(t, "https://new.example", w.Get("SELECT url FROM crm.leads WHERE id = 1"))
	require.NoError(t, w.Store.Refresh(context.Background()))
	w.SQL("ALTER TABLE crm.leads ADD COLUMN description text")
	require.NoError(t, w.Store.Refresh(context.Background()))
	_, err := w.Store.EnsureTriggers(context.Background())
	require.NoError(t, err)
	got, _ = w.Close.Get(id)
	require.Equal(t, "from Close", got["description"], "an empty new column is no edit")
	require.Equal(t, []string{"lead"}, w.overdue(never))
	w.SQL("UPDATE crm.leads SET name = 'touched'")
	w.all()
	require.Equal(t, "from Close", w.field(id, "description"))
	w.rest()
}

// A column that is dropped and made anew is filled, whether or not the worker
// runs meanwhile.
func TestFault_C14_ARemadeColumnIsFilled(t *testing.T) {
	for _, restart := range []bool{true, false} {
		t.Run(fmt.Sprint(restart), func(t *testing.T) {
			w := rested(t, 141, 5)
			w.SQL("ALTER TABLE crm.leads DROP COLUMN url, DROP COLUMN custom")
			w.SQL("ALTER TABLE crm.leads ADD COLUMN url text, ADD COLUMN custom jsonb NOT NULL DEFAULT '{}'")
			if restart {
				w.Restart()
			} else {
				require.NoError(t, w.Store.Refresh(context.Background()))
			}
			w.SQL("UPDATE crm.leads SET name = 'touched' WHERE id = 1")
			w.all()
			require.Equal(t, "0", w.Get("SELECT count(*) FROM closesync.conflicts"))
		})
	}
}

// While a column is away under another name, edits of its field wait on both
// sides.
func TestFault_C14_ARenamedColumnThatComesBack(t *testing.T) {
	w := rested(t, 142, 5)
	first, second := w.Get("SELECT close_id FROM crm.leads WHERE id = 1"), w.Get("SELECT close_id FROM crm.leads WHERE id = 2")
	w.SQL("ALTER TABLE crm.leads RENAME COLUMN description TO descr")
	w.SQL("UPDATE crm.leads SET descr = 'edited here' WHERE id = 1")
	require.NoError(t, w.Close.Update(second, map[string]any{"description": "edited there"}))
	w.Settle()
	w.Tail()
	w.SQL("ALTER TABLE crm.leads RENAME COLUMN descr TO description")
	require.NoError(t, w.Store.Refresh(context.Background()))
	_, err := w.Store.EnsureTriggers(context.Background())
	require.NoError(t, err)
	w.all()
	require.Equal(t, "edited here", w.field(first, "description"))
	require.Equal(t, "edited there", w.Get("SELECT description FROM crm.leads WHERE id = 2"))
	w.rest()
}

func TestFault_C15_ChangedTypesAndNames(t *testing.T) {
	w := rested(t, 15, 5)
	w.SQL("ALTER TABLE crm.leads ALTER COLUMN name TYPE varchar(40), ALTER COLUMN addresses TYPE json USING addresses::json")
	w.SQL("ALTER TABLE crm.contacts RENAME COLUMN title TO job")
	lead, contact := w.Get("SELECT close_id FROM crm.leads WHERE id = 1"), w.Get("SELECT close_id FROM crm.contacts WHERE id = 1")
	require.NoError(t, w.Close.Update(lead, map[string]any{"name": "Retyped"}))
	require.NoError(t, w.Close.Update(contact, map[string]any{"name": "Renamed column"}))
	w.Tail()
	require.Equal(t, "Retyped", w.Get("SELECT name FROM crm.leads WHERE id = 1"))
	require.Equal(t, "Renamed column", w.Get("SELECT name FROM crm.contacts WHERE id = 1"))
	require.Empty(t, w.Get("SELECT string_agg(last_error, ',') FROM closesync.record_status WHERE state = 'error'"))
	w.SQL("UPDATE crm.contacts SET name = 'Local', job = 'ignored' WHERE id = 1")
	w.Settle()
	got, _ := w.Close.Get(contact)
	require.Equal(t, "Local", got["name"])
}

func TestFault_C16_AConstraintParksOneRecord(t *testing.T) {
	t.Parallel()
	for name, rule := range map[string]string{
		"short_name": "ALTER TABLE crm.leads ADD CONSTRAINT short_name CHECK (length(name) < 60)",
		"one_name":   "INSERT INTO crm.leads (name) VALUES (repeat('n', 80)); ALTER TABLE crm.leads ADD CONSTRAINT one_name UNIQUE (name)",
		"not-null":   "ALTER TABLE crm.leads ALTER COLUMN name SET NOT NULL",
	} {
		t.Run(name, func(t *testing.T) {
			w := rested(t, 16, 5)
			w.SQL(rule)
			w.Settle()
			leads := w.Close.List("lead")
			bad, good := leads[1]["id"].(string), leads[2]["id"].(string)
			value := any(strings.Repeat("n", 80))
			if name == "not-null" {
				value = ""
			}
			require.NoError(t, w.Close.Update(bad, map[string]any{"name": value}))
			require.NoError(t, w.Close.Update(good, map[string]any{"name": "fine"}))
			w.Tail()
			require.Equal(t, "fine", w.Get("SELECT name FROM crm.leads WHERE close_id = $1", good))
			if name == "not-null" && w.Diff() == "" {
				return // Close gives an empty name its own text
			}
			require.Equal(t, "error postgres", w.Get("SELECT state || ' ' || error_class FROM closesync.record_status WHERE close_id = $1", bad))
			require.Contains(t, w.Get("SELECT last_error FROM closesync.record_status WHERE close_id = $1", bad), name)
			// It heals by itself once Close's value fits.
			require.NoError(t, w.Close.Update(bad, map[string]any{"name": "fits"}))
			w.Tail()
			require.Equal(t, "synced", w.Get("SELECT state FROM closesync.record_status WHERE close_id = $1", bad))
			w.Equal()
		})
	}
}

func TestFault_C17_DroppedTableDeletesNothing(t *testing.T) {
	w := rested(t, 17, 5)
	w.SQL("UPDATE crm.opportunities SET note = 'pending'")
	w.SQL("DROP TABLE crm.opportunities CASCADE")
	w.SQL("UPDATE crm.leads SET name = 'others go on' WHERE id = 1")
	w.Settle()
	w.Tail()
	require.Len(t, w.Close.List("opportunity"), 5)
	for _, r := range w.changing() {
		require.NotContains(t, r, "DELETE")
	}
	got, _ := w.Close.Get(w.Get("SELECT close_id FROM crm.leads WHERE id = 1"))
	require.Equal(t, "others go on", got["name"])
	require.ErrorIs(t, w.Store.Refresh(context.Background()), store.ErrNoTable)
	_, err := w.Store.AuditRows(context.Background(), "opportunity")
	require.NoError(t, err)
}

func TestFault_C17_DroppedSchemaDeletesNothing(t *testing.T) {
	w := rested(t, 171, 5)
	w.SQL("UPDATE crm.leads SET name = 'pending'")
	w.SQL("DROP SCHEMA crm CASCADE")
	for range 3 {
		_, _ = w.Engine.Run(context.Background())
	}
	require.Empty(t, w.changing())
	require.Len(t, w.Close.List("lead"), 5)
}

func TestFault_C7_ForeignKeyWithoutCascadeParksTheLead(t *testing.T) {
	t.Parallel()
	w := New(t, Options{Close: closetest.Options{Seed: 71, Leads: 3}})
	w.Load()
	w.SQL("CREATE TABLE public.invoices (lead bigint REFERENCES crm.leads (id))")
	w.SQL("INSERT INTO public.invoices VALUES (1)")
	id := w.Get("SELECT close_id FROM crm.leads WHERE id = 1")
	require.NoError(t, w.Close.Delete(id))
	other := w.Get("SELECT close_id FROM crm.leads WHERE id = 2")
	require.NoError(t, w.Close.Update(other, map[string]any{"name": "goes on"}))
	w.Tail()
	require.Contains(t, w.Get("SELECT last_error FROM closesync.record_status WHERE close_id = $1", id), "invoices_lead_fkey")
	require.Equal(t, "goes on", w.Get("SELECT name FROM crm.leads WHERE id = 2"))
}
