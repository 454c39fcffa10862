package store

import (
	"context"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5"
)

// RowNotes are what only a look at the row of a record tells.
type RowNotes struct {
	Exists bool `json:"exists"`
	// Unknown are the keys of the custom column that hold something and that are
	// not among Close's custom fields: they stay here and are not sent.
	Unknown []string `json:"unknown_custom_fields"`
}

// LookAtRow looks at a row without locking it. A type that is not mapped has
// none.
func (s *Store) LookAtRow(ctx context.Context, objectType, localKey string) (n RowNotes, err error) {
	t := s.table(objectType)
	if t == nil {
		return n, nil
	}
	unknown := "'{}'::text[]"
	if t.custom != nil {
		unknown = fmt.Sprintf(`(SELECT coalesce(array_agg(c.key ORDER BY c.key), '{}')
			FROM jsonb_each_text(CASE jsonb_typeof(t.%[1]s::jsonb) WHEN 'object' THEN t.%[1]s::jsonb END) c
			WHERE c.value NOT IN ('', '[]', '{}') AND NOT EXISTS (SELECT FROM crm.custom_fields f WHERE f.close_id = c.key))`, t.custom.name)
	}
	err = s.pool.QueryRow(ctx, fmt.Sprintf("SELECT true, %s FROM %s t WHERE t.%s = $1::text::%s", unknown, t.name, t.key, t.keyCast), localKey).Scan(&n.Exists, &n.Unknown)
	if errors.Is(err, pgx.ErrNoRows) {
		return n, nil
	}
	if err != nil {
		return n, fmt.Errorf("store.LookAtRow(%s): %w", objectType, err)
	}
	return n, nil
}
