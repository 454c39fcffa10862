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
	return insist(ctx, func() error { return s.saveCheckpoint(ctx, s.pool, c) })
}

// Checkpoint reads a stream's checkpoint; the zero Checkpoint if there is none.
func (s *Store) Checkpoint(ctx context.Context, stream string) (engine.Checkpoint, error) {
	c := engine.Checkpoint{Stream: stream}
	var r checkpointRow
	err := s.pool.QueryRow(ctx, `SELECT `+checkpointColumns+` FROM closesync.checkpoints c WHERE connection = $1 AND stream = $2`, s.id, stream).Scan(r.fields()...)
	if errors.Is(err, pgx.ErrNoRows) {
		return c, nil
	}
	if err != nil {
		return c, err
	}
	return c, r.into(&c)
}

const checkpointColumns = `c.watermark, c.position::text, c.last_run_at, (` + epochSQL + `)`

type checkpointRow struct {
	watermark, last *time.Time
	position        string
	epoch           string
}

func (r *checkpointRow) fields() []any { return []any{&r.watermark, &r.position, &r.last, &r.epoch} }

func (r *checkpointRow) into(c *engine.Checkpoint) error {
	c.Epoch = r.epoch
	if r.watermark != nil {
		c.Watermark = r.watermark.UTC()
	}
	if r.last != nil {
		c.LastRun = r.last.UTC()
	}
	return json.Unmarshal([]byte(r.position), &c.Position)
}

// Standing is all that a search of a type needs to know before it asks Close.
func (s *Store) Standing(ctx context.Context, objectType string) (engine.Standing, error) {
	st := engine.Standing{Checkpoint: engine.Checkpoint{Stream: engine.SearchStream(objectType)}}
	var r checkpointRow
	err := s.pool.QueryRow(ctx, `SELECT `+checkpointColumns+`, n.pause_from_close,
		       $3 AND EXISTS (SELECT FROM closesync.first_loads WHERE connection = $1 AND object_type = $4 AND loaded_at IS NOT NULL)
		FROM closesync.checkpoints c JOIN closesync.connections n ON n.id = c.connection WHERE c.connection = $1 AND c.stream = $2`,
		s.id, st.Stream, s.table(objectType) != nil, objectType).Scan(append(r.fields(), &st.Paused, &st.Loaded)...)
	if errors.Is(err, pgx.ErrNoRows) {
		return st, nil
	}
	if err != nil {
		return st, fmt.Errorf("store.Standing(%s): %w", objectType, err)
	}
	return st, r.into(&st.Checkpoint)
}
