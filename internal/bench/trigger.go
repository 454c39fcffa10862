package main

import (
	"context"
	"fmt"
	"slices"
	"time"
)

// triggerRounds with and without the trigger take turns; the median counts.
const triggerRounds = 5

// statements of a user, each on all rows. The last one changes nothing.
var userStatements = []struct{ name, sql string }{
	{"INSERT", "INSERT INTO crm.leads (name, description) SELECT 'Lead ' || i, repeat('x', 200) FROM generate_series(1, %d) i"},
	{"UPDATE", "UPDATE crm.leads SET name = name || '!'"},
	{"UPDATE that changes nothing", "UPDATE crm.leads SET name = name"},
}

func measureTrigger(ctx context.Context, b *bench) error {
	w, err := b.newWorker(ctx, imitationSpec{})
	if err != nil {
		return err
	}
	defer w.end()
	with, without := make([][]time.Duration, len(userStatements)), make([][]time.Duration, len(userStatements))
	for range triggerRounds {
		for _, captured := range []bool{false, true} {
			times := without
			if captured {
				times = with
			}
			if err := w.runStatements(ctx, captured, times); err != nil {
				return err
			}
		}
	}
	for i, s := range userStatements {
		own, floor := middle(with[i]), middle(without[i])
		perRow := (own - floor) / time.Duration(b.rows)
		b.table.longer(fmt.Sprintf("%s of %d rows, with the trigger", s.name, b.rows), own, floor, 0)
		b.table.longer("  added to each row", perRow, 0, 30*time.Microsecond)
	}
	return nil
}

// runStatements runs each statement as a transaction of its own.
func (w *worker) runStatements(ctx context.Context, captured bool, times [][]time.Duration) error {
	state := "DISABLE TRIGGER"
	if captured {
		state = "ENABLE ALWAYS TRIGGER"
	}
	reset := `TRUNCATE crm.leads CASCADE; TRUNCATE closesync.outbox; CHECKPOINT`
	for _, sql := range []string{
		"ALTER TABLE crm.leads DISABLE TRIGGER USER", reset,
		"ALTER TABLE crm.leads " + state + " closesync_capture",
	} {
		if _, err := w.pool.Exec(ctx, sql); err != nil {
			return err
		}
	}
	for i, s := range userStatements {
		sql := s.sql
		if i == 0 {
			sql = fmt.Sprintf(sql, w.b.rows)
		}
		started := time.Now()
		if _, err := w.pool.Exec(ctx, sql); err != nil {
			return err
		}
		times[i] = append(times[i], time.Since(started))
	}
	return nil
}

func middle(list []time.Duration) time.Duration {
	slices.Sort(list)
	return list[len(list)/2]
}
