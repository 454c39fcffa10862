package harness

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"closesync/sync/closetest"
)

const (
	waitLong = 10 * time.Second
	waitStep = 5 * time.Millisecond
)

// rested is a world with a few leads, loaded and at rest.
func rested(t *testing.T, seed uint64, leads int) *World {
	t.Helper()
	t.Parallel()
	w := New(t, Options{Close: closetest.Options{Seed: seed, Leads: leads}})
	w.Load()
	w.Close.ResetRequests()
	return w
}

// hints counts the captured changes not yet absorbed.
func (w *World) hints() string { return w.Get("SELECT count(*) FROM closesync.outbox") }

// changing lists the requests that change something in Close.
func (w *World) changing() []string {
	var list []string
	for _, r := range w.Close.Requests() {
		if r.Method == "PUT" || r.Method == "DELETE" || (r.Method == "POST" && r.Path != "/data/search/" && r.Path != "/api/v1/data/search/") {
			list = append(list, r.Method+" "+r.Path)
		}
	}
	return list
}

func TestFault_C18_TruncateIsNoDelete(t *testing.T) {
	w := rested(t, 18, 20)
	w.SQL("TRUNCATE crm.leads CASCADE")
	w.Settle()
	w.Settle()
	require.Empty(t, w.changing())
	require.Equal(t, "20", w.Get("SELECT count(*) FROM crm.leads"))
	w.Equal()
}

func TestFault_C18_NewRowsTakeOldKeysAfterTruncate(t *testing.T) {
	w := rested(t, 181, 5)
	w.SQL("BEGIN; TRUNCATE crm.leads RESTART IDENTITY CASCADE; INSERT INTO crm.leads (name) VALUES ('Newcomer'); COMMIT")
	w.Settle()
	w.Settle()
	require.Len(t, w.Close.List("lead"), 6)
	require.Equal(t, "6", w.Get("SELECT count(*) FROM crm.leads"))
	w.Equal()
}

func TestFault_C18_TruncateBetweenAbsorbAndDecide(t *testing.T) {
	w := rested(t, 182, 5)
	w.SQL("UPDATE crm.leads SET name = name || ' x'")
	_, _, err := w.Store.Absorb(context.Background(), 100)
	require.NoError(t, err)
	w.SQL("TRUNCATE crm.leads CASCADE")
	_, err = w.Engine.Cycle(context.Background())
	require.NoError(t, err)
	require.Empty(t, w.changing(), "a row missing after TRUNCATE is not a deleted row")
	w.Settle()
	w.Equal()
}

func TestFault_C19_MassDeleteIsHeldToTheLastRow(t *testing.T) {
	t.Parallel()
	o := Options{Close: closetest.Options{Seed: 19, Leads: 320, ContactsPerLead: -1, OpportunitiesPerLead: -1}}
	o.Guards.MaxDeletes = 50
	w := New(t, o)
	w.Load()
	w.SQL("DELETE FROM crm.leads")
	w.Settle()
	require.Len(t, w.Close.List("lead"), 320)
	require.Equal(t, "320", w.Get("SELECT count(*) FROM closesync.record_status WHERE state = 'held'"))
}

func TestFault_C20_TriggersAreRepaired(t *testing.T) {
	w := rested(t, 20, 5)
	ctx := context.Background()
	for _, hurt := range []string{
		"ALTER TABLE crm.leads DISABLE TRIGGER ALL",
		"DROP TRIGGER closesync_capture ON crm.leads",
		"DROP TRIGGER closesync_truncate ON crm.leads",
		"ALTER TABLE crm.leads ENABLE TRIGGER closesync_capture", // no longer ALWAYS
	} {
		w.SQL(hurt)
		w.SQL("SET session_replication_role = replica; UPDATE crm.leads SET name = 'missed ' || md5('" + pgx.Identifier{hurt}.Sanitize() + "') WHERE id = 1; SET session_replication_role = origin")
		repaired, err := w.Store.EnsureTriggers(ctx)
		require.NoError(t, err)
		require.Equal(t, []string{"lead"}, repaired, hurt)
		again, err := w.Store.EnsureTriggers(ctx)
		require.NoError(t, err)
		require.Empty(t, again)
		_, err = w.Store.AuditRows(ctx, "lead")
		require.NoError(t, err)
		w.Settle()
		w.Equal()
	}
}

