package main

import "context"

// status gives what `status --json` prints.
func (a *app) status(ctx context.Context) (any, error) { return map[string]any{"version": version()}, ctx.Err() }

// unfinished ends run --once: exit code 3 if something waits for a person.
func (a *app) unfinished(ctx context.Context) error {
	var open int
	err := a.pool.QueryRow(ctx, `SELECT count(*) FROM closesync.record_status WHERE state IN ('pending', 'conflict', 'error', 'held')`).Scan(&open)
	if err != nil {
		return err
	}
	if open > 0 {
		return &exitError{exitOpen, nil}
	}
	return nil
}
