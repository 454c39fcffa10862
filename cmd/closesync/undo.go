package main

import (
	"context"
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
			return s.first(func(m *store.Store) error {
				count, err := m.Undo(ctx, id)
				if err == nil {
					_, _ = fmt.Fprintf(o.err, "%d fields have their old values again; the worker carries it to Close\n", count)
				}
				return err
			})
		}),
	}
}
