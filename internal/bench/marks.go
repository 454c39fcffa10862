package main

import (
	"context"
	"errors"
	"fmt"
	"time"
)

const (
	// manyMarks is a backlog as a bulk edit of a large organization leaves it.
	manyMarks = 300_000
	fewMarks  = 1_000
	claimSize = 250
	claims    = 4 // of each size
)

// measureMarks claims from a backlog: how much else waits may not matter.
func measureMarks(ctx context.Context, b *bench) error {
	w, err := b.newWorker(ctx, imitationSpec{Leads: 1})
	if err != nil {
		return err
	}
	defer w.end()
	if err := w.load(ctx); err != nil {
		return err
	}
	few, fewDue, err := w.claimFrom(ctx, fewMarks)
	if err != nil {
		return err
	}
	many, manyDue, err := w.claimFrom(ctx, manyMarks)
	if err != nil {
		return err
	}
	b.table.longer(fmt.Sprintf("claim of %d records among %d marks", claimSize, manyMarks), many, few, 50*time.Millisecond)
	b.table.longer("  what is due next", manyDue, fewDue, 10*time.Millisecond)
	return nil
}

// claimFrom gives the mean time of a claim among n marks, and of asking what is
// due next.
func (w *worker) claimFrom(ctx context.Context, n int) (claim, due time.Duration, err error) {
	for _, sql := range []string{
		"DELETE FROM closesync.dirty",
		fmt.Sprintf(`WITH made AS (INSERT INTO closesync.records (connection, object_type, local_key)
			SELECT 1, 'lead', 'mark %[1]d.' || i FROM generate_series(1, %[1]d) i RETURNING id)
			INSERT INTO closesync.dirty (record_id, connection) SELECT id, 1 FROM made`, n),
		"VACUUM ANALYZE closesync.dirty, closesync.records",
	} {
		if _, err := w.pool.Exec(ctx, sql); err != nil {
			return 0, 0, err
		}
	}
	started := time.Now()
	for range claims {
		got, err := w.store.Claim(ctx, claimSize, time.Minute)
		if err != nil {
			return 0, 0, err
		}
		if len(got) != min(claimSize, n) {
			return 0, 0, errors.New("a claim gave too few")
		}
	}
	claim = time.Since(started) / claims
	started = time.Now()
	_, _, err = w.store.NextDue(ctx)
	return claim, time.Since(started), err
}