func TestFault_C20_ReplicaRoleIsCaptured(t *testing.T) {
	w := rested(t, 201, 3)
	w.SQL("SET session_replication_role = replica; UPDATE crm.leads SET name = 'replica' WHERE id = 1; SET session_replication_role = origin")
	require.Equal(t, "1", w.hints())
	w.Settle()
	w.Equal()
}

func TestFault_C21_BulkLoadWithoutTriggersIsFound(t *testing.T) {
	w := rested(t, 21, 5)
	w.SQL("BEGIN; ALTER TABLE crm.leads DISABLE TRIGGER ALL; INSERT INTO crm.leads (name) SELECT 'bulk ' || n FROM generate_series(1, 30) n; UPDATE crm.leads SET description = 'bulk' WHERE id = 2; ALTER TABLE crm.leads ENABLE ALWAYS TRIGGER closesync_capture; ALTER TABLE crm.leads ENABLE ALWAYS TRIGGER closesync_truncate; COMMIT")
	require.Equal(t, "0", w.hints())
	w.Audit()
	w.Equal()
	require.Len(t, w.Close.List("lead"), 35)
}

func TestFault_C22_OpenTransactionHoldsNobodyUp(t *testing.T) {
	w := rested(t, 22, 5)
	ctx := context.Background()
	tx, err := w.Pool.Begin(ctx)
	require.NoError(t, err)
	_, err = tx.Exec(ctx, "UPDATE crm.leads SET name = 'late' WHERE id = 1")
	require.NoError(t, err)
	w.SQL("UPDATE crm.leads SET name = 'quick' WHERE id = 2")
	w.Settle()
	id := w.Get("SELECT close_id FROM crm.leads WHERE id = 2")
	got, _ := w.Close.Get(id)
	require.Equal(t, "quick", got["name"])
	require.NoError(t, tx.Commit(ctx))
	w.Settle()
	w.Equal()
}

func TestFault_C23_CommitOrderDiffersFromIdOrder(t *testing.T) {
	w := rested(t, 23, 5)
	ctx := context.Background()
	first, err := w.Pool.Begin(ctx)
	require.NoError(t, err)
	_, err = first.Exec(ctx, "UPDATE crm.leads SET name = 'first' WHERE id = 1")
	require.NoError(t, err)
	for i := range 3 {
		w.SQL("UPDATE crm.leads SET name = $1 WHERE id = 2", fmt.Sprint("second ", i))
		w.Settle()
	}
	require.NoError(t, first.Commit(ctx))
	w.Settle()
	w.Equal()
	require.Equal(t, "0", w.hints())
}

func TestFault_C24_ReversedHintsOfOneRow(t *testing.T) {
	w := rested(t, 24, 3)
	w.SQL("UPDATE crm.leads SET name = 'v1' WHERE id = 1")
	w.SQL("UPDATE crm.leads SET name = 'v2' WHERE id = 1")
	w.SQL("UPDATE closesync.outbox SET id = DEFAULT WHERE id = (SELECT min(id) FROM closesync.outbox)")
	w.Settle()
	w.Equal()
	got, _ := w.Close.Get(w.Get("SELECT close_id FROM crm.leads WHERE id = 1"))
	require.Equal(t, "v2", got["name"])
}

func TestFault_C25_RollbackIsNotPushed(t *testing.T) {
	w := rested(t, 25, 3)
	w.SQL("BEGIN; UPDATE crm.leads SET name = 'no'; INSERT INTO crm.leads (name) VALUES ('no'); ROLLBACK")
	w.SQL("BEGIN; SAVEPOINT a; DELETE FROM crm.leads WHERE id = 1; ROLLBACK TO a; COMMIT")
	w.Settle()
	require.Empty(t, w.changing())
	w.Equal()
}

func TestFault_C26_InsertAndDeleteInOneTransaction(t *testing.T) {
	w := rested(t, 26, 3)
	w.SQL("BEGIN; INSERT INTO crm.leads (id, name) VALUES (777, 'brief'); DELETE FROM crm.leads WHERE id = 777; COMMIT")
	w.Settle()
	require.Empty(t, w.changing())
	w.Equal()
}

