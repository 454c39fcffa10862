package closeapi

import (
	"context"
	"iter"
	"net/url"
)

// Task is something to do for a lead.
// Source: developer.close.com/api/resources/tasks.
type Task struct {
	ID          string  `json:"id"`
	Type        string  `json:"_type,omitzero"`
	LeadID      *string `json:"lead_id"`
	ContactID   *string `json:"contact_id"`
	AssignedTo  *string `json:"assigned_to"`
	Text        *string `json:"text"`
	Date        *string `json:"date"`
	DueDate     *string `json:"due_date"`
	IsComplete  bool    `json:"is_complete"`
	DateCreated Time    `json:"date_created,omitzero"`
	DateUpdated Time    `json:"date_updated,omitzero"`
	Extra       Extra   `json:",embed"`
}

// TaskFields are what a task may be created with.
type TaskFields struct {
	Text       string `json:"text,omitzero"`
	Date       string `json:"date,omitzero"` // 2026-11-03
	AssignedTo string `json:"assigned_to,omitzero"`
	IsComplete bool   `json:"is_complete,omitzero"`
}

// TaskService reads and writes tasks.
type TaskService struct{ c *Client }

// Tasks returns the service of tasks.
func (c *Client) Tasks() TaskService { return TaskService{c} }

// Get reads one task.
// Source: developer.close.com/api/resources/tasks/retrieve.
func (s TaskService) Get(ctx context.Context, id string, fields ...string) (*Task, error) {
	return getRecord[Task](ctx, s.c, "task", id, fields)
}

// Create makes a task of a lead; an empty lead id is [ErrNoLead].
// Source: developer.close.com/api/resources/tasks/create.
func (s TaskService) Create(ctx context.Context, leadID string, f TaskFields) (*Task, error) {
	return create[Task](ctx, s.c, "task", struct {
		Type   string `json:"_type"`
		LeadID string `json:"lead_id"`
		TaskFields
	}{"lead", leadID, f})
}

// Update changes the named fields.
// Source: developer.close.com/api/resources/tasks/update.
func (s TaskService) Update(ctx context.Context, id string, ch Changes) (*Task, error) {
	return update[Task](ctx, s.c, "task", id, ch)
}

// Delete removes a task.
// Source: developer.close.com/api/resources/tasks/delete.
func (s TaskService) Delete(ctx context.Context, id string) error {
	return s.c.DeleteRaw(ctx, "task", id)
}

// All walks the tasks of one lead, or of all if leadID is empty. Types is
// "all" or a type; empty means Close's default, "lead" only.
// Source: developer.close.com/api/resources/tasks/list.
func (s TaskService) All(ctx context.Context, leadID, types string) iter.Seq2[*Task, error] {
	q := url.Values{"_limit": {"200"}}
	setText(q, "lead_id", leadID)
	setText(q, "_type", types)
	return all[Task](ctx, s.c, "task/", q)
}
