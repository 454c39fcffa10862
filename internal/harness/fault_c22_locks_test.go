package harness

import (
	"context"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"closesync/sync/closetest"
)

// locking begins a user's transaction that has changed a row, and leaves it idle.
func (w *World) locking(sql string) pgx.Tx {
	w.T.Helper()
	tx, err := w.Pool.Begin(context.Background())
	require.NoError(w.T, err)
	_, err = tx.Exec(context.Background(), sql)
	require.NoError(w.T, err)
	return tx
}

// bystander updates a row as a user would who waits no longer than T24 says.
func (w *World) bystander(sql string) {
	w.T.Helper()
	tx := w.locking("SET LOCAL lock_timeout = '50ms'")
	_, err := tx.Exec(context.Background(), sql)
	require.NoError(w.T, err)
	require.NoError(w.T, tx.Rollback(context.Background()))
}

// One idle transaction of a user holds a row that changed in Close.
func TestFault_C22_ALockedRowHoldsUpNobodyElse(t *testing.T) {
	w := rested(t, 2201, 5)
	ctx := context.Background()
	user := w.locking("UPDATE crm.leads SET url = 'http://late' WHERE id = 3")
	for _, key := range []string{"1", "3", "5"} {
		w.edit(w.Get("SELECT close_id FROM crm.leads WHERE id = "+key), map[string]any{"name": "edited in Close"})
	}
	_, _, err := w.Engine.Tail(ctx)
	require.NoError(t, err)
	_, err = w.Engine.Cycle(ctx)
	require.NoError(t, err)
	require.Equal(t, "2", w.Get("SELECT count(*) FROM crm.leads WHERE name = 'edited in Close'"))
	w.bystander("UPDATE crm.leads SET description = 'a bystander' WHERE id = 1")
	require.Equal(t, "pending", w.Get("SELECT state FROM closesync.record_status WHERE object_type = 'lead' AND local_key = '3'"))

	require.NoError(t, user.Commit(ctx))
	w.due()
	w.Settle()
	w.Equal()
	require.Equal(t, "3", w.Get("SELECT count(*) FROM crm.leads WHERE name = 'edited in Close'"))
	require.Equal(t, "http://late", w.Get("SELECT url FROM crm.leads WHERE id = 3"))
}

// A page of a search meets such a row.
func TestFault_C22_ALockedRowHoldsUpNoPage(t *testing.T) {
	w := rested(t, 2202, 5)
	ctx := context.Background()
	user := w.locking("UPDATE crm.leads SET url = 'http://late' WHERE id = 3")
	for _, id := range w.ids("lead") {
		w.edit(id, map[string]any{"name": "edited in Close"})
	}
	require.NoError(t, w.Engine.Audit(ctx, nil, nil))
	require.Equal(t, "4", w.Get("SELECT count(*) FROM crm.leads WHERE name = 'edited in Close'"))
	require.NoError(t, user.Commit(ctx))
	w.due()
	w.Settle()
	w.Equal()
	require.Equal(t, "5", w.Get("SELECT count(*) FROM crm.leads WHERE name = 'edited in Close'"))
}

// A user's transaction takes the row while its write to Close is under way.
func TestFault_C22_AnswerMeetsALockedRow(t *testing.T) {
	method := map[string]string{"update": "PUT", "create": "POST"}
	for action, sql := range map[string]string{
		"update": "UPDATE crm.leads SET name = 'sent' WHERE id = 3",
		"create": "INSERT INTO crm.leads (id, name) VALUES (50, 'sent')",
	} {
		t.Run(action, func(t *testing.T) {
			w := rested(t, 2203, 5)
			ctx := context.Background()
			w.Close.Fault(closetest.Fault{Method: method[action], Path: "/lead/", Kind: closetest.FaultDelay, Delay: 1500 * time.Millisecond})
			w.SQL(sql)
			var user pgx.Tx
			w.during(action, func() { user = w.locking("UPDATE crm.leads SET url = 'http://late' WHERE name = 'sent'") })
			require.Equal(t, "done", w.Get("SELECT state FROM closesync.intents WHERE action = '"+action+"' ORDER BY id DESC LIMIT 1"))
			require.NoError(t, user.Commit(ctx))
			w.due()
			w.Settle()
			w.Equal()
			require.Equal(t, "http://late", w.Get("SELECT url FROM crm.leads WHERE name = 'sent'"))
			require.Equal(t, "1", w.Get("SELECT count(*) FROM closesync.intents WHERE sent::jsonb ? 'name'"), "it is sent once")
		})
	}
}

// A user who has locked a lead that Close deleted: the row goes afterwards.
func TestFault_C22_DeleteOfALockedRow(t *testing.T) {
	w := rested(t, 2204, 5)
	ctx := context.Background()
	id := w.Get("SELECT close_id FROM crm.leads WHERE id = 3")
	user := w.locking("SELECT FROM crm.leads WHERE id = 3 FOR KEY SHARE")
	require.NoError(t, w.Close.Delete(id))
	w.edit(w.Get("SELECT close_id FROM crm.leads WHERE id = 1"), map[string]any{"name": "edited in Close"})
	_, _, err := w.Engine.Tail(ctx)
	require.NoError(t, err)
	_, err = w.Engine.Cycle(ctx)
	require.NoError(t, err)
	require.Equal(t, "edited in Close", w.Get("SELECT name FROM crm.leads WHERE id = 1"))
	require.NoError(t, user.Commit(ctx))
	w.due()
	w.Settle()
	w.Equal()
	require.Equal(t, "0", w.Get("SELECT count(*) FROM crm.leads WHERE id = 3"))
}
