package store

import (
	"context"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5"
)

// Bind ties the connection to an organization and to this database the first
// time, and afterwards checks that both are still the same (faults A38, C6).
// ErrForeign means that nothing may be written on either side, and so does
// ErrMoved. It is called before anything is read or written for the connection.
func (s *Store) Bind(ctx context.Context, organizationID string) error {
	_, err := s.pool.Exec(ctx, `
		UPDATE closesync.connections SET organization_id = coalesce(organization_id, $2),
		    system_identifier = coalesce(system_identifier, (SELECT system_identifier::text FROM pg_control_system())),
		    database_name = coalesce(database_name, current_database()), bound_at = coalesce(bound_at, closesync.clock())
		WHERE id = $1 AND bound_at IS NULL`, s.id, organizationID)
	if err != nil {
		return fmt.Errorf("store.Bind: %w", err)
	}
	if err := s.CheckBinding(ctx, organizationID); err != nil {
		return err
	}
	if err := s.meetMapping(ctx); err != nil {
		return fmt.Errorf("store.Bind: %w", err)
	}
	return s.noteKey(ctx, organizationID)
}

// keyPurpose binds a seal to what it says: whose the key is.
const keyPurpose = "organization of the API key"

// noteKey seals the organization under the key that belongs to it.
func (s *Store) noteKey(ctx context.Context, organizationID string) error {
	if s.sealer == nil {
		return nil
	}
	var before string
	if err := s.pool.QueryRow(ctx, `SELECT coalesce(key_seal, '') FROM closesync.connections WHERE id = $1`, s.id).Scan(&before); err != nil {
		return fmt.Errorf("store.Bind: %w", err)
	}
	if opens(s.sealer, before, organizationID) {
		return nil
	}
	sealed, err := s.sealer.Seal(organizationID, keyPurpose)
	if err == nil {
		_, err = s.pool.Exec(ctx, `UPDATE closesync.connections SET key_seal = $2 WHERE id = $1`, s.id, sealed)
	}
	if err != nil {
		return fmt.Errorf("store.Bind: %w", err)
	}
	return nil
}

func opens(sealer Sealer, sealed, organizationID string) bool {
	if sealed == "" || sealer == nil {
		return false
	}
	text, err := sealer.Open(sealed, keyPurpose)
	return err == nil && text == organizationID
}

// BoundTo tells which organization a connection of the database holds, "" for
// none, and whether the key of the sealer is known to belong to it.
func BoundTo(ctx context.Context, q Querier, connection string, sealer Sealer) (organizationID string, known bool, err error) {
	var sealed string
	err = q.QueryRow(ctx, `SELECT coalesce(organization_id, ''), coalesce(key_seal, '') FROM closesync.connections WHERE name = $1 AND bound_at IS NOT NULL`,
		connection).Scan(&organizationID, &sealed)
	switch {
	case errors.Is(err, pgx.ErrNoRows) || Code(err) == "42P01" || Code(err) == "3F000":
		return "", false, nil
	case err != nil:
		return "", false, fmt.Errorf("store.BoundTo: %w", err)
	}
	return organizationID, opens(sealer, sealed, organizationID), nil
}

// CheckBinding is Bind of what is bound; it writes nothing.
func (s *Store) CheckBinding(ctx context.Context, organizationID string) error {
	var org, system, database, nowSystem, nowDatabase *string
	err := s.pool.QueryRow(ctx, `
		SELECT organization_id, system_identifier, database_name, (SELECT system_identifier::text FROM pg_control_system()), current_database()
		FROM closesync.connections WHERE id = $1 AND bound_at IS NOT NULL`, s.id).Scan(&org, &system, &database, &nowSystem, &nowDatabase)
	if errors.Is(err, pgx.ErrNoRows) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("store.Bind: %w", err)
	}
	if deref(org) != organizationID {
		return fmt.Errorf("%w: it holds organization %s, the key belongs to %s; use that organization's key or another database", ErrForeign, deref(org), organizationID)
	}
	if deref(system) != deref(nowSystem) || deref(database) != deref(nowDatabase) {
		return fmt.Errorf("%w: it is a copy of the database that was bound; run `closesync adopt` if this copy shall take over", ErrForeign)
	}
	return nil
}

// Adopt binds the connection anew to this organization and database. An
// operator asks for it, nothing else does.
func (s *Store) Adopt(ctx context.Context, organizationID string) error {
	_, err := s.pool.Exec(ctx, `UPDATE closesync.connections SET organization_id = $2, bound_at = closesync.clock(),
		system_identifier = (SELECT system_identifier::text FROM pg_control_system()), database_name = current_database() WHERE id = $1`, s.id, organizationID)
	return err
}

// Bound tells which organization the connection holds; "" for none.
func (s *Store) Bound(ctx context.Context) (string, error) {
	var org *string
	err := s.pool.QueryRow(ctx, `SELECT organization_id FROM closesync.connections WHERE id = $1`, s.id).Scan(&org)
	return deref(org), err
}
