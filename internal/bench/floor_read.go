package main

import (
	"context"
	"encoding/json"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

	"closesync/mapping"
	"closesync/sync/closeapi"
)

const (
	// floorWindows is how many pages the engine reads at once.
	floorWindows = 6
	floorPage    = 200
)

// floorScript is what somebody would write who needs the records once: read
// the pages, decode them, store them. It knows when the leads were made, so
// its windows are equal from the start.
type floorScript struct {
	*worker
	from, to time.Time
	requests atomic.Int64
	bytes    atomic.Int64
	leads    atomic.Int64
}

type floorRecord = map[string]any

func (w *worker) floorScript(ctx context.Context) (*floorScript, error) {
	s := &floorScript{worker: w}
	err := w.pool.QueryRow(ctx, `SELECT min(date_created), max(date_created) + interval '1 second' FROM crm.leads`).Scan(&s.from, &s.to)
	return s, err
}

// read gives each page of leads with their children to one of floorWindows
// callers of each, whose number is window.
func (s *floorScript) read(ctx context.Context, each func(ctx context.Context, window int, leads []floorRecord) error) error {
	g, ctx := errgroup.WithContext(ctx)
	width := s.to.Sub(s.from)/floorWindows + time.Microsecond
	for i := range floorWindows {
		g.Go(func() error {
			from := s.from.Add(time.Duration(i) * width)
			return s.readWindow(ctx, from, from.Add(width), func(page []floorRecord) error { return each(ctx, i, page) })
		})
	}
	return g.Wait()
}

func (s *floorScript) readWindow(ctx context.Context, from, to time.Time, each func([]floorRecord) error) error {
	created := closeapi.RegularField("lead", "date_created")
	fields := []string{"id", "custom", "contacts", "opportunities"}
	for _, f := range s.objects["lead"].Fields {
		fields = append(fields, f.Close)
	}
	for {
		page, err := s.client.Search(ctx, closeapi.SearchRequest{
			Query: closeapi.And(closeapi.ObjectType("lead"), closeapi.Where(created, closeapi.InMoments(closeapi.At(from), closeapi.At(to)))),
			Sort:  []closeapi.Sort{{Direction: closeapi.Ascending, Field: created}}, Fields: map[string][]string{"lead": fields}, Limit: floorPage,
		})
		if err != nil {
			return err
		}
		s.requests.Add(1)
		leads := make([]floorRecord, len(page.Data))
		for i, raw := range page.Data {
			s.bytes.Add(int64(len(raw)))
			if err := json.Unmarshal(raw, &leads[i]); err != nil {
				return err
			}
		}
		s.leads.Add(int64(len(leads)))
		if err := each(leads); err != nil || len(leads) < floorPage {
			return err
		}
		text, _ := leads[len(leads)-1]["date_created"].(string)
		last, err := mapping.ParseTime(text)
		if err != nil {
			return err
		}
		from = last.Add(time.Microsecond) // seeded leads are a second apart
	}
}

// children are the records of a type within a page.
func children(leads []floorRecord, objectType string) []floorRecord {
	if objectType == "lead" {
		return leads
	}
	list := map[string]string{"contact": "contacts", "opportunity": "opportunities"}[objectType]
	var out []floorRecord
	for _, lead := range leads {
		nested, _ := lead[list].([]any)
		for _, child := range nested {
			if r, ok := child.(floorRecord); ok {
				out = append(out, r)
			}
		}
	}
	return out
}
