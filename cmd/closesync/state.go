package main

import (
	"context"

	"github.com/jackc/pgx/v5/pgxpool"

	"closesync/jobs"
	"closesync/sync/store"
)

// status gives what `status --json` prints, from what the worker knows without
// asking Close.
func (a *app) status(ctx context.Context) (any, error) {
	list := []store.ConnectionStatus{}
	for _, c := range a.conns {
		in := store.StatusInput{API: c.api.state(), OrganizationID: c.permission.of(), Webhook: c.webhookState(ctx), Rate: rateStates(c.client.Limits())}
		if err := c.allowed(ctx); err != nil {
			in.API = store.APIState{Error: text(err.Error())}
		}
		in.Lag = a.lag.status()
		one, err := c.store.Status(ctx, in)
		if err != nil {
			return nil, err
		}
		if one.Idle, err = nothingRequested(ctx, a.pool, c.name, one.Idle); err != nil {
			return nil, err
		}
		list = append(list, one)
	}
	return document(list), nil
}

// nothingRequested is idle unless a resync waits that somebody asked for.
func nothingRequested(ctx context.Context, pool *pgxpool.Pool, connection string, idle bool) (bool, error) {
	if !idle {
		return false, nil
	}
	waits, err := jobs.Requested(ctx, pool, connection)
	return !waits, err
}

// unfinished ends run --once: exit code 3 if something waits for a person.
func (a *app) unfinished(ctx context.Context) error {
	for _, c := range a.conns {
		one, err := c.store.Status(ctx, store.StatusInput{})
		if err != nil {
			return err
		}
		if one.Open() {
			return &exitError{code: exitOpen}
		}
	}
	return nil
}
