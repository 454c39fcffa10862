package main

import (
	"context"
	"fmt"
	"net/http"

	"closesync/mapping"
)

// idleCycles is how often the worker looks while nothing changes.
const idleCycles = 100

func measureIdle(ctx context.Context, b *bench) error {
	w, err := b.newWorker(ctx, imitationSpec{Leads: b.leads})
	if err != nil {
		return err
	}
	defer w.end()
	if err := w.load(ctx); err != nil {
		return err
	}
	if err := w.look(ctx); err != nil { // the first look after a load may have overlaps to read
		return err
	}
	rows, err := w.versions(ctx)
	if err != nil {
		return err
	}
	if err := w.close.forget(ctx); err != nil {
		return err
	}
	for range idleCycles {
		if err := w.look(ctx); err != nil {
			return err
		}
	}
	requests, err := w.close.requests(ctx)
	if err != nil {
		return err
	}
	writes := int64(0)
	for _, r := range requests {
		search := r.Method == http.MethodPost && r.Path == "/api/v1/data/search/"
		if r.Method != http.MethodGet && !search {
			writes++
		}
	}
	now, err := w.versions(ctx)
	if err != nil {
		return err
	}
	changed := int64(0)
	for row, version := range now {
		if rows[row] != version {
			changed++
		}
	}
	// One page of the event log and one of each type is the least one can ask.
	least := float64(1 + len(mapping.Types()))
	perCycle := float64(len(requests)) / idleCycles
	b.table.atMost(fmt.Sprintf("%d idle cycles: requests each", idleCycles), perCycle, least, 4)
	b.table.exact("  writes at Close", writes, 0)
	b.table.exact("  rows whose xmin changed", changed+int64(len(rows)-len(now)), 0)
	return nil
}

// look is one round of everything the schedule does between audits.
func (w *worker) look(ctx context.Context) error {
	if _, _, err := w.engine.Tail(ctx); err != nil {
		return err
	}
	for _, t := range mapping.Types() {
		if err := w.engine.SearchChanged(ctx, t); err != nil {
			return err
		}
	}
	_, err := w.engine.Run(ctx)
	return err
}

// versions gives the xmin of every synchronised row.
func (w *worker) versions(ctx context.Context) (map[string]string, error) {
	rows, err := w.pool.Query(ctx, `SELECT close_id, xmin::text FROM crm.leads UNION ALL SELECT close_id, xmin::text FROM crm.contacts
		UNION ALL SELECT close_id, xmin::text FROM crm.opportunities`)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	found := map[string]string{}
	for rows.Next() {
		var id, version string
		if err := rows.Scan(&id, &version); err != nil {
			return nil, err
		}
		found[id] = version
	}
	return found, rows.Err()
}
