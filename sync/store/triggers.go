package store

import (
	"context"
	"fmt"
	"strings"

	"github.com/jackc/pgx/v5"

	"closesync/mapping"
)

const (
	captureTrigger  = "closesync_capture"
	truncateTrigger = "closesync_truncate"
)

// EnsureTriggers puts the capture triggers on every mapped table and repairs
// those that were dropped, disabled or made for other columns. It returns the
// object types whose triggers were not in order: changes may have been missed
// there, so that a full compare is owed, in the same transaction. A type that
// only goes from Close is captured as well: local changes must be noticed to
// be put back. The first time it registers the rows that are there.
func (s *Store) EnsureTriggers(ctx context.Context) (repaired []string, err error) {
	for _, objectType := range mapping.Types() {
		t := s.table(objectType)
		if t == nil {
			continue
		}
		ok, err := s.triggersGood(ctx, t)
		if err != nil {
			return nil, fmt.Errorf("store.EnsureTriggers(%s): %w", objectType, err)
		}
		if ok {
			continue
		}
		if err := s.makeTriggers(ctx, t); err != nil {
			if Code(err) == "42501" {
				err = fmt.Errorf("%w: run `closesync migrate up --worker-role %s` as the owner of %s", ErrNotOwner, s.role, t.object.Table)
			}
			return nil, fmt.Errorf("store.EnsureTriggers(%s): %w", objectType, err)
		}
		repaired = append(repaired, objectType)
	}
	return repaired, s.register(ctx)
}

func (s *Store) triggerArgs(t *table) []string {
	args := []string{itoa(int64(s.id)), t.object.Type, s.role, t.object.Key, t.object.CloseID}
	for _, c := range t.all() {
		args = append(args, c.field.Column)
	}
	return args
}

// triggersGood also wants the truncate trigger on every partition: a TRUNCATE of
// one is not seen at the table that it belongs to.
func (s *Store) triggersGood(ctx context.Context, t *table) (bool, error) {
	want := strings.Join(s.triggerArgs(t), "\x00") + "\x00"
	var captured, truncated bool
	err := s.pool.QueryRow(ctx, `SELECT EXISTS (SELECT FROM pg_trigger WHERE tgrelid = to_regclass($1) AND tgenabled = 'A'
			AND tgname = $2 AND tgargs = $3 AND tgqual IS NOT NULL),
		NOT EXISTS (SELECT FROM (SELECT to_regclass($1)::oid UNION SELECT relid FROM pg_partition_tree(to_regclass($1))) AS part(oid)
			WHERE NOT EXISTS (SELECT FROM pg_trigger g WHERE g.tgrelid = part.oid AND g.tgenabled = 'A' AND g.tgname = $4))`,
		t.name, captureTrigger, []byte(want), truncateTrigger).Scan(&captured, &truncated)
	return captured && truncated, err
}

func (s *Store) makeTriggers(ctx context.Context, t *table) error {
	var args []string
	for _, a := range s.triggerArgs(t) {
		args = append(args, literal(a))
	}
	return pgx.BeginFunc(ctx, s.pool, func(tx pgx.Tx) error {
		for _, sql := range []string{
			fmt.Sprintf("CREATE OR REPLACE TRIGGER %s AFTER INSERT OR UPDATE OR DELETE ON %s FOR EACH ROW WHEN (NOT (session_user = %s AND current_setting('closesync.origin', true) IS NOT DISTINCT FROM %s)) EXECUTE FUNCTION closesync.capture(%s)",
				captureTrigger, t.name, literal(s.role), literal("worker:"+s.role), strings.Join(args, ", ")),
			fmt.Sprintf("ALTER TABLE %s ENABLE ALWAYS TRIGGER %s", t.name, captureTrigger),
		} {
			if _, err := tx.Exec(ctx, sql); err != nil {
				return err
			}
		}
		if err := s.makeTruncateTriggers(ctx, tx, t); err != nil {
			return err
		}
		return s.owe(ctx, tx, []string{t.object.Type})
	})
}

// makeTruncateTriggers makes one on the table and on each of its partitions.
func (s *Store) makeTruncateTriggers(ctx context.Context, tx pgx.Tx, t *table) error {
	rows, err := tx.Query(ctx, `SELECT n.nspname, c.relname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
		WHERE c.oid = to_regclass($1) OR c.oid IN (SELECT relid FROM pg_partition_tree(to_regclass($1))) ORDER BY 1, 2`, t.name)
	if err != nil {
		return err
	}
	parts, err := pgx.CollectRows(rows, pgx.RowToStructByPos[mapping.Table])
	if err != nil {
		return err
	}
	for _, part := range parts {
		name := quote(part.Schema, part.Name)
		if _, err := tx.Exec(ctx, fmt.Sprintf("CREATE OR REPLACE TRIGGER %s AFTER TRUNCATE ON %s FOR EACH STATEMENT EXECUTE FUNCTION closesync.capture_truncate(%s, %s)",
			truncateTrigger, name, literal(itoa(int64(s.id))), literal(t.object.Type))); err != nil {
			return err
		}
		if _, err := tx.Exec(ctx, fmt.Sprintf("ALTER TABLE %s ENABLE ALWAYS TRIGGER %s", name, truncateTrigger)); err != nil {
			return err
		}
	}
	return nil
}
