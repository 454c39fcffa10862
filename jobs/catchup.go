package jobs

import (
	"context"
	"slices"

	"github.com/riverqueue/river"
	"github.com/robfig/cron/v3"

	"closesync/sync/engine"
)

// catchUp queues what is overdue. The schedule lives in the memory of River's
// leader: a run that fell due while nobody ran, or while the lead passed from
// one worker to another, would otherwise wait for its next turn.
func (w *Worker) catchUp(ctx context.Context, c Connection) error {
	list, err := w.overdue(ctx, c)
	if err != nil || len(list) == 0 {
		return err
	}
	_, err = w.client.InsertMany(ctx, list)
	return err
}

func (w *Worker) overdue(ctx context.Context, c Connection) ([]river.InsertManyParams, error) {
	var list []river.InsertManyParams
	if w.when.Audit != nil {
		types, err := c.Engine.Overdue(ctx, w.when.Audit.Next)
		if err != nil {
			return nil, err
		}
		if len(types) > 0 {
			list = append(list, river.InsertManyParams{Args: auditOf(c, types)})
		}
	}
	missed, err := w.missed(ctx, c, w.when.Search, w.searches(c))
	if err != nil {
		return nil, err
	}
	if missed {
		list = append(list, river.InsertManyParams{Args: SearchArgs{c.Name}})
	}
	if missed, err = w.missed(ctx, c, w.when.Events, []string{engine.StreamEvents}); err != nil {
		return nil, err
	}
	if missed {
		list = append(list, river.InsertManyParams{Args: TailArgs{c.Name}})
	}
	return list, nil
}

func (w *Worker) searches(c Connection) []string {
	streams := make([]string, len(c.Types))
	for i, t := range c.Types {
		streams[i] = engine.SearchStream(t)
	}
	return streams
}

// missed reports whether one of the streams should have run by now.
func (w *Worker) missed(ctx context.Context, c Connection, when cron.Schedule, streams []string) (bool, error) {
	if when == nil {
		return false, nil
	}
	for _, stream := range streams {
		if missed, err := c.Engine.Missed(ctx, stream, when.Next); missed || err != nil {
			return missed, err
		}
	}
	return false, nil
}

// auditOf names all types by none, as the schedule does, so that the two count
// as one job.
func auditOf(c Connection, types []string) AuditArgs {
	if len(types) == len(c.Types) && !slices.ContainsFunc(c.Types, func(t string) bool { return !slices.Contains(types, t) }) {
		types = nil
	}
	return AuditArgs{Connection: c.Name, Types: types}
}
