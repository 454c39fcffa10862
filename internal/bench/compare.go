package main

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"closesync/mapping"
)

func measureCompare(ctx context.Context, b *bench) error {
	w, err := b.newWorker(ctx, imitationSpec{Leads: b.leads})
	if err != nil {
		return err
	}
	defer w.end()
	if err := w.load(ctx); err != nil {
		return err
	}
	rows, err := w.rowsIn(ctx, "crm")
	if err != nil {
		return err
	}
	floor, err := w.floorCompare(ctx)
	if err != nil {
		return err
	}
	if err := w.compare(ctx, "full compare, nothing changed", rows, 0, floor); err != nil {
		return err
	}
	local, err := w.compareLocal(ctx)
	if err != nil {
		return err
	}
	localFloor, err := w.floorScan(ctx)
	if err != nil {
		return err
	}
	b.table.slower("  the local part alone", "rows/s", perSecond(rows, local), perSecond(rows, localFloor), 100_000)
	changed, err := w.changeUnseen(ctx, rows/100)
	if err != nil {
		return err
	}
	return w.compare(ctx, "full compare, 1 % changed", rows, changed, floor)
}

// compare runs the audit and what it finds, and counts the rows written.
func (w *worker) compare(ctx context.Context, what string, rows, changed int, floor time.Duration) error {
	before, err := w.versions(ctx)
	if err != nil {
		return err
	}
	started := time.Now()
	if err := w.engine.Audit(ctx, nil, nil); err != nil {
		return err
	}
	if _, err := w.engine.Run(ctx); err != nil {
		return err
	}
	took := time.Since(started)
	after, err := w.versions(ctx)
	if err != nil {
		return err
	}
	written := int64(0)
	for id, version := range after {
		if before[id] != version {
			written++
		}
	}
	w.b.table.slower(what, "rows/s", perSecond(rows, took), perSecond(rows, floor), 0)
	w.b.table.exact("  rows written", written, int64(changed))
	return nil
}

// changeUnseen changes n contacts at Close, which the worker is not told, and
// gives how many rows differ then: each also moves its lead's date_updated.
func (w *worker) changeUnseen(ctx context.Context, n int) (rows int, err error) {
	ids, err := w.ids(ctx, "contacts", n)
	if err != nil {
		return 0, err
	}
	for i, id := range ids {
		if err := w.close.update(ctx, id, map[string]any{"title": fmt.Sprintf("Changed %d", i)}); err != nil {
			return 0, err
		}
	}
	err = w.pool.QueryRow(ctx, `SELECT count(*) + count(DISTINCT lead_id) FROM crm.contacts WHERE close_id = ANY ($1)`, ids).Scan(&rows)
	return rows, err
}

// ids gives the Close ids of the first n rows of a table, of all for 0.
func (w *worker) ids(ctx context.Context, table string, n int) ([]string, error) {
	sql := "SELECT close_id FROM " + pgx.Identifier{"crm", table}.Sanitize() + " ORDER BY id"
	if n > 0 {
		sql += fmt.Sprintf(" LIMIT %d", n)
	}
	rows, err := w.pool.Query(ctx, sql)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, pgx.RowTo[string])
}

// compareLocal times what the audit asks of Postgres when nothing differs.
func (w *worker) compareLocal(ctx context.Context) (time.Duration, error) {
	var took time.Duration
	for _, objectType := range mapping.Types() {
		var ids []string
		var hashes []int64
		err := w.pool.QueryRow(ctx, `SELECT array_agg(close_id ORDER BY id), array_agg(remote_hash ORDER BY id) FROM closesync.records
			WHERE connection = $1 AND object_type = $2 AND close_id IS NOT NULL`, w.store.ConnectionID(), objectType).Scan(&ids, &hashes)
		if err != nil {
			return 0, err
		}
		started := time.Now()
		for i := 0; i < len(ids); i += floorPage {
			end := min(i+floorPage, len(ids))
			same, err := w.store.Unchanged(ctx, objectType, ids[i:end], hashes[i:end])
			if err != nil {
				return 0, err
			}
			for j, ok := range same {
				if !ok {
					return 0, fmt.Errorf("%s differs although nothing changed", ids[i+j])
				}
			}
		}
		if _, err := w.store.AuditRows(ctx, objectType); err != nil {
			return 0, err
		}
		took += time.Since(started)
	}
	return took, nil
}

// floorScan reads every row's id and a hash of its content once.
func (w *worker) floorScan(ctx context.Context) (time.Duration, error) {
	started := time.Now()
	for _, objectType := range mapping.Types() {
		if err := w.hashRows(ctx, objectType, nil); err != nil {
			return 0, err
		}
	}
	return time.Since(started), nil
}

// floorCompare reads and decodes every page of Close, and the rows that belong
// to it as hashes.
func (w *worker) floorCompare(ctx context.Context) (time.Duration, error) {
	s, err := w.floorScript(ctx)
	if err != nil {
		return 0, err
	}
	started := time.Now()
	err = s.read(ctx, func(ctx context.Context, _ int, leads []floorRecord) error {
		for _, objectType := range mapping.Types() {
			ids := []string{}
			for _, r := range children(leads, objectType) {
				id, _ := r["id"].(string)
				ids = append(ids, id)
			}
			if err := w.hashRows(ctx, objectType, ids); err != nil {
				return err
			}
		}
		return nil
	})
	return time.Since(started), err
}

// hashRows reads the hashes of these rows, of all for nil.
func (w *worker) hashRows(ctx context.Context, objectType string, ids []string) error {
	t := w.objects[objectType].Table
	rows, err := w.pool.Query(ctx, fmt.Sprintf("SELECT close_id, hashtextextended(t::text, 0) FROM %s t WHERE $1::text[] IS NULL OR close_id = ANY ($1)",
		pgx.Identifier{t.Schema, t.Name}.Sanitize()), ids)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		var id string
		var hash int64
		if err := rows.Scan(&id, &hash); err != nil {
			return err
		}
	}
	return rows.Err()
}
