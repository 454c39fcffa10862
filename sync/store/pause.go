package store

import "context"

// Pauses tells which directions an operator has stopped.
func (s *Store) Pauses(ctx context.Context) (toClose, fromClose bool, err error) {
	err = s.pool.QueryRow(ctx, `SELECT pause_to_close, pause_from_close FROM closesync.connections WHERE id = $1`, s.id).Scan(&toClose, &fromClose)
	return toClose, fromClose, err
}
