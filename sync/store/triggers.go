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

func (s *Store) triggersGood(ctx context.Context, t *table) (bool, error) {
	want := strings.Join(s.triggerArgs(t), "\x00") + "\x00"
	var good int
	err := s.pool.QueryRow(ctx, `SELECT count(*) FROM pg_trigger WHERE tgrelid = to_regclass($1) AND tgenabled = 'A'
		AND ((tgname = $2 AND tgargs = $3 AND tgqual IS NOT NULL) OR tgname = $4)`, t.name, captureTrigger, []byte(want), truncateTrigger).Scan(&good)
	return good == 2, err
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
			fmt.Sprintf("CREATE OR REPLACE TRIGGER %s AFTER TRUNCATE ON %s FOR EACH STATEMENT EXECUTE FUNCTION closesync.capture_truncate(%s)",
				truncateTrigger, t.name, strings.Join(args[:2], ", ")),
			fmt.Sprintf("ALTER TABLE %s ENABLE ALWAYS TRIGGER %s", t.name, captureTrigger),
			fmt.Sprintf("ALTER TABLE %s ENABLE ALWAYS TRIGGER %s", t.name, truncateTrigger),
		} {
			if _, err := tx.Exec(ctx, sql); err != nil {
				return err
			}
		}
		return s.owe(ctx, tx, []string{t.object.Type})
	})
}
