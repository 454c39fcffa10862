package harness

import (
	"context"
	"errors"
	"sync"

	"closesync/mapping"
	"closesync/sync/engine"
	"closesync/sync/store"
)

var errEnded = errors.New("the worker ends here")

// ending is a local side whose worker ends right before a step of the first
// load.
type ending struct {
	*store.Store
	step string
}

func (e *ending) at(step string) error {
	if e.step == step {
		return errEnded
	}
	return nil
}

func (e *ending) Stage(ctx context.Context, records map[string][]mapping.Remote, cp *engine.Checkpoint) error {
	if err := e.Store.Stage(ctx, records, cp); err != nil {
		return err
	}
	return e.at("Stage")
}

func (e *ending) Match(ctx context.Context, types []string) error {
	if err := e.at("Match"); err != nil {
		return err
	}
	return e.Store.Match(ctx, types)
}

func (e *ending) Staged(ctx context.Context, objectType string, last mapping.Remote, n int) ([]mapping.Remote, error) {
	if err := e.at("Staged"); err != nil {
		return nil, err
	}
	return e.Store.Staged(ctx, objectType, last, n)
}

func (e *ending) Unstage(ctx context.Context, records []mapping.Remote) error {
	if err := e.at("Unstage"); err != nil {
		return err
	}
	return e.Store.Unstage(ctx, records)
}

func (e *ending) EndLoad(ctx context.Context, types []string) error {
	if err := e.at("EndLoad"); err != nil {
		return err
	}
	return e.Store.EndLoad(ctx, types)
}

// interfering is a Close side where something happens after the first search.
type interfering struct {
	engine.Remote
	mu     sync.Mutex
	before func()
}

func (m *interfering) Search(ctx context.Context, objectType, field string, win engine.Window, nested bool, skip map[string]bool) (engine.Page, error) {
	p, err := m.Remote.Search(ctx, objectType, field, win, nested, skip)
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.before != nil {
		m.before()
		m.before = nil
	}
	return p, err
}
