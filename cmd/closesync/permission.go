package main

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"closesync/sync/closeapi"
)

// askEvery is how often Close is asked anew about a connection that may not
// write.
const askEvery = 5 * time.Second

// permission says whose the key of a connection is, and why nothing may be
// written with it now. Its zero value allows everything. The lock is never held
// during a call to Close: webhooks and /readyz only look.
type permission struct {
	mu           sync.Mutex
	organization string
	blocked      error // nil when all is well
	asking       bool
	asked        time.Time
}

func (p *permission) of() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.organization
}

// reason is why nothing may be written, as far as is known.
func (p *permission) reason() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.blocked
}

// due tells the caller to ask again and then to call decide, which nobody else
// does meanwhile.
func (p *permission) due() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.blocked == nil || p.asking || time.Since(p.asked) <= askEvery {
		return false
	}
	p.asking = true
	return true
}

// decide takes what asking found; "" leaves the organization that is known.
func (p *permission) decide(organization string, blocked error) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if organization != "" {
		p.organization = organization
	}
	p.blocked, p.asking, p.asked = blocked, false, time.Now()
	return blocked
}

// allowed says why nothing may be written; a binding that was refused is
// looked at again now and then, so that `adopt` needs no restart. Whoever comes
// while another asks gets the last answer.
func (c *conn) allowed(ctx context.Context) error {
	if !c.permission.due() {
		return c.permission.reason()
	}
	me, err := c.client.Me(ctx)
	if err != nil {
		return c.permission.decide("", introduction(c.name, err))
	}
	organization, all := identify(me)
	c.remote.SetCanSeeAll(all)
	return c.permission.decide(organization, c.store.Bind(ctx, organization))
}

// introduce asks Close whose this key is. If Close does not answer and the
// database is bound already, the connection starts blocked: webhooks are
// accepted, and the rest goes on once Close answers.
func (c *conn) introduce(ctx context.Context) (seesAll bool, err error) {
	me, err := c.client.Me(ctx)
	if err == nil {
		organization, all := identify(me)
		return all, c.permission.decide(organization, nil)
	}
	err = introduction(c.name, err)
	bound, berr := c.store.Bound(ctx)
	if berr != nil || bound == "" {
		return false, errors.Join(err, berr)
	}
	_ = c.permission.decide(bound, err)
	return false, nil
}

func introduction(name string, err error) error {
	if errors.Is(err, closeapi.ErrUnauthorized) {
		return fmt.Errorf("close refuses the API key of connection %s: make a new one under Settings, Developer, API Keys", name)
	}
	return fmt.Errorf("close does not answer: %w", err)
}

// identify gives the organization of the key and whether it sees every lead.
func identify(me *closeapi.Me) (organization string, seesAll bool) {
	if len(me.Organizations) > 0 {
		organization = me.Organizations[0].ID
	}
	seesAll = true // unless Close says which permissions there are
	for _, m := range me.Memberships {
		if organization != "" && m.OrganizationID != organization {
			continue
		}
		organization = m.OrganizationID
		if m.RoleID != "" || m.PermissionsGranted != nil {
			seesAll = m.RoleID == "admin" || m.May("view_all_leads")
		}
	}
	return organization, seesAll
}
