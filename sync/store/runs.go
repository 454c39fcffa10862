package store

import "context"

// StartRun notes that a load, search or audit began.
func (s *Store) StartRun(ctx context.Context, kind, objectType string) (id int64, err error) {
	err = s.pool.QueryRow(ctx, `INSERT INTO closesync.run_log (connection, kind, object_type) VALUES ($1, $2, $3) RETURNING id`, s.id, kind, some(objectType)).Scan(&id)
	return id, err
}

// FinishRun notes how it ended.
func (s *Store) FinishRun(ctx context.Context, id int64, seen, changed, requests int64, problem error) error {
	state, text := "done", ""
	if problem != nil {
		state, text = "failed", problem.Error()
	}
	_, err := s.pool.Exec(ctx, `UPDATE closesync.run_log SET finished_at = closesync.clock(), state = $2, seen = $3, changed = $4, requests = $5, error = $6 WHERE id = $1`,
		id, state, seen, changed, requests, some(text))
	return err
}
