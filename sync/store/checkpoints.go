package store

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/jackc/pgx/v5"

	"closesync/sync/engine"
)

func (s *Store) saveCheckpoint(ctx context.Context, q Querier, c engine.Checkpoint) error {
	position, err := json.Marshal(c.Position)
	if err != nil {
		return err
	}
	if c.Position == nil {
		position = []byte("{}")
	}
	tag, err := q.Exec(ctx, `INSERT INTO closesync.checkpoints (connection, stream, watermark, position, last_run_at)
		SELECT $1::int, $2::text, $3::timestamptz, $4::text::jsonb, $5::timestamptz WHERE $6::text = '' OR $6::text = (`+epochSQL+`)
		ON CONFLICT (connection, stream) DO UPDATE SET watermark = coalesce(excluded.watermark, checkpoints.watermark),
		    position = excluded.position, last_run_at = coalesce(excluded.last_run_at, checkpoints.last_run_at)`,
		s.id, c.Stream, moment(c.Watermark), string(position), moment(c.LastRun), c.Epoch)
	if err == nil && tag.RowsAffected() == 0 {
		return fmt.Errorf("checkpoint %s: the database is not the one it was read from", c.Stream)
	}
	return err
}

func moment(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	return &t
}

// SaveCheckpoint moves a stream's checkpoint when nothing else is to be saved.
func (s *Store) SaveCheckpoint(ctx context.Context, c engine.Checkpoint) error {
	return s.tx(ctx, func(tx pgx.Tx) error { return s.saveCheckpoint(ctx, tx, c) })
}

// Checkpoint reads a stream's checkpoint; the zero Checkpoint if there is none.
func (s *Store) Checkpoint(ctx context.Context, stream string) (engine.Checkpoint, error) {
	c := engine.Checkpoint{Stream: stream}
	var watermark, last *time.Time
	var position string
	err := s.pool.QueryRow(ctx, `SELECT watermark, position::text, last_run_at, (`+epochSQL+`) FROM closesync.checkpoints WHERE connection = $1 AND stream = $2`,
		s.id, stream).Scan(&watermark, &position, &last, &c.Epoch)
	if errors.Is(err, pgx.ErrNoRows) {
		return c, nil
	}
	if err != nil {
		return c, err
	}
	c.Watermark, c.LastRun = deref(watermark).UTC(), deref(last).UTC()
	if watermark == nil {
		c.Watermark = time.Time{}
	}
	if last == nil {
		c.LastRun = time.Time{}
	}
	return c, json.Unmarshal([]byte(position), &c.Position)
}
