package closeapi

import (
	"context"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// ListOptions select a page of an offset list. Close ignores parameters it
// does not know without an error, so only those that exist are offered.
// Source: developer.close.com/api/overview/pagination.
type ListOptions struct {
	Skip   int // capped by Close per resource; over it is [ErrSkipTooLarge]
	Limit  int // zero means Close's default of 100
	LeadID string
	Fields []string // zero means Close's default set
}

func (o ListOptions) query() url.Values {
	q := url.Values{}
	setInt(q, "_skip", o.Skip)
	setInt(q, "_limit", o.Limit)
	setText(q, "lead_id", o.LeadID)
	setText(q, "_fields", strings.Join(o.Fields, ","))
	return q
}

// Span restricts a timestamp. Zero times mean no bound; all are sent in UTC.
type Span struct{ After, From, To, Before time.Time } // >, >=, <=, <

func (s Span) set(q url.Values, field string) {
	setTime(q, field+"__gt", s.After)
	setTime(q, field+"__gte", s.From)
	setTime(q, field+"__lte", s.To)
	setTime(q, field+"__lt", s.Before)
}

// OpportunityListOptions are the filters of the opportunity list, the one
// list that can be read by change time.
// Source: developer.close.com/api/resources/opportunities/list and Close's
// OpenAPI of 2026.
type OpportunityListOptions struct {
	ListOptions
	OrganizationID string
	UserIDs        []string
	StatusIDs      []string
	StatusLabels   []string
	StatusTypes    []string // active, won, lost
	ValuePeriods   []string // one_time, monthly, annual
	SavedSearchID  string   // only of leads that this Smart View lists
	Query          string   // only of leads that this text query lists (deprecated by Close)
	Stalled        *bool
	Created        Span
	Updated        Span
	Won            Span   // whole days
	OrderBy        string // date_created, date_updated, date_won, confidence, value, ...; "-" in front descends
}

func (o OpportunityListOptions) query() url.Values {
	q := o.ListOptions.query()
	setText(q, "organization_id", o.OrganizationID)
	setText(q, "user_id__in", strings.Join(o.UserIDs, ","))
	setText(q, "status_id__in", strings.Join(o.StatusIDs, ","))
	setText(q, "status_label__in", strings.Join(o.StatusLabels, ","))
	setText(q, "status_type__in", strings.Join(o.StatusTypes, ","))
	setText(q, "value_period__in", strings.Join(o.ValuePeriods, ","))
	setText(q, "lead_saved_search_id", o.SavedSearchID)
	setText(q, "query", o.Query)
	if o.Stalled != nil {
		setText(q, "is_stalled", strconv.FormatBool(*o.Stalled))
	}
	o.Created.set(q, "date_created")
	o.Updated.set(q, "date_updated")
	o.Won.set(q, "date_won")
	setText(q, "_order_by", o.OrderBy)
	return q
}

// ListLeads fetches one page of leads. LeadID is ignored by Close here. The
// default order moves while people work (recorded once, inferred), so a walk
// by Skip can miss and repeat leads; prefer a search walk.
// Source: developer.close.com/api/resources/leads/list.
func (c *Client) ListLeads(ctx context.Context, o ListOptions) (*Page, error) {
	return c.page(ctx, "lead/", o.query())
}

// ListContacts fetches one page of contacts, of one lead or of all.
// Source: developer.close.com/api/resources/contacts/list.
func (c *Client) ListContacts(ctx context.Context, o ListOptions) (*Page, error) {
	return c.page(ctx, "contact/", o.query())
}

// ListOpportunities fetches one page of opportunities.
// Source: developer.close.com/api/resources/opportunities/list.
func (c *Client) ListOpportunities(ctx context.Context, o OpportunityListOptions) (*Page, error) {
	return c.page(ctx, "opportunity/", o.query())
}

func setInt(q url.Values, name string, n int) {
	if n != 0 {
		q.Set(name, strconv.Itoa(n))
	}
}

func setText(q url.Values, name, s string) {
	if s != "" {
		q.Set(name, s)
	}
}

// setTime writes Z: a raw "+00:00" in a query would arrive as a space.
func setTime(q url.Values, name string, t time.Time) {
	if !t.IsZero() {
		q.Set(name, t.UTC().Format("2006-01-02T15:04:05.999999Z07:00"))
	}
}
