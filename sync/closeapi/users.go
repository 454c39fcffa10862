package closeapi

import "context"

// User is a member of the organization.
type User struct {
	ID            string   `json:"id"`
	Email         string   `json:"email"`
	FirstName     string   `json:"first_name"`
	LastName      string   `json:"last_name"`
	Organizations []string `json:"organizations,omitzero"` // ids
	DateCreated   Time     `json:"date_created,omitzero"`
	DateUpdated   Time     `json:"date_updated,omitzero"`
	Extra         Extra    `json:",embed"`
}

// Users lists the members, active ones only as far as known; former ones are
// in [Organization].InactiveMemberships.
// Source: developer.close.com/api/resources/users/list.
func (c *Client) Users(ctx context.Context) ([]User, error) { return whole[User](ctx, c, "user/") }
