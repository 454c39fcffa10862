package remote

import (
	"context"
	"errors"
	"strings"

	"closesync/sync/closeapi"
	"closesync/sync/engine"
)

// Reference reads Close's catalogue: users, statuses, pipelines and custom
// fields. It makes about eight calls.
func (r *Remote) Reference(ctx context.Context) (engine.Reference, error) {
	var ref engine.Reference
	for _, read := range []func(context.Context, *engine.Reference) error{
		r.users, r.formerUsers, r.leadStatuses, r.pipelines, r.customFields,
	} {
		if err := read(ctx, &ref); err != nil {
			return engine.Reference{}, callError(err)
		}
	}
	return ref, nil
}

func (r *Remote) users(ctx context.Context, ref *engine.Reference) error {
	r.calls.Add(1)
	users, err := r.client.Users(ctx)
	for _, u := range users {
		ref.Users = append(ref.Users, engine.User{ID: u.ID, Email: u.Email, FirstName: u.FirstName, LastName: u.LastName, Active: true})
	}
	return err
}

// formerUsers adds those who left and still own records. Not every key may
// read the organization; without it the active ones have to do.
func (r *Remote) formerUsers(ctx context.Context, ref *engine.Reference) error {
	if r.opt.OrganizationID == "" {
		return nil
	}
	r.calls.Add(1)
	org, err := r.client.Organization(ctx, r.opt.OrganizationID)
	if errors.Is(err, closeapi.ErrForbidden) || errors.Is(err, closeapi.ErrNotFound) {
		r.opt.Logger.WarnContext(ctx, "the organization is not readable, former users are left out")
		return nil
	}
	if err != nil {
		return err
	}
	known := map[string]bool{}
	for _, u := range ref.Users {
		known[u.ID] = true
	}
	for _, m := range org.InactiveMemberships {
		if m.UserID == "" || known[m.UserID] {
			continue
		}
		known[m.UserID] = true
		first, last, _ := strings.Cut(m.UserFullName, " ")
		ref.Users = append(ref.Users, engine.User{ID: m.UserID, Email: m.UserEmail, FirstName: first, LastName: last})
	}
	return nil
}

func (r *Remote) leadStatuses(ctx context.Context, ref *engine.Reference) error {
	r.calls.Add(1)
	statuses, err := r.client.LeadStatuses(ctx)
	for _, s := range statuses {
		ref.LeadStatuses = append(ref.LeadStatuses, engine.LeadStatus{ID: s.ID, Label: s.Label})
	}
	return err
}

// pipelines gives the statuses their position within their pipeline, from 0.
func (r *Remote) pipelines(ctx context.Context, ref *engine.Reference) error {
	r.calls.Add(1)
	pipelines, err := r.client.Pipelines(ctx)
	for _, p := range pipelines {
		ref.Pipelines = append(ref.Pipelines, engine.Pipeline{ID: p.ID, Name: p.Name})
		for i, s := range p.Statuses {
			ref.Opportunities = append(ref.Opportunities, engine.OpportunityStatus{
				ID: s.ID, Label: s.Label, Type: s.Kind(), PipelineID: p.ID, Position: i,
			})
		}
	}
	return err
}

// customFields reads the definitions per object type. A shared field may be
// listed under the types that use it as well; it is kept once, as shared.
func (r *Remote) customFields(ctx context.Context, ref *engine.Reference) error {
	known := map[string]bool{}
	for _, objectType := range []string{"shared", "lead", "contact", "opportunity"} {
		r.calls.Add(1)
		defs, err := r.client.CustomFields(ctx, objectType)
		if err != nil {
			return err
		}
		for _, d := range defs {
			if known[d.ID] {
				continue
			}
			known[d.ID] = true
			ref.CustomFields = append(ref.CustomFields, engine.CustomField{
				ID: d.ID, ObjectType: objectType, Name: d.Name, Type: d.Type, Choices: d.Choices,
				Multiple: d.AcceptsMultipleValues, Converting: d.ConvertingToType != nil && *d.ConvertingToType != "",
			})
		}
	}
	return nil
}
