package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"closesync/config"
	"closesync/mapping"
	"closesync/sync/closeapi"
	"closesync/sync/store"
)

// askTimeout bounds the question to Close whether the key is good.
const askTimeout = 5 * time.Second

// statusDocument is `status --json` and /api/status.
type statusDocument struct {
	Version     string                   `json:"version"`
	Idle        bool                     `json:"idle"`
	Connections []store.ConnectionStatus `json:"connections"`
}

func document(list []store.ConnectionStatus) statusDocument {
	d := statusDocument{Version: version(), Idle: true, Connections: list}
	for _, c := range list {
		d.Idle = d.Idle && c.Idle
	}
	return d
}

// open reports whether the exit code is 3.
func (d statusDocument) open() bool {
	for _, c := range d.Connections {
		if c.Open() {
			return true
		}
	}
	return false
}

func newStatusCommand(o *options) *cobra.Command {
	var wait time.Duration
	c := &cobra.Command{
		Use: "status", Short: "Show the state of every connection and object", Args: cobra.NoArgs,
		Long: "Show the state of every connection and object. Exits with 3 if records are parked, held, in open conflict or pending.",
	}
	c.Flags().DurationVar(&wait, "wait-idle", 0, "return when nothing is pending, at the latest after this `duration`")
	var end time.Time
	look := o.deciding(func(ctx context.Context, s *session, _ []string) error {
		if left := time.Until(end); !end.IsZero() {
			if o.passing {
				left = min(left, 0) // nothing happens as long as we have the database
			}
			idle, err := s.awaitIdle(ctx, left)
			if err != nil {
				return err
			}
			if !idle && o.passing && time.Now().Before(end) {
				return errNotIdle
			}
		}
		d, err := s.status(ctx)
		if err != nil {
			return err
		}
		if !d.Idle && time.Now().Before(end) {
			return errNotIdle // something came in between the two looks
		}
		if o.json {
			err = printJSON(o, d)
		} else {
			err = s.printStatus(d)
		}
		if err == nil && (d.open() || (!end.IsZero() && !d.Idle)) {
			return &exitError{code: exitOpen}
		}
		return err
	})
	c.RunE = func(c *cobra.Command, args []string) error {
		if c.Flags().Changed("wait-idle") {
			end = time.Now().Add(wait)
		}
		for {
			err := look(c, args)
			// Not idle at the end is said by one more look, which then is the last.
			if !comesYet(err) || (!time.Now().Before(end) && !errors.Is(err, errNotIdle)) {
				return err
			}
			select {
			case <-c.Context().Done():
				return err
			case <-time.After(200 * time.Millisecond):
			}
		}
	}
	return o.jsonFlag(c)
}

// comesYet reports whether a worker that is just being started will mend it,
// given its turn at the database.
func comesYet(err error) bool {
	return errors.Is(err, errNotIdle) || errors.Is(err, errNoSchema) || errors.Is(err, store.ErrNoTable)
}

var errNotIdle = errors.New("not idle")

// awaitIdle returns when every connection is idle or the time is over, which
// is no error: the status that follows tells.
func (s *session) awaitIdle(ctx context.Context, wait time.Duration) (bool, error) {
	end := time.NewTimer(wait)
	defer end.Stop()
	look := time.NewTicker(100 * time.Millisecond)
	defer look.Stop()
	for {
		idle := true
		for _, m := range s.stores {
			one, err := m.Idle(ctx)
			if err == nil {
				one, err = nothingRequested(ctx, s.pool, m.Name, one)
			}
			if err != nil {
				return false, err
			}
			idle = idle && one
		}
		if idle {
			return true, nil
		}
		select {
		case <-ctx.Done():
			return false, ctx.Err()
		case <-end.C:
			return false, nil
		case <-look.C:
		}
	}
}