func TestFault_C27_UpdateToTheSameLeavesNoHint(t *testing.T) {
	w := rested(t, 27, 50)
	w.SQL("UPDATE crm.leads SET name = name, custom = custom, addresses = addresses")
	w.SQL("UPDATE crm.contacts SET emails = emails")
	w.SQL("UPDATE crm.opportunities SET value = value")
	require.Equal(t, "0", w.hints())
	w.Audit()
	require.Empty(t, w.changing())
}

func TestFault_C29_PrimaryKeyChangeKeepsTheLink(t *testing.T) {
	w := rested(t, 29, 6)
	id := w.Get("SELECT close_id FROM crm.opportunities WHERE id = 1")
	w.SQL("UPDATE crm.opportunities SET id = 9001 WHERE id = 1")
	w.SQL("UPDATE crm.opportunities SET id = 9002, note = 'moved' WHERE id = 9001")
	w.Settle()
	require.Equal(t, "9002", w.Get("SELECT local_key FROM closesync.record_status WHERE close_id = $1", id))
	require.Len(t, w.Close.List("opportunity"), 6)
	w.Equal()
	// Keys that change places: only the Close id tells the rows apart.
	w.SQL("UPDATE crm.opportunities SET id = -id WHERE id < 9000")
	w.SQL("UPDATE crm.opportunities SET id = 8 + id WHERE id < 0")
	w.SQL("BEGIN; UPDATE crm.opportunities SET id = 500 WHERE id = 3; UPDATE crm.opportunities SET id = 3 WHERE id = 4; UPDATE crm.opportunities SET id = 4 WHERE id = 500; COMMIT")
	w.Settle()
	require.Len(t, w.Close.List("opportunity"), 6)
	require.Equal(t, "6", w.Get("SELECT count(*) FROM closesync.records r JOIN crm.opportunities o ON o.id::text = r.local_key AND o.close_id = r.close_id WHERE r.object_type = 'opportunity'"))
	w.Equal()
}

func TestFault_C29_NewRowChangesItsKeyBeforeItIsSent(t *testing.T) {
	w := rested(t, 291, 1)
	w.SQL("INSERT INTO crm.leads (id, name) VALUES (50, 'new')")
	_, _, err := w.Store.Absorb(context.Background(), 100)
	require.NoError(t, err)
	w.SQL("UPDATE crm.leads SET id = 51 WHERE id = 50")
	w.Settle()
	require.Len(t, w.Close.List("lead"), 2)
	w.Equal()
}

func TestFault_C30_OwnWritesAreNotCaptured(t *testing.T) {
	w := rested(t, 30, 10)
	for _, lead := range w.Close.List("lead") {
		require.NoError(t, w.Close.Update(lead["id"].(string), map[string]any{"name": "edited in Close"}))
	}
	w.SQL("CREATE TABLE public.seen (n int)")
	w.SQL("CREATE FUNCTION public.note() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN INSERT INTO public.seen VALUES (1); RETURN NULL; END $$")
	w.SQL("CREATE TRIGGER note AFTER INSERT ON closesync.outbox FOR EACH ROW EXECUTE FUNCTION public.note()")
	w.Tail()
	w.Equal()
	require.Equal(t, "0", w.Get("SELECT count(*) FROM public.seen"))
	require.Empty(t, w.changing())
}

// After a transaction of the worker's the mark reads ” in the same session, not
// NULL. It marks nothing then.
func TestFault_C30_TheMarkEndsWithItsTransaction(t *testing.T) {
	w := rested(t, 302, 3)
	ctx := context.Background()
	conn, err := w.Pool.Acquire(ctx)
	require.NoError(t, err)
	defer conn.Release()
	_, err = conn.Exec(ctx, "BEGIN; SELECT set_config('closesync.origin', 'worker:' || session_user, true); COMMIT")
	require.NoError(t, err)
	var left *string
	require.NoError(t, conn.QueryRow(ctx, "SELECT current_setting('closesync.origin', true)").Scan(&left))
	require.NotNil(t, left)
	_, err = conn.Exec(ctx, "UPDATE crm.leads SET name = 'by hand' WHERE id = 1")
	require.NoError(t, err)
	require.Equal(t, "1", w.hints())
	w.Settle()
	w.Equal()
}

