package store

import (
	"context"
	"fmt"

	"closesync/sync/engine"
)

// Owe notes durably that object types must be compared in full.
func (s *Store) Owe(ctx context.Context, types []string) error {
	if err := s.owe(ctx, s.pool, types); err != nil {
		return fmt.Errorf("store.Owe: %w", err)
	}
	return nil
}

// owe counts, so that a compare which began before does not settle what became
// owed while it ran. Before the first load there is nothing to compare.
func (s *Store) owe(ctx context.Context, q Querier, types []string) error {
	streams := make([]string, len(types))
	for i, t := range types {
		streams[i] = engine.OwedStream(t)
	}
	_, err := q.Exec(ctx, `
		INSERT INTO closesync.checkpoints (connection, stream, position)
		SELECT $1, v.stream, '{"count": 1}' FROM unnest($2::text[]) AS v(stream)
		WHERE EXISTS (SELECT FROM closesync.checkpoints WHERE connection = $1 AND stream = $3)
		ORDER BY v.stream
		ON CONFLICT (connection, stream) DO UPDATE
		SET position = jsonb_build_object('count', (checkpoints.position ->> 'count')::bigint + 1)`,
		s.id, streams, engine.StreamBackfill)
	return err
}
