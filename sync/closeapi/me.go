package closeapi

import (
	"context"
	"net/http"
	"slices"
)

// Me is the user a key acts as.
type Me struct {
	ID            string         `json:"id"`
	Email         string         `json:"email"`
	FirstName     string         `json:"first_name"`
	LastName      string         `json:"last_name"`
	Organizations []Organization `json:"organizations"`
	Memberships   []Membership   `json:"memberships"`
	Extra         Extra          `json:",embed"`
}

// Membership ties a user to an organization.
type Membership struct {
	ID                 string   `json:"id,omitzero"`
	UserID             string   `json:"user_id"`
	OrganizationID     string   `json:"organization_id,omitzero"`
	RoleID             string   `json:"role_id,omitzero"`
	PermissionsGranted []string `json:"permissions_granted,omitzero"`
	UserEmail          string   `json:"user_email,omitzero"`
	UserFullName       string   `json:"user_full_name,omitzero"`
	Extra              Extra    `json:",embed"`
}

// May tells whether the membership grants a permission such as
// "view_all_leads", without which leads that exist seem to be missing.
func (m Membership) May(permission string) bool {
	return slices.Contains(m.PermissionsGranted, permission)
}

// Me reads the key's own user: the way to test a key. [ErrUnauthorized] means
// it is wrong.
// Source: developer.close.com/api/resources/users/me.
func (c *Client) Me(ctx context.Context) (*Me, error) {
	return get[Me](ctx, c, "me/", nil)
}

// MeRaw is Me as JSON.
// Source: developer.close.com/api/resources/users/me.
func (c *Client) MeRaw(ctx context.Context) (RawMessage, error) {
	return c.object(ctx, http.MethodGet, "me/", nil, nil)
}
