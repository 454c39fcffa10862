package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"closesync/sync/closeapi"
	"closesync/sync/store"
)

func isNotFound(err error) bool { return errors.Is(err, closeapi.ErrNotFound) }

func newErrorsCommand(o *options) *cobra.Command {
	var limit int
	list := o.jsonFlag(&cobra.Command{
		Use: "list", Short: "List parked records", Args: cobra.NoArgs,
		RunE: o.reading(func(ctx context.Context, s *session, _ []string) error {
			found, err := s.lists.Errors(ctx, limit)
			if err != nil {
				return err
			}
			return show(o, found, []string{"id", "connection", "object", "Close id", "key", "class", "why", "tries", "last"}, func(e store.ErrorItem) []any {
				return []any{e.ID, e.Connection, e.ObjectType, optional(e.CloseID), optional(e.LocalKey), optional(e.ErrorClass),
					brief(str(e.LastError)+refusedFields(e.Fields), 80), e.Attempts, moment(e.LastSyncedAt)}
			})
		}),
	})
	limitFlag(list, &limit)
	return group("errors", "Parked records", list, o.errorsRetry())
}

func (o *options) errorsRetry() *cobra.Command {
	var all bool
	c := &cobra.Command{
		Use: "retry [ID …|--all]", Short: "Try parked records again", Long: "Try parked records again. ID is that of the list, or a Close id.",
	}
	c.Flags().BoolVar(&all, "all", false, "every parked record")
	c.Args = func(_ *cobra.Command, args []string) error {
		if all == (len(args) > 0) {
			return errors.New("name the records, or say --all")
		}
		return nil
	}
	d := o.carrying(c)
	c.RunE = o.deciding(func(ctx context.Context, s *session, args []string) error {
		total := 0
		if all {
			args = nil
		}
		for _, m := range s.stores {
			n, err := m.RetryErrors(ctx, args)
			if err != nil {
				return err
			}
			total += n
		}
		if total == 0 && len(args) > 0 {
			return fmt.Errorf("no parked record has the id %s; `closesync errors list` shows them", strings.Join(args, ", "))
		}
		_, _ = fmt.Fprintf(o.err, "%d records are tried again\n", total)
		if total < len(args) {
			return fmt.Errorf("%d of %d are no parked records", len(args)-total, len(args))
		}
		if total == 0 {
			return nil
		}
		if err := d.carryOut(ctx, s, func(ctx context.Context, st *store.Store) (int, error) { return st.Retrying(ctx) }); err != nil {
			return err
		}
		if d.noWait {
			return nil
		}
		return s.stillParked(ctx, args)
	})
	return c
}

// stillParked ends with exit code 3 if what was tried again is parked again.
func (s *session) stillParked(ctx context.Context, ids []string) error {
	list, err := s.lists.Errors(ctx, 1_000_000)
	if err != nil {
		return err
	}
	left := 0
	for _, e := range list {
		if ids == nil || slices.Contains(ids, str(e.CloseID)) || slices.Contains(ids, strconv.FormatInt(e.ID, 10)) {
			left++
		}
	}
	if left == 0 {
		return nil
	}
	_, _ = fmt.Fprintf(s.err, "%d of them were refused again; `closesync errors list` tells why\n", left)
	return &exitError{code: exitOpen}
}

// limitFlag bounds a list. The whole of a long one is for SQL on the views.
func limitFlag(c *cobra.Command, limit *int) {
	c.Flags().IntVar(limit, "limit", 1000, "at most this many")
}

func str(s *string) string {
	if s == nil {
		return ""
	}
	return *s
}

// refusedFields shows what Close said about single fields.
func refusedFields(v []byte) string {
	if len(v) == 0 || string(v) == "null" {
		return ""
	}
	return " " + string(v)
}
