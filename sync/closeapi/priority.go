package closeapi

import "context"

// Priority orders calls that wait at the same gate.
type Priority int

const (
	// Interactive calls go first. It is the default.
	Interactive Priority = iota
	// Background calls (first loads, audits) go when no interactive one waits.
	Background
)

type priorityKey struct{}

// WithPriority marks all calls made with the returned context.
func WithPriority(ctx context.Context, p Priority) context.Context {
	return context.WithValue(ctx, priorityKey{}, p)
}

func priorityOf(ctx context.Context) Priority {
	p, _ := ctx.Value(priorityKey{}).(Priority)
	return p
}
