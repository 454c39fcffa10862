package remote

import (
	"context"
	"errors"
	"strings"

	"closesync/mapping"
	"closesync/sync/closeapi"
	"closesync/sync/engine"
)

// Reference reads Close's catalogue: users, statuses, pipelines and custom
// fields. It makes about nine calls. What the key may not read is left out.
func (r *Remote) Reference(ctx context.Context) (engine.Reference, error) {
	var ref engine.Reference
	for _, part := range []struct {
		name string
		read func(context.Context, *engine.Reference) error
	}{
		{"users", r.users}, {"former users", r.formerUsers}, {"lead statuses", r.leadStatuses},
		{"pipelines", r.pipelines}, {"opportunity statuses", r.opportunityStatuses}, {"custom fields", r.customFields},
	} {
		if err := part.read(ctx, &ref); unreadable(err) {
			r.opt.Logger.WarnContext(ctx, "a part of Close's catalogue is not readable and left out", "part", part.name, "problem", err)
		} else if err != nil {
			return engine.Reference{}, callError(err)
		}
	}
	return ref, nil
}

// unreadable reports whether Close will not tell, rather than being unable to.
func unreadable(err error) bool {
	return errors.Is(err, closeapi.ErrForbidden) || errors.Is(err, closeapi.ErrNotFound)
}

func (r *Remote) users(ctx context.Context, ref *engine.Reference) error {
	r.calls.Add(1)
	users, err := r.client.Users(ctx)
	if err != nil {
		return err
	}
	ref.Users = []engine.User{}
	for _, u := range users {
		ref.Users = append(ref.Users, engine.User{ID: u.ID, Email: u.Email, FirstName: u.FirstName, LastName: u.LastName, Active: true})
	}
	return nil
}

// formerUsers adds those who left and still own records. Not every key may
// read the organization; without it the active ones have to do.
func (r *Remote) formerUsers(ctx context.Context, ref *engine.Reference) error {
	if r.opt.OrganizationID == "" || ref.Users == nil {
		return nil
	}
	r.calls.Add(1)
	org, err := r.client.Organization(ctx, r.opt.OrganizationID)
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
	if err != nil {
		return err
	}
	ref.LeadStatuses = []engine.LeadStatus{}
	for _, s := range statuses {
		ref.LeadStatuses = append(ref.LeadStatuses, engine.LeadStatus{ID: s.ID, Label: s.Label})
	}
	return nil
}

// pipelines gives the statuses their position within their pipeline, from 0.
func (r *Remote) pipelines(ctx context.Context, ref *engine.Reference) error {
	r.calls.Add(1)
	pipelines, err := r.client.Pipelines(ctx)
	if err != nil {
		return err
	}
	ref.Pipelines, ref.Opportunities = []engine.Pipeline{}, []engine.OpportunityStatus{}
	for _, p := range pipelines {
		ref.Pipelines = append(ref.Pipelines, engine.Pipeline{ID: p.ID, Name: p.Name})
		for i, s := range p.Statuses {
			ref.Opportunities = append(ref.Opportunities, engine.OpportunityStatus{
				ID: s.ID, Label: s.Label, Type: s.Kind(), PipelineID: p.ID, Position: i,
			})
		}
	}
	return nil
}

// opportunityStatuses are asked for where the pipelines did not tell them.
func (r *Remote) opportunityStatuses(ctx context.Context, ref *engine.Reference) error {
	if len(ref.Opportunities) > 0 {
		return nil
	}
	r.calls.Add(1)
	statuses, err := r.client.OpportunityStatuses(ctx)
	if err != nil {
		return err
	}
	position := map[string]int{}
	ref.Opportunities = []engine.OpportunityStatus{}
	for _, s := range statuses {
		ref.Opportunities = append(ref.Opportunities, engine.OpportunityStatus{
			ID: s.ID, Label: s.Label, Type: s.Kind(), PipelineID: s.PipelineID, Position: position[s.PipelineID],
		})
		position[s.PipelineID]++
	}
	return nil
}

// customFields reads the definitions per object type. A shared field may be
// listed under the types that use it as well; it is kept once, as shared.
func (r *Remote) customFields(ctx context.Context, ref *engine.Reference) error {
	known := map[string]bool{}
	var refused error
	for _, objectType := range append([]string{"shared"}, mapping.Types()...) {
		r.calls.Add(1)
		defs, err := r.client.CustomFields(ctx, objectType)
		if unreadable(err) {
			ref.Incomplete, refused = true, err
			continue
		}
		if err != nil {
			return err
		}
		if ref.CustomFields == nil {
			ref.CustomFields = []engine.CustomField{}
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
	return refused
}
