package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"closesync/sync/closeapi"
)

func newAdoptCommand(o *options) *cobra.Command {
	var yes bool
	c := &cobra.Command{
		Use: "adopt", Short: "Bind this database anew to the organization of the key", Args: cobra.NoArgs,
		Long: "Bind this database anew to the organization of the key, after a copy of it was made or the key was exchanged for one of " +
			"another organization. If the original still runs, both would then write to Close.",
		RunE: o.deciding(func(ctx context.Context, s *session, _ []string) error {
			for _, m := range s.stores {
				if err := s.adopt(ctx, m, yes); err != nil {
					return err
				}
			}
			return nil
		}),
	}
	c.Flags().BoolVar(&yes, "yes", false, "do not ask")
	return c
}

func (s *session) adopt(ctx context.Context, m member, yes bool) error {
	client, err := s.client(s.cfg, m.Name)
	if err != nil {
		return err
	}
	defer client.CloseIdle()
	org, name, err := organizationOf(ctx, client)
	if err != nil {
		return err
	}
	bound, err := m.Bound(ctx)
	if err != nil {
		return err
	}
	if bound == "" {
		bound = "no organization"
	}
	_, _ = fmt.Fprintf(s.err, "connection %s: this database holds %s, the key belongs to %s (%s).\n", m.Name, bound, org, name)
	if !yes && !s.agrees("Bind it to that organization and to this place?") {
		return errors.New("not adopted; nothing was changed")
	}
	if err := m.Adopt(ctx, org); err != nil {
		return err
	}
	if err := m.NoteAct(ctx, "adopt "+org); err != nil {
		return err
	}
	_, _ = fmt.Fprintf(s.err, "connection %s: adopted\n", m.Name)
	return nil
}

// agrees asks on stderr. No answer is no.
func (o *options) agrees(question string) bool {
	_, _ = fmt.Fprint(o.err, question+" [y/N] ")
	line, _ := bufio.NewReader(o.in).ReadString('\n')
	answer := strings.ToLower(strings.TrimSpace(line))
	return answer == "y" || answer == "yes"
}

func organizationOf(ctx context.Context, client *closeapi.Client) (id, name string, err error) {
	me, err := client.Me(ctx)
	if err != nil {
		return "", "", err
	}
	if len(me.Organizations) == 0 {
		return "", "", errors.New("the key belongs to no organization")
	}
	return me.Organizations[0].ID, me.Organizations[0].Name, nil
}
