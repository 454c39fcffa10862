package engine

import (
	"context"
	"fmt"
	"time"
)

// OwedStream is the checkpoint that counts the full compares an object type
// needed because changes may have been missed. The compare itself may be lost
// with its job; the count is not.
func OwedStream(objectType string) string { return "owed:" + objectType }

// overdueGrace is how late a scheduled run may be before it counts as missed:
// the schedule itself comes first.
const overdueGrace = time.Minute

// Overdue lists the object types whose full compare is owed, or whose
// scheduled one fell into a time in which nobody ran. next is the schedule.
// Before the first load is complete nothing is overdue.
func (e *Engine) Overdue(ctx context.Context, next func(time.Time) time.Time) (types []string, err error) {
	loaded, err := e.Local.Checkpoint(ctx, StreamBackfill)
	if err != nil {
		return nil, fmt.Errorf("engine.Overdue: %w", err)
	}
	if done, _ := loaded.Position["done"].(bool); !done {
		return nil, nil
	}
	for _, t := range wanted(e, nil) {
		owed, err := e.owed(ctx, t)
		if err != nil {
			return nil, fmt.Errorf("engine.Overdue(%s): %w", t, err)
		}
		last, err := e.Local.Checkpoint(ctx, AuditStream(t))
		if err != nil {
			return nil, fmt.Errorf("engine.Overdue(%s): %w", t, err)
		}
		covered, _ := last.Position["covers"].(float64)
		at := last.LastRun
		if at.IsZero() {
			at = loaded.LastRun // the first load compared everything, too
		}
		if owed > covered || e.missed(at, next) {
			types = append(types, t)
		}
	}
	return types, nil
}

// Missed reports whether a stream's scheduled run fell into a time in which
// nobody ran. A stream that never ran has missed nothing.
func (e *Engine) Missed(ctx context.Context, stream string, next func(time.Time) time.Time) (bool, error) {
	cp, err := e.Local.Checkpoint(ctx, stream)
	return err == nil && e.missed(cp.LastRun, next), err
}

func (e *Engine) missed(last time.Time, next func(time.Time) time.Time) bool {
	return !last.IsZero() && e.Now().After(next(last).Add(overdueGrace))
}

func (e *Engine) owed(ctx context.Context, objectType string) (float64, error) {
	cp, err := e.Local.Checkpoint(ctx, OwedStream(objectType))
	n, _ := cp.Position["count"].(float64)
	return n, err
}
