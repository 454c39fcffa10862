package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"closesync/sync/closeapi"
	"closesync/sync/store"
)

func newEraseCommand(o *options) *cobra.Command {
	var yes bool
	c := &cobra.Command{
		Use: "erase ID", Short: "Remove a person or company from Close and from every table", Args: cobra.ExactArgs(1),
		Long: "Delete a record in Close and its row here, and remove every copy that closesync keeps: events, journal, conflicts, what was\n" +
			"sent. A lead takes its contacts and opportunities along. ID is a Close id, a local key, or OBJECT/KEY, as in contact/12.\n" +
			"Not reached: what other records say of a person, the server's logs, backups, and your own tables.",
		Example: "  closesync erase cont_4ZQ…\n  closesync erase --yes contact/12",
		RunE: o.deciding(func(ctx context.Context, s *session, args []string) error {
			return s.erase(ctx, args[0], yes)
		}),
	}
	c.Flags().BoolVar(&yes, "yes", false, "do not ask")
	return c
}

func (s *session) erase(ctx context.Context, id string, yes bool) error {
	found, err := s.lists.Records(ctx, id)
	switch {
	case err != nil:
		return err
	case len(found) == 0:
		return fmt.Errorf("%s: no record of that id is known here", id)
	case len(found) > 1:
		return usageError("%s means several records: name the object too, as in %s/%s, or use the Close id", id, found[0].ObjectType, id)
	}
	r := found[0]
	_, _ = fmt.Fprintf(s.err, "%s %s will be deleted in Close and here, with every copy. This cannot be undone.\n", r.ObjectType, id)
	if !yes && !s.agrees("Erase it?") {
		return errors.New("not erased; nothing was changed")
	}
	for _, m := range s.stores {
		if m.Name == r.Connection {
			return s.eraseRecord(ctx, m, r)
		}
	}
	return usageError("%s belongs to connection %s, which the config does not name", id, r.Connection)
}

// eraseRecord deletes in Close first: while it lives there, it would come back.
func (s *session) eraseRecord(ctx context.Context, m member, r store.RecordItem) error {
	if r.CloseID != nil {
		client, err := s.client(s.cfg, m.Name)
		if err != nil {
			return err
		}
		defer client.CloseIdle()
		if err := s.mayWrite(ctx, m, client); err != nil {
			return err
		}
		if err := client.DeleteRaw(ctx, r.ObjectType, *r.CloseID); err != nil && !errors.Is(err, closeapi.ErrNotFound) {
			return s.refused(fmt.Errorf("not erased: Close did not delete it: %w", err))
		}
	}
	count, err := m.Erase(ctx, r.ID)
	if err != nil {
		return err
	}
	_, _ = fmt.Fprintf(s.err, "erased; %d records went\n", count)
	return nil
}
