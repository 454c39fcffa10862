package main

import (
	"context"
	"fmt"
	"time"

	"closesync/internal/memory"
)

const (
	slowAnswer = 200 * time.Millisecond
	// slowLoad is what 10,000 leads may take with slowAnswer.
	slowLoad = 4 * time.Second
	// mostMemory in MB that a first load may take.
	mostMemory = 128
)

func measureBackfill(ctx context.Context, b *bench) error {
	sizes := []int{b.leads}
	if b.large {
		sizes = append(sizes, 100_000)
	}
	for _, leads := range sizes {
		if err := b.backfill(ctx, leads, 0); err != nil {
			return err
		}
	}
	return nil
}

func measureSlowBackfill(ctx context.Context, b *bench) error {
	return b.backfill(ctx, b.leads, slowAnswer)
}

// backfill loads an organization with the worker and with the script.
func (b *bench) backfill(ctx context.Context, leads int, latency time.Duration) error {
	w, err := b.newWorker(ctx, imitationSpec{Leads: leads, Latency: latency})
	if err != nil {
		return err
	}
	defer w.end()
	if err := w.engine.Reference(ctx); err != nil {
		return err
	}
	defer memory.Bound()() // as the worker does
	resetPeak()
	used := w.cpu(ctx)
	before, started := w.requests.Load(), time.Now()
	if err := w.engine.Backfill(ctx, nil); err != nil {
		return err
	}
	took, requests, peak := time.Since(started), w.requests.Load()-before, peakMemory()
	used = w.cpu(ctx).since(used)
	rows, err := w.rowsIn(ctx, "crm")
	if err != nil {
		return err
	}
	floorUsed := w.cpu(ctx)
	s, floor, err := w.floorLoad(ctx)
	if err != nil {
		return err
	}
	floorUsed = w.cpu(ctx).since(floorUsed)
	floorPeak := peakMemory()
	floorRows, err := w.rowsIn(ctx, "bench_floor")
	if err != nil {
		return err
	}
	if floorRows != rows || int(s.leads.Load()) != leads {
		return fmt.Errorf("the script stored %d rows of %d leads, the worker %d", floorRows, s.leads.Load(), rows)
	}
	what := fmt.Sprintf("backfill of %d leads (%.1f kB each)", leads, float64(s.bytes.Load())/1000/float64(leads))
	if latency > 0 {
		what = fmt.Sprintf("backfill of %d leads, %s an answer", leads, latency)
	}
	least := 3500.0
	if latency > 0 {
		least = float64(leads) / slowLoad.Seconds()
	}
	b.table.slower(what, "leads/s", perSecond(leads, took), perSecond(leads, floor), least)
	if latency == 0 {
		b.table.atMost("  its time, as a multiple of the floor", took.Seconds()/floor.Seconds(), 1, 1.6)
	}
	if used.postgres > 0 {
		b.table.add(line{what: "  CPU: it + Postgres + imitation", figure: used.String(), floor: floorUsed.String(), ratio: ratio(float64(used.total()), float64(floorUsed.total()))})
	}
	b.table.slower("  rows", "rows/s", perSecond(rows, took), perSecond(rows, floor), 4*least)
	thousands := float64(leads) / 1000
	own, script := float64(requests)/thousands, float64(s.requests.Load())/thousands
	b.table.atMost("  requests per 1,000 leads", own, script, 6)
	if peak > 0 {
		b.table.atMost("  peak RSS, MB", peak, floorPeak, mostMemory)
	}
	return nil
}

// floorLoad runs the script: the same pages into the same rows.
func (w *worker) floorLoad(ctx context.Context) (*floorScript, time.Duration, error) {
	s, err := w.floorScript(ctx)
	if err != nil {
		return nil, 0, err
	}
	if _, err := w.pool.Exec(ctx, floorTables); err != nil {
		return nil, 0, err
	}
	if _, err := w.pool.Exec(ctx, "CHECKPOINT"); err != nil {
		return nil, 0, err
	}
	resetPeak()
	started := time.Now()
	var writers [floorWindows]*floorWriter
	for i := range writers {
		if writers[i], err = w.floorWriter(ctx); err != nil {
			return nil, 0, err
		}
		defer func() { _ = writers[i].conn.Close(ctx) }()
	}
	err = s.read(ctx, func(ctx context.Context, window int, leads []floorRecord) error {
		return writers[window].write(ctx, leads)
	})
	return s, time.Since(started), err
}

func (w *worker) rowsIn(ctx context.Context, schema string) (n int, err error) {
	err = w.pool.QueryRow(ctx, fmt.Sprintf(`SELECT (SELECT count(*) FROM %[1]s.leads) + (SELECT count(*) FROM %[1]s.contacts)
		+ (SELECT count(*) FROM %[1]s.opportunities)`, schema)).Scan(&n)
	return n, err
}
