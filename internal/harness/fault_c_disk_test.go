package harness

import (
	"context"
	"net/http"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/stretchr/testify/require"
)

// full has every write to a table of ours fail as it does when the disk is
// full, until the function it gives is called.
func (w *World) full(table string) (space func()) {
	w.T.Helper()
	w.SQL(`CREATE OR REPLACE FUNCTION public.disk_full() RETURNS trigger LANGUAGE plpgsql AS
		$$ BEGIN RAISE EXCEPTION 'could not extend file: No space left on device' USING ERRCODE = '53100'; END $$`)
	w.SQL("CREATE TRIGGER disk_full BEFORE INSERT OR UPDATE ON " + table + " FOR EACH ROW EXECUTE FUNCTION public.disk_full()")
	return func() { w.SQL("DROP TRIGGER disk_full ON " + table) }
}

// What cannot be captured is not written either: the program hears of it.
func TestFault_C10_NoEditWithoutItsCapture(t *testing.T) {
	w := rested(t, 310, 3)
	before := w.Get("SELECT name FROM crm.leads WHERE id = 1")
	space := w.full("closesync.outbox")
	_, err := w.Pool.Exec(context.Background(), "UPDATE crm.leads SET name = 'not captured' WHERE id = 1")
	require.ErrorContains(t, err, "No space left on device")
	require.Equal(t, before, w.Get("SELECT name FROM crm.leads WHERE id = 1"))
	w.Settle()
	require.Empty(t, w.changing())
	space()
	w.SQL("UPDATE crm.leads SET name = 'captured' WHERE id = 1")
	w.Settle()
	w.Equal()
	require.Equal(t, "captured", w.field(w.Get("SELECT close_id FROM crm.leads WHERE id = 1"), "name"))
}

// What the worker cannot write down it has not done: an intent that is not
// stored is not sent, a delivery that is not stored is not acknowledged.
func TestFault_C11_NothingIsHalfDone(t *testing.T) {
	h := hook(t, nil)
	h.renamed(1, "while there was space")
	h.deliver()
	h.Settle()
	h.Close.ResetRequests()
	for _, table := range []string{"closesync.intents", "closesync.records", "crm.leads", "closesync.journal_log"} {
		space := h.full(table)
		h.SQL("UPDATE closesync.dirty SET not_before = '-infinity', lease_until = '-infinity'")
		if table != "crm.leads" {
			h.SQL("UPDATE crm.leads SET description = $1 WHERE id = 1", "edited while "+table+" is full")
		}
		h.edit(h.lead(2), map[string]any{"description": "edited there while " + table + " is full"})
		_, _, _ = h.Engine.Tail(t.Context())
		_, _ = h.Engine.Run(t.Context())
		if table == "closesync.intents" {
			require.Zero(t, h.writes(), "what cannot be remembered is not sent")
		}
		space()
		h.SQL("UPDATE closesync.dirty SET not_before = '-infinity', lease_until = '-infinity'")
		h.Tail()
		h.Settle()
		h.Equal()
	}
	require.Empty(t, h.errorOf("state = 'error'"))

	space := h.full("closesync.inbox")
	body := h.event("ev_full", "lead", "updated", h.lead(0))
	require.Equal(t, http.StatusServiceUnavailable, h.post(h.receiver(), body, time.Now()))
	space()
	require.Equal(t, http.StatusOK, h.post(h.receiver(), body, time.Now()))
}

// TestFault_C32_HiddenRowsAreNotDeletedOnes: a policy hides rows from the role
// of the worker, at its start or while it runs.
func TestFault_C32_HiddenRowsAreNotDeletedOnes(t *testing.T) {
	w := rested(t, 332, 5)
	ctx := context.Background()
	role := "seer_" + w.Get("SELECT substr(md5(current_database()), 1, 12)")
	w.SQL("CREATE ROLE " + role + " LOGIN")
	w.T.Cleanup(func() {
		for _, sql := range []string{"DROP OWNED BY " + role, "DROP ROLE " + role} {
			_, _ = w.Pool.Exec(context.Background(), sql)
		}
	})
	for _, schema := range []string{"crm", "closesync"} {
		w.SQL("GRANT USAGE ON SCHEMA " + schema + " TO " + role)
		w.SQL("GRANT ALL ON ALL TABLES IN SCHEMA " + schema + " TO " + role)
		w.SQL("GRANT ALL ON ALL SEQUENCES IN SCHEMA " + schema + " TO " + role)
	}
	for _, table := range []string{"leads", "contacts", "opportunities"} {
		w.SQL("ALTER TABLE crm." + table + " OWNER TO " + role)
	}
	pool := w.pool(func(c *pgxpool.Config) {
		c.PrepareConn = func(ctx context.Context, conn *pgx.Conn) (bool, error) {
			_, err := conn.Exec(ctx, "SET SESSION AUTHORIZATION "+role)
			return err == nil, nil
		}
	})
	w.through(pool)
	w.SQL("ALTER TABLE crm.leads ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY")
	w.SQL("CREATE POLICY few ON crm.leads USING (id > 3)")
	for _, lead := range w.Close.List("lead") {
		w.edit(lead["id"].(string), map[string]any{"description": "edited while hidden"})
	}
	_, _, err := w.Engine.Tail(ctx)
	require.NoError(t, err)
	_, err = w.Engine.Run(ctx)
	require.ErrorContains(t, err, "row-level security")
	require.Empty(t, w.changing(), "a hidden row is not deleted in Close")
	require.ErrorContains(t, w.Store.Refresh(ctx), "row-level security hides rows of crm.leads")
	_, err = w.worker(ctx, w.pool(func(c *pgxpool.Config) { c.PrepareConn = pool.Config().PrepareConn }), w.Client)
	require.ErrorContains(t, err, "BYPASSRLS", "nor does a worker start like that")
	require.Len(t, w.Close.List("lead"), 5)

	// Sessions keep plans that hide rows; the worker makes new ones.
	w.SQL("ALTER ROLE " + role + " BYPASSRLS")
	require.NoError(t, w.Store.Refresh(ctx))
	w.SQL("UPDATE closesync.dirty SET not_before = '-infinity', lease_until = '-infinity'")
	w.Settle()
	w.Equal()
}
