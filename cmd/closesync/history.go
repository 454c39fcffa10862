package main

import (
	"context"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"closesync/mapping"
	"closesync/sync/store"
)

func newHistoryCommand(o *options) *cobra.Command {
	return o.jsonFlag(&cobra.Command{
		Use: "history ID", Short: "Show every change of a record", Args: cobra.ExactArgs(1),
		Long: "Show every change of a record. ID is a Close id, a local key, or OBJECT/KEY, as in lead/12.",
		RunE: o.reading(func(ctx context.Context, s *session, args []string) error {
			list, err := s.lists.History(ctx, args[0])
			if err != nil {
				return err
			}
			if len(list) == 0 {
				if err := s.known(ctx, args[0]); err != nil {
					return err
				}
			}
			return show(o, list, []string{"id", "at", "object", "way", "action", "field", "old", "new", "because"}, func(j store.JournalItem) []any {
				return []any{j.ID, moment(&j.At), j.ObjectType, wordFor(directionWords, j.Direction), j.Action, optional(j.Field), brief(plain(j.OldValue), 40), brief(plain(j.NewValue), 40), because(j.Cause)}
			})
		}),
	})
}

// known is an error if nobody here has heard of the record.
func (s *session) known(ctx context.Context, id string) error {
	list, err := s.lists.Records(ctx, id)
	if err == nil && len(list) == 0 {
		err = unknownRecord(id)
	}
	return err
}

func unknownRecord(id string) error {
	if mapping.TypeOfID(id) == "" {
		return fmt.Errorf("%s: no record of that id is known here", id)
	}
	return fmt.Errorf("%s: no record of that id is known here; `closesync resync %s` looks for it in Close", id, id)
}

func newWhyCommand(o *options) *cobra.Command {
	return o.jsonFlag(&cobra.Command{
		Use: "why ID", Short: "Explain the present state of a record", Args: cobra.ExactArgs(1),
		Long: "Explain the present state of a record. ID is a Close id, a local key, or OBJECT/KEY, as in lead/12.",
		RunE: o.reading(func(ctx context.Context, s *session, args []string) error {
			list, err := s.lists.Explain(ctx, args[0])
			if err != nil {
				return err
			}
			if len(list) == 0 {
				return unknownRecord(args[0])
			}
			s.lookAtRows(ctx, list)
			if o.json {
				return printJSON(o, list)
			}
			for _, e := range list {
				for _, line := range explain(e) {
					_, _ = fmt.Fprintln(o.out, line)
				}
			}
			return nil
		}),
	})
}

// lookAtRows adds what the rows tell, if the mapping and its tables allow it:
// the rest can be told without.
func (s *session) lookAtRows(ctx context.Context, list []store.Explanation) {
	for i, e := range list {
		if e.LocalKey == nil {
			continue
		}
		if st, err := s.openStore(ctx, s.cfg, s.pool, e.Connection); err == nil {
			if notes, err := st.LookAtRow(ctx, e.ObjectType, *e.LocalKey); err == nil {
				list[i].Row = &notes
			}
		}
	}
}

// explain says in words why a record is as it is, and what to do.
func explain(e store.Explanation) []string {
	lines := []string{fmt.Sprintf("%s %s, row %s (connection %s): %s", e.ObjectType, orNone(e.CloseID), orNone(e.LocalKey), e.Connection, e.State)}
	add := func(format string, args ...any) { lines = append(lines, "  "+fmt.Sprintf(format, args...)) }
	switch e.State {
	case "synced":
		switch {
		case e.LocalKey == nil:
			add("it is in Close alone: no row is made for it (direction: to_close)")
		case e.Row != nil && !e.Row.Exists:
			add("its row is gone here: with on_local_delete: ignore Close keeps the record, else the delete is on its way")
		default:
			add("both sides were equal when last compared, %s", moment(e.LastSyncedAt))
		}
	case "error":
		add("parked after %d tries: %s%s; `closesync errors retry %d` tries again", e.Attempts, str(e.LastError), refusedFields(e.Fields), e.ID)
	case "hidden":
		add("the key may not see it any more; nothing is done until it can")
	case "detached":
		add("out of the filter, or unlinked after its deletion in Close: the row is kept and left alone")
	case "deleted":
		add("deleted; `closesync history` has its last values")
	}
	if e.State != "error" && e.LastError != nil {
		add("last problem (%s): %s", str(e.ErrorClass), *e.LastError)
	}
	if e.Row != nil && len(e.Row.Unknown) > 0 {
		add("not among Close's custom fields, so kept here and not sent: %s", strings.Join(e.Row.Unknown, ", "))
	}
	if e.AliasOf != nil {
		add("merged into %s", *e.AliasOf)
	}
	if e.MarkedAt != nil {
		add("noticed %s (%s); %s", moment(e.MarkedAt), because(e.Cause), dueText(e.RecordItem))
	}
	for _, c := range e.Conflicts {
		add("conflict %d in %s: local %s, Close %s; `closesync conflicts resolve %d --take close|local`", c.ID, c.Field, orNull(c.LocalValue), orNull(c.CloseValue), c.ID)
	}
	for _, h := range e.Holds {
		add("held with %d others by hold %d: %s; `closesync holds approve|reject %d`", h.Count-1, h.ID, h.Reason, h.ID)
	}
	for _, w := range e.Writes {
		add("a %s was sent to Close %s and is %s", w.Action, moment(&w.CreatedAt), w.State)
	}
	if j := e.LastChange; j != nil {
		what := j.Action
		if j.Field != nil {
			what += " of " + *j.Field
		}
		add("last change: %s, %s, %s: %s; `closesync history %s` shows all", moment(&j.At), wordFor(directionWords, j.Direction), what, because(j.Cause), firstOf(e.CloseID, e.LocalKey))
	}
	return lines
}

func orNone(s *string) string {
	if s == nil {
		return "(none)"
	}
	return *s
}

func dueText(r store.RecordItem) string {
	switch {
	case r.Claimed:
		return "a worker has it now"
	case r.DueIn == nil:
		return "it waits for a decision"
	case *r.DueIn > 0:
		return fmt.Sprintf("due in %.0f s", *r.DueIn)
	}
	return "due now"
}
