package jobs_test

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"closesync/internal/harness"
	"closesync/jobs"
	"closesync/sync/closetest"
)

// deadWorker leaves behind what a worker holds that was killed: a claim with
// minutes to go, a load under way and the leadership of the queue.
func deadWorker(t *testing.T, w *harness.World, name string) {
	t.Helper()
	claimed(t, w, name, 1)
	w.SQL(`INSERT INTO river.river_job (state, attempt, max_attempts, attempted_at, attempted_by, kind, args, queue, unique_key, unique_states)
		VALUES ('running', 1, 10, now(), ARRAY[$1], 'backfill', '{"connection": "default"}', 'load', '\x01', B'11111111')`, name)
	w.SQL(`INSERT INTO river.river_leader (elected_at, expires_at, leader_id) VALUES (now(), now() + interval '1 hour', $1)
		ON CONFLICT (name) DO UPDATE SET leader_id = excluded.leader_id, expires_at = excluded.expires_at`, name)
}

const (
	workDone = "SELECT (SELECT count(*) FROM closesync.dirty) = 0 AND (SELECT count(*) FROM closesync.outbox) = 0"
	jobDone  = `SELECT count(*) = 0 FROM river.river_job WHERE state = 'running' AND attempted_by = ARRAY[$1]`
	elected  = `SELECT count(*) = 1 FROM river.river_leader WHERE leader_id <> $1`
)

func TestFault_D2_AStartTakesOverAfterADeadWorker(t *testing.T) {
	t.Parallel()
	w := harness.New(t, harness.Options{Close: closetest.Options{Seed: 42, Leads: 3}})
	w.Load()
	deadWorker(t, w, "dead")
	start(t, worker(t, w))
	eventually(t, w, "its claim is worked off", workDone)
	eventually(t, w, "its job is not running any more", jobDone, "dead")
	eventually(t, w, "the leadership is taken", elected, "dead")
	w.Equal()
}

func TestFault_D2_ALivingWorkerTakesOverAfterADeadOne(t *testing.T) {
	t.Parallel()
	w := harness.New(t, harness.Options{Close: closetest.Options{Seed: 43, Leads: 3}})
	w.Load()
	j := worker(t, w)
	start(t, j)
	eventually(t, w, "the start is over", "SELECT count(*) > 0 AND bool_and(state = 'completed') FROM river.river_job")
	deadWorker(t, w, "killed while this one lives")
	eventually(t, w, "its claim is worked off", workDone)
	eventually(t, w, "its job is not running any more", jobDone, "killed while this one lives")
	w.Equal()
}

// A worker that lives keeps what it holds, and so does a command that only
// cycles.
func TestFault_D2_ALivingWorkerIsNotRobbed(t *testing.T) {
	t.Parallel()
	w := harness.New(t, harness.Options{Close: closetest.Options{Seed: 44, Leads: 3}})
	w.Load()
	leave, err := jobs.Announce(t.Context(), w.Pool, "alive")
	require.NoError(t, err)
	t.Cleanup(leave)
	deadWorker(t, w, "alive")
	claimed(t, w, "dead", 2)
	start(t, worker(t, w))
	eventually(t, w, "what the dead one held is free", "SELECT count(*) = 0 FROM closesync.dirty WHERE worker = 'dead'")
	require.Equal(t, "1", w.Get("SELECT count(*) FROM closesync.dirty WHERE worker = 'alive' AND lease_until > now()"))
	require.Equal(t, "1", w.Get("SELECT count(*) FROM river.river_job WHERE state = 'running' AND attempted_by = ARRAY['alive']"))
	require.Equal(t, "alive", w.Get("SELECT leader_id FROM river.river_leader"))
}

// claimed edits a row and leaves a claim on its record, in one transaction: a
// worker that lives must not get at it in between.
func claimed(t *testing.T, w *harness.World, name string, row int) {
	t.Helper()
	w.SQL(fmt.Sprintf(`UPDATE crm.leads SET name = 'edited before the kill' WHERE id = %[2]d;
		DELETE FROM closesync.outbox;
		INSERT INTO closesync.dirty (record_id, connection, worker, lease_until, fence, local_at)
		SELECT id, connection, '%[1]s', closesync.clock() + interval '10 minutes', 1, closesync.clock()
		FROM closesync.records WHERE object_type = 'lead' AND local_key = '%[2]d'`, name, row))
}

// What is scheduled waits for a leader: with the old one killed it is queued
// all the same, without waiting for the end of its term.
func TestFault_D3_ScheduledWorkGoesOnAfterTheLeaderIsKilled(t *testing.T) {
	t.Parallel()
	w := harness.New(t, harness.Options{Close: closetest.Options{Seed: 45, Leads: 3}})
	w.Load()
	j := worker(t, w)
	start(t, j)
	eventually(t, w, "the start is over", "SELECT count(*) > 0 AND bool_and(state = 'completed') FROM river.river_job")
	for i := range 3 {
		w.SQL("DELETE FROM river.river_job")
		deadLeader := "leader " + string(rune('a'+i))
		w.SQL(`INSERT INTO river.river_leader (elected_at, expires_at, leader_id) VALUES (now(), now() + interval '1 hour', $1)
			ON CONFLICT (name) DO UPDATE SET leader_id = excluded.leader_id, expires_at = excluded.expires_at`, deadLeader)
		// A snoozed job is the leader's to wake; following is what it queues.
		w.SQL(`INSERT INTO river.river_job (state, attempt, max_attempts, scheduled_at, kind, args, queue)
			VALUES ('scheduled', 0, 10, now(), 'reference', '{"connection": "default"}', 'follow')`)
		eventually(t, w, "the event log is followed", "SELECT count(*) > 0 FROM river.river_job WHERE kind = 'events' AND state = 'completed'")
		eventually(t, w, "the snoozed job ran", "SELECT count(*) = 0 FROM river.river_job WHERE state = 'scheduled'")
	}
}

// After an outage of Postgres a job of a worker that lives may stand as running
// for ever: its end was not written down. It holds up every equal one.
func TestFault_C2_AJobWhoseEndWasNotWrittenDownIsGivenBack(t *testing.T) {
	t.Parallel()
	w := harness.New(t, harness.Options{Close: closetest.Options{Seed: 46, Leads: 3}})
	w.Load()
	j := worker(t, w)
	start(t, j)
	eventually(t, w, "the start is over", "SELECT count(*) > 0 AND bool_and(state = 'completed') FROM river.river_job")
	w.SQL(`INSERT INTO river.river_job (state, attempt, max_attempts, attempted_at, attempted_by, kind, args, queue, unique_key, unique_states)
		VALUES ('running', 1, 10, now(), ARRAY[$1], 'events', '{"connection": "default"}', 'follow', '\x01', B'11111111')`, j.Name())
	eventually(t, w, "it is worked", "SELECT count(*) = 1 FROM river.river_job WHERE unique_key = '\x01' AND state = 'completed'")
}
