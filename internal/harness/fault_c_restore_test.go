package harness

import (
	"context"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"
)

// backup copies the database and gives what puts the copy in its place.
func (w *World) backup() (restore func()) {
	w.T.Helper()
	ctx := context.Background()
	cfg, err := pgx.ParseConfig(w.DSN)
	require.NoError(w.T, err)
	name := cfg.Database
	cfg.Database = "postgres"
	admin, err := pgx.ConnectConfig(ctx, cfg)
	require.NoError(w.T, err)
	do := func(sql string) {
		w.T.Helper()
		_, err := admin.Exec(ctx, sql)
		require.NoError(w.T, err)
	}
	quoted, copied := pgx.Identifier{name}.Sanitize(), pgx.Identifier{name + "_b"}.Sanitize()
	w.T.Cleanup(func() {
		_, _ = admin.Exec(ctx, "DROP DATABASE IF EXISTS "+copied)
		_ = admin.Close(ctx)
	})
	cut := func() {
		w.Pool.Reset()
		do("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '" + name + "'")
	}
	cut()
	do("CREATE DATABASE " + copied + " TEMPLATE " + quoted)
	return func() {
		cut()
		do("DROP DATABASE " + quoted + " WITH (FORCE)")
		do("CREATE DATABASE " + quoted + " TEMPLATE " + copied)
	}
}

// forgets lets the database forget creates, edits and deletes that Close has.
func (w *World) forgets() {
	leads := w.ids("lead")
	w.SQL(`WITH l AS (INSERT INTO crm.leads (name, description) VALUES ('Sent since', 'd') RETURNING id)
		INSERT INTO crm.contacts (lead_id, name) SELECT id, 'Kid sent since' FROM l`)
	restore := w.backup()
	w.Settle()
	w.SQL("INSERT INTO crm.leads (name) VALUES ('Made since')")
	w.SQL("UPDATE crm.leads SET name = 'Edited since' WHERE close_id = $1", leads[0])
	w.SQL("DELETE FROM crm.leads WHERE close_id = $1", leads[1])
	w.edit(leads[2], map[string]any{"name": "Edited there since"})
	w.all()
	require.Len(w.T, w.ids("lead"), 5)
	restore()
	require.Equal(w.T, "5", w.Get("SELECT count(*) FROM crm.leads"))
	require.Equal(w.T, "1", w.Get("SELECT count(*) FROM crm.leads WHERE close_id IS NULL"))
}

// remembers demands that nothing was doubled and nothing is missing.
func (w *World) remembers(first func()) {
	w.T.Helper()
	w.Close.ResetRequests()
	leads, contacts := w.ids("lead"), w.ids("contact")
	first()
	w.all()
	require.Zero(w.T, w.writes(), "Close holds all of it")
	require.Equal(w.T, leads, w.ids("lead"))
	require.Equal(w.T, contacts, w.ids("contact"))
	require.Equal(w.T, "d", w.Get("SELECT description FROM crm.leads WHERE name = 'Sent since' AND close_id IS NOT NULL"))
	require.Equal(w.T, "1", w.Get("SELECT count(*) FROM crm.leads WHERE name = 'Made since'"))
	w.SQL("INSERT INTO crm.leads (name) VALUES ('Made now')")
	w.all()
	require.Len(w.T, w.ids("lead"), len(leads)+1)
	w.rest()
}

// ways are what a worker may happen to do first.
func ways(w *World) map[string]func() {
	return map[string]func(){"cycle": w.Settle, "tail": w.Tail, "search": w.Search, "audit": w.Audit}
}

func TestFault_C5_RestoreOfAnOlderBackup(t *testing.T) {
	heavy(t)
	for _, way := range []string{"cycle", "tail", "search", "audit"} {
		t.Run(way, func(t *testing.T) {
			w := world(t, nil)
			w.forgets()
			w.Restart()
			w.remembers(ways(w)[way])
		})
	}
}

func TestFault_C4_LostCommitsUnderALivingWorker(t *testing.T) {
	for _, way := range []string{"cycle", "tail"} {
		t.Run(way, func(t *testing.T) {
			w := world(t, nil)
			w.forgets()
			w.remembers(ways(w)[way])
		})
	}
}

// A checkpoint read before the database was replaced is not saved after: it
// would skip what the older one has forgotten.
func TestFault_C4_ACheckpointDoesNotOutliveItsDatabase(t *testing.T) {
	w := world(t, nil)
	restore := w.backup()
	cp, err := w.Store.Checkpoint(context.Background(), "events")
	require.NoError(t, err)
	restore()
	require.Error(t, w.Store.SaveCheckpoint(context.Background(), cp))
}

// Rows of one content share out the records that were made of them.
func TestFault_C5_TwinsAfterARestore(t *testing.T) {
	w := world(t, nil)
	w.SQL("INSERT INTO crm.leads (name) VALUES ('Twin'), ('Twin')")
	restore := w.backup()
	w.all()
	restore()
	w.Restart()
	w.Close.ResetRequests()
	w.all()
	require.Zero(t, w.writes())
	require.Equal(t, "2", w.Get("SELECT count(*) FROM crm.leads WHERE name = 'Twin'"))
}

// A row that fits several forgotten records is left to a person, and so are its
// children, which may be there as well.
func TestFault_C5_WhatFitsSeveralIsLeftToAPerson(t *testing.T) {
	w := world(t, nil)
	w.SQL("WITH l AS (INSERT INTO crm.leads (name) VALUES ('Twin') RETURNING id) INSERT INTO crm.contacts (lead_id, name) SELECT id, 'Kid' FROM l")
	restore := w.backup()
	w.all()
	w.SQL("INSERT INTO crm.leads (name) VALUES ('Twin')")
	w.all()
	contacts := w.ids("contact")
	restore()
	w.Restart()
	w.Close.ResetRequests()
	w.Settle()
	w.Tail()
	w.Audit()
	require.Zero(t, w.writes())
	require.Equal(t, "contact lead", w.Get("SELECT string_agg(object_type, ' ' ORDER BY object_type) FROM closesync.record_status WHERE state = 'error' AND error_class = 'ambiguous'"))
	// A person finds the mirrored ones and drops the rows that are left over.
	w.SQL("DELETE FROM crm.leads WHERE close_id IS NULL")
	w.rest()
	require.Equal(t, contacts, w.ids("contact"))
}

// What was deleted on both sides is not taken for what a new row was created as.
func TestFault_C5_ADeletedNamesakeIsNotForgotten(t *testing.T) {
	w := world(t, nil)
	w.SQL("INSERT INTO crm.leads (name) VALUES ('Again')")
	w.all()
	w.SQL("DELETE FROM crm.leads WHERE name = 'Again'")
	w.all()
	w.SQL("INSERT INTO crm.leads (name) VALUES ('Again')")
	w.Restart()
	w.all()
	require.Equal(t, "1", w.Get("SELECT count(*) FROM crm.leads WHERE name = 'Again'"))
	require.Len(t, w.ids("lead"), 5)
}