func TestFault_C30_AnApplicationCannotHideItsChanges(t *testing.T) {
	w := rested(t, 301, 3)
	ctx := context.Background()
	role := "app_" + w.Get("SELECT substr(md5(current_database()), 1, 12)")
	worker := w.Get("SELECT session_user")
	w.SQL("CREATE ROLE " + role + " LOGIN PASSWORD 'app'")
	t.Cleanup(func() {
		_, _ = w.Pool.Exec(context.Background(), "DROP OWNED BY "+role)
		_, _ = w.Pool.Exec(context.Background(), "DROP ROLE "+role)
	})
	w.SQL("GRANT USAGE ON SCHEMA crm TO " + role)
	w.SQL("GRANT SELECT, UPDATE ON crm.leads TO " + role)
	conn, err := pgx.Connect(ctx, w.DSN)
	require.NoError(t, err)
	defer func() { _ = conn.Close(ctx) }()
	for i, mark := range []string{"worker:" + worker, "worker:" + role, "worker", ""} {
		_, err = conn.Exec(ctx, "SET SESSION AUTHORIZATION "+role)
		require.NoError(t, err)
		_, err = conn.Exec(ctx, "SELECT set_config('closesync.origin', $1, false)", mark)
		require.NoError(t, err)
		_, err = conn.Exec(ctx, "UPDATE crm.leads SET name = $1 WHERE id = 1", fmt.Sprint("hidden ", i))
		require.NoError(t, err)
		require.Equal(t, "1", w.hints(), "mark %q", mark)
		w.Settle()
		w.Equal()
	}
}

func TestFault_C33_SessionSettingsDoNotMatter(t *testing.T) {
	t.Parallel()
	for i, settings := range []string{
		"timezone = 'Pacific/Auckland'", "datestyle = 'German, DMY'", "intervalstyle = 'sql_standard'",
		"bytea_output = 'escape'", "extra_float_digits = -15", "standard_conforming_strings = off",
		"default_transaction_isolation = 'serializable'", "search_path = 'pg_catalog'",
	} {
		t.Run(settings, func(t *testing.T) {
			t.Parallel()
			w := New(t, Options{Close: closetest.Options{Seed: uint64(33 + i), Leads: 8}})
			w.SQL("DO $$ BEGIN EXECUTE 'ALTER DATABASE ' || quote_ident(current_database()) || $s$ SET " + settings + " $s$; END $$")
			w.Pool.Reset()
			w.Load()
			w.SQL("UPDATE crm.leads SET description = E'tab\\t back\\\\slash \\'quote\\'' WHERE id = 1")
			w.SQL("UPDATE crm.opportunities SET date_won = '2024-02-29', note = 'x' WHERE id = 1")
			w.Settle()
			w.Tail()
			w.Audit()
			w.Equal()
		})
	}
}

func TestFault_C34_MicrosecondsAreNotPushed(t *testing.T) {
	w := rested(t, 34, 3)
	w.SQL("UPDATE crm.opportunities SET date_lost = date_lost, note = 'n' WHERE id = 1")
	w.Settle()
	w.Close.ResetRequests()
	w.Audit()
	require.Empty(t, w.changing())
	w.Equal()
}

func TestFault_C37_UsersDoNotWaitForTheWorker(t *testing.T) {
	w := rested(t, 37, 5)
	ctx := context.Background()
	w.SQL("UPDATE crm.leads SET name = 'one' WHERE id = 1")
	_, _, err := w.Store.Absorb(ctx, 100)
	require.NoError(t, err)
	// A worker that dies with the mark, the record and the outbox locked.
	tx, err := w.Pool.Begin(ctx)
	require.NoError(t, err)
	defer func() { _ = tx.Rollback(ctx) }()
	_, err = tx.Exec(ctx, "SELECT FROM closesync.dirty d JOIN closesync.records r ON r.id = d.record_id FOR UPDATE")
	require.NoError(t, err)
	w.SQL("UPDATE crm.leads SET name = 'a hint' WHERE id = 2")
	_, err = tx.Exec(ctx, "SELECT FROM closesync.outbox FOR UPDATE")
	require.NoError(t, err)
	began := time.Now()
	w.SQL("SET lock_timeout = '50ms'; UPDATE crm.leads SET name = 'two' WHERE id = 1; RESET lock_timeout")
	t.Logf("waited %v", time.Since(began))
	require.NoError(t, tx.Rollback(ctx))
	w.Settle()
	w.Equal()
}
