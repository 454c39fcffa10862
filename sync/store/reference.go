package store

import (
	"context"

	"github.com/jackc/pgx/v5"

	"closesync/sync/engine"
)

// SaveReference mirrors Close's catalogue into the reference tables; what is
// no longer there goes, what is the same is not written, and what could not be
// read stays.
func (s *Store) SaveReference(ctx context.Context, r engine.Reference) error {
	return s.tx(ctx, func(tx pgx.Tx) error {
		if err := mirror(ctx, tx, "users", true, []string{"email", "first_name", "last_name", "active"}, r.Users, func(u engine.User) []any {
			return []any{u.ID, u.Email, u.FirstName, u.LastName, u.Active}
		}); err != nil {
			return err
		}
		if err := mirror(ctx, tx, "lead_statuses", true, []string{"label"}, r.LeadStatuses, func(l engine.LeadStatus) []any { return []any{l.ID, l.Label} }); err != nil {
			return err
		}
		if err := mirror(ctx, tx, "pipelines", true, []string{"name"}, r.Pipelines, func(p engine.Pipeline) []any { return []any{p.ID, p.Name} }); err != nil {
			return err
		}
		if err := mirror(ctx, tx, "opportunity_statuses", true, []string{"label", "type", "pipeline_id", "position"}, r.Opportunities, func(o engine.OpportunityStatus) []any {
			return []any{o.ID, o.Label, o.Type, o.PipelineID, o.Position}
		}); err != nil {
			return err
		}
		return mirror(ctx, tx, "custom_fields", !r.Incomplete, []string{"object_type", "name", "type", "multiple", "choices"}, r.CustomFields, func(c engine.CustomField) []any {
			return []any{c.ID, c.ObjectType, c.Name, c.Type, c.Multiple, c.Choices}
		})
	})
}

// mirror makes a table hold a list. whole says that nothing is missing in it, so
// that what is not there has to go.
func mirror[T any](ctx context.Context, tx pgx.Tx, name string, whole bool, columns []string, list []T, values func(T) []any) error {
	if list == nil {
		return nil
	}
	set, params, differ, target := "", "$1", "", quote("crm", name)
	for i, c := range columns {
		if i > 0 {
			set += ", "
			differ += " OR "
		}
		set += quote(c) + " = excluded." + quote(c)
		differ += "t." + quote(c) + " IS DISTINCT FROM excluded." + quote(c)
		params += ", $" + itoa(int64(i+2))
	}
	names := quote("close_id")
	for _, c := range columns {
		names += ", " + quote(c)
	}
	ids := make([]string, 0, len(list))
	for _, item := range list {
		v := values(item)
		ids = append(ids, v[0].(string))
		if _, err := tx.Exec(ctx, "INSERT INTO "+target+" AS t ("+names+") VALUES ("+params+") ON CONFLICT (close_id) DO UPDATE SET "+set+" WHERE "+differ, v...); err != nil {
			return err
		}
	}
	if !whole {
		return nil
	}
	_, err := tx.Exec(ctx, "DELETE FROM "+target+" WHERE close_id <> ALL ($1)", ids)
	return err
}
