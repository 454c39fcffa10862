package main

import (
	"context"

	"closesync/sync/store"
)

// queries gives the dashboard its lists, over all connections.
type queries struct{ store.Lists }

// Conflicts lists the open ones.
func (q queries) Conflicts(ctx context.Context, limit int) (any, error) {
	return q.Lists.Conflicts(ctx, false, limit)
}

// Errors lists the parked records.
func (q queries) Errors(ctx context.Context, limit int) (any, error) {
	return q.Lists.Errors(ctx, limit)
}

// Holds lists the open ones.
func (q queries) Holds(ctx context.Context, limit int) (any, error) {
	return q.Lists.Holds(ctx, false, limit)
}

// explained is a change with its cause in words.
type explained struct {
	store.JournalItem
	Because string `json:"because"`
}

// Journal lists the newest changes.
func (q queries) Journal(ctx context.Context, limit int) (any, error) {
	list, err := q.Lists.Journal(ctx, limit)
	told := make([]explained, len(list))
	for i, j := range list {
		told[i] = explained{j, because(j.Cause)}
	}
	return told, err
}

// Runs lists the newest loads, searches and audits.
func (q queries) Runs(ctx context.Context, limit int) (any, error) {
	return q.Lists.Runs(ctx, limit)
}