func (s *session) status(ctx context.Context) (statusDocument, error) {
	list := []store.ConnectionStatus{}
	running := s.askWorker(ctx)
	for _, m := range s.stores {
		one, err := m.Status(ctx, s.ask(ctx, m))
		if err == nil {
			one.Idle, err = nothingRequested(ctx, s.pool, m.Name, one.Idle)
		}
		if err != nil {
			return statusDocument{}, err
		}
		if w, ok := running.named(one); ok {
			one.LagSeconds, one.Rate = w.LagSeconds, w.Rate
			if m.APIKey.IsZero() {
				one.API, one.Webhook.State = w.API, w.Webhook.State
			}
		}
		list = append(list, one)
	}
	return document(list), nil
}

// ask has Close tell whether the key is good and the subscription active.
func (s *session) ask(ctx context.Context, m member) store.StatusInput {
	var in store.StatusInput
	ctx, cancel := context.WithTimeout(ctx, askTimeout)
	defer cancel()
	client, err := s.client(s.cfg, m.Name)
	if err != nil {
		in.API.Error = text("no API key")
		return in
	}
	defer client.CloseIdle()
	me, err := client.Me(ctx)
	if err != nil {
		in.API.Error = text(err.Error())
		return in
	}
	in.API.OK = true
	if len(me.Organizations) > 0 {
		in.OrganizationID = me.Organizations[0].ID
	}
	saved, err := m.LoadWebhook(ctx)
	if err == nil {
		in.Webhook = webhookState(ctx, s.cfg, client, saved)
	}
	in.Rate = rateStates(client.Limits())
	return in
}

func text(s string) *string { return &s }

// webhookState is "unmanaged" for a subscription made by hand; "" where Close
// gives no answer.
func webhookState(ctx context.Context, cfg *config.Config, client *closeapi.Client, saved store.Webhook) string {
	if saved.ID == "" {
		if !cfg.WebhookKey.IsZero() {
			return "unmanaged"
		}
		return "absent"
	}
	w, err := client.Webhooks().Get(ctx, saved.ID)
	switch {
	case isNotFound(err):
		return "absent"
	case err != nil:
		return ""
	case w.Status == "active":
		return "active"
	}
	return "paused"
}

// rateStates writes "GET lead" as contract and people do: "GET /lead/".
func rateStates(limits []closeapi.Limit) []store.RateState {
	var list []store.RateState
	for _, l := range limits {
		method, path, _ := strings.Cut(l.Group, " ")
		list = append(list, store.RateState{Group: method + " /" + path + "/", Limit: l.Limit, Remaining: l.Remaining, ResetsIn: l.ResetsIn.Seconds()})
	}
	return list
}

// pauseText says what an operator has stopped.
func pauseText(p store.PauseStatus) string {
	what := "nothing is written, neither to Close nor to rows"
	switch {
	case !p.FromClose:
		what = "nothing is written to Close (to_close); what comes from Close goes on"
	case !p.ToClose:
		what = "no row is written (from_close); edits made here go on"
	}
	return "paused: " + what + "; `closesync resume` ends it"
}

func (s *session) printStatus(d statusDocument) error {
	for _, c := range d.Connections {
		api := "ok"
		if !c.API.OK {
			api = *c.API.Error
		}
		_, _ = fmt.Fprintf(s.out, "connection %s: Close %s, webhook %s, %d events and %d local changes wait\n",
			c.Name, api, c.Webhook.State, c.InboxPending, c.OutboxPending)
		if c.Paused.ToClose || c.Paused.FromClose {
			_, _ = fmt.Fprintln(s.out, pauseText(c.Paused))
		}
		types := []string{}
		for _, t := range mapping.Types() {
			if _, ok := c.Objects[t]; ok {
				types = append(types, t)
			}
		}
		err := table(s.options, types, []string{"object", "rows", "linked", "pending", "conflicts", "errors", "held", "hidden", "searched to", "compared"},
			func(t string) []any {
				o := c.Objects[t]
				return []any{t, o.LocalRows, o.Linked, o.Pending, o.Conflicts, o.Errors, o.Held, o.Hidden, moment(o.SearchWatermark), moment(o.LastFullCompareAt)}
			})
		if err != nil {
			return err
		}
	}
	return nil
}
