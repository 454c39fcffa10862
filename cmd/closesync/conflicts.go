package main

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
	"github.com/spf13/cobra"

	"closesync/sync/store"
)

func newConflictsCommand(o *options) *cobra.Command {
	var limit int
	var all bool
	list := o.jsonFlag(&cobra.Command{
		Use: "list", Short: "List open conflicts", Args: cobra.NoArgs,
		RunE: o.reading(func(ctx context.Context, s *session, _ []string) error {
			found, err := s.lists.Conflicts(ctx, all, limit)
			if err != nil {
				return err
			}
			return show(o, found, []string{"id", "connection", "object", "Close id", "key", "field", "local", "Close", "rule", "status", "since"}, func(c store.ConflictItem) []any {
				return []any{c.ID, c.Connection, c.ObjectType, optional(c.CloseID), optional(c.LocalKey), c.Field, plain(c.LocalValue),
					plain(c.CloseValue), c.Rule, c.Status, moment(&c.DetectedAt)}
			})
		}),
	})
	list.Flags().BoolVar(&all, "all", false, "resolved ones too")
	limitFlag(list, &limit)
	return group("conflicts", "Fields that both sides changed", list, o.conflictsShow(), o.conflictsResolve())
}

func (o *options) conflictsShow() *cobra.Command {
	return o.jsonFlag(&cobra.Command{
		Use: "show ID", Short: "Show a conflict with all three values", Args: cobra.ExactArgs(1),
		RunE: o.reading(func(ctx context.Context, s *session, args []string) error {
			id, err := number(args[0])
			if err != nil {
				return err
			}
			c, err := s.lists.Conflict(ctx, id)
			if err != nil {
				return err
			}
			if o.json {
				return printJSON(o, c)
			}
			_, err = fmt.Fprintf(o.out, "conflict %d (%s) in %s of %s %s, row %s, of %s\nbefore: %s\nlocal:  %s\nClose:  %s\nrule:   %s, winner: %s\n",
				c.ID, c.Status, c.Field, c.ObjectType, str(c.CloseID), str(c.LocalKey), moment(&c.DetectedAt),
				orNull(c.BaseValue), orNull(c.LocalValue), orNull(c.CloseValue), c.Rule, str(c.Winner))
			return err
		}),
	})
}

func orNull(v jsontext.Value) string {
	if v == nil {
		return "null"
	}
	return string(v)
}

func (o *options) conflictsResolve() *cobra.Command {
	var take string
	c := &cobra.Command{Use: "resolve ID", Short: "Decide a conflict", Args: cobra.ExactArgs(1)}
	c.Flags().StringVar(&take, "take", "", "`close`, local or value=… (JSON or text, as the field takes it)")
	d := o.carrying(c)
	c.RunE = o.deciding(func(ctx context.Context, s *session, args []string) error {
		id, err := number(args[0])
		if err != nil {
			return err
		}
		choice, err := choiceOf(take)
		if err != nil {
			return err
		}
		err = s.first(func(st *store.Store) error { return st.ResolveConflict(ctx, id, choice) })
		if errors.Is(err, store.ErrBadValue) {
			return &exitError{exitUsage, err}
		}
		if err != nil {
			return err
		}
		if err := d.carryOut(ctx, s, func(ctx context.Context, st *store.Store) (int, error) { return st.Unfinished(ctx, id, 0) }); err != nil {
			return err
		}
		if d.noWait {
			return nil
		}
		return s.afterwards(ctx, id)
	})
	return c
}

// choiceOf makes what conflict_log.choice holds.
func choiceOf(take string) (jsontext.Value, error) {
	value, given := strings.CutPrefix(take, "value=")
	switch {
	case take == "close" || take == "local":
		return jsontext.Value(`{"take":"` + take + `"}`), nil
	case !given:
		return nil, usageError("say --take close, --take local or --take value=…")
	}
	return json.Marshal(map[string]string{"text": value})
}

// afterwards tells what became of a conflict; exit code 3 if it is still open.
func (s *session) afterwards(ctx context.Context, id int64) error {
	c, err := s.lists.Conflict(ctx, id)
	if err != nil {
		return err
	}
	if c.Status == "open" {
		_, _ = fmt.Fprintf(s.err, "conflict %d: the choice is noted and still to be carried out; `closesync why %s` tells more\n", id, firstOf(c.CloseID, c.LocalKey))
		return &exitError{code: exitOpen}
	}
	_, _ = fmt.Fprintf(s.err, "conflict %d is resolved\n", id)
	return nil
}

func firstOf(list ...*string) string {
	for _, s := range list {
		if s != nil {
			return *s
		}
	}
	return ""
}

func number(arg string) (int64, error) {
	n, err := strconv.ParseInt(arg, 10, 64)
	if err != nil || n < 1 {
		return 0, usageError("%q is no id of the list", arg)
	}
	return n, nil
}
