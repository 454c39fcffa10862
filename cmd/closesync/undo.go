package main

import (
	"context"
	"errors"
	"fmt"
	"strconv"

	"github.com/spf13/cobra"

	"closesync/sync/store"
)

func newUndoCommand(o *options) *cobra.Command {
	return &cobra.Command{
		Use: "undo JOURNAL_ID", Short: "Take back a change of the journal on both sides", Args: cobra.ExactArgs(1),
		Long: "Take back a change of the journal, with everything that went to Close in the same call. The old values are written into the\n" +
			"row and go to Close like any local edit, under the same guards. A field that was changed again since is not overwritten.\n" +
			"`closesync history ID` shows the journal of a record.",
		Example: "  closesync history lead_7Fq…\n  closesync undo 4711",
		RunE: o.deciding(func(ctx context.Context, s *session, args []string) error {
			id, err := strconv.ParseInt(args[0], 10, 64)
			if err != nil {
				return usageError("%q is no id of the journal; `closesync history ID` shows them", args[0])
			}
			return s.undo(ctx, id)
		}),
	}
}

// undo looks for the journal's line in each connection. It changes a row, so
// the key must be one of the organization whose rows these are.
func (s *session) undo(ctx context.Context, id int64) error {
	err := fmt.Errorf("no connection: %w", store.ErrNotFound)
	for _, m := range s.stores {
		if err := s.permitted(ctx, m); err != nil {
			return err
		}
		var count int
		if count, err = m.Undo(ctx, id); err == nil {
			_, _ = fmt.Fprintf(s.err, "%d fields have their old values again; the worker carries it to Close\n", count)
		}
		if !errors.Is(err, store.ErrNotFound) {
			return err
		}
	}
	return err
}

// permitted is mayWrite with a client of its own.
func (s *session) permitted(ctx context.Context, m member) error {
	client, err := s.client(s.cfg, m.Name)
	if err != nil {
		return err
	}
	defer client.CloseIdle()
	return s.mayWrite(ctx, m, client)
}
