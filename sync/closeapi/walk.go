package closeapi

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// ErrNoProgress ends a walk whose pages stop moving: a cursor that returns
// itself, or "has more" with nothing in the page, several times over.
var ErrNoProgress = errors.New("closeapi: paging makes no progress")

// ErrInstantTooLarge ends a walk in which more records share one timestamp,
// in both date fields, than Close lets one page through.
var ErrInstantTooLarge = errors.New("closeapi: too many records share one timestamp")

const patience = 3 // pages or restarts in a row without anything new

// Record is one entry of a walk.
type Record struct {
	ID  string
	At  time.Time // of the field the walk is ordered by, UTC
	Raw RawMessage
}

// Batch is one page of a walk: what it holds that was not given before. Once
// it is stored, Through is safe to begin from after a stop; records at that
// very instant come again then.
type Batch struct {
	Records  []Record
	Rejected []Rejected
	Through  time.Time
}

// stretch fetches one page of records from an instant on, ascending. Place
// continues inside the same list ("" for its start); the next place is "" at
// the end of it.
type stretch func(ctx context.Context, from time.Time, place string) (rows []RawMessage, bad []Rejected, next string, err error)

// keyset walks by re-anchoring: each page begins at the last timestamp of the
// one before, minus the ids already seen there. A place inside a list (cursor
// or skip) is used only while a whole page shares one timestamp, so neither
// the life of a cursor nor caps on skipping matter, and rows that move while
// we read move behind us, never past us.
type keyset struct {
	field string
	fetch stretch
	// split walks the records of one instant by another field; nil if there
	// is none left.
	split func(ctx context.Context, at time.Time) iter.Seq2[Batch, error]
	cap   int // records one list yields at most; 0 if unknown

	from    time.Time
	place   string
	seen    map[string]bool // ids given at from
	inList  int             // records read since the list began
	stuck   int
	visited map[string]bool // places of this list
}

func (k *keyset) batches(ctx context.Context) iter.Seq2[Batch, error] {
	return func(yield func(Batch, error) bool) {
		k.seen = map[string]bool{}
		k.restart()
		for {
			rows, bad, next, err := k.fetch(ctx, k.from, k.place)
			if err != nil {
				if again, stop := k.recover(ctx, err, yield); stop {
					return
				} else if again {
					continue
				}
				yield(Batch{}, err)
				return
			}
			k.inList += len(rows) + len(bad)
			b, newest, err := k.fresh(rows, bad)
			if err != nil {
				yield(Batch{}, err)
				return
			}
			if len(b.Records) > 0 {
				k.stuck = 0
			}
			if len(b.Records)+len(b.Rejected) > 0 && !yield(b, nil) {
				return
			}
			more, err := k.advance(len(rows)+len(bad), newest, next)
			if errors.Is(err, ErrInstantTooLarge) {
				if _, stop := k.recover(ctx, err, yield); stop {
					return
				}
				continue
			}
			if err != nil {
				yield(Batch{}, err)
				return
			}
			if !more {
				return
			}
		}
	}
}

func (k *keyset) restart() { k.place, k.inList, k.visited = "", 0, map[string]bool{} }

// recover answers whether to fetch again, or that the walk is over because
// the consumer stopped. A dead cursor (30 seconds, or a server that forgot
// it) restarts the instant; the ids seen there are kept.
func (k *keyset) recover(ctx context.Context, err error, yield func(Batch, error) bool) (again, stop bool) {
	switch {
	case errors.Is(err, ErrCursorExpired) && k.place != "" && k.stuck < patience:
		k.stuck++
		k.restart()
		return true, false
	case errors.Is(err, ErrInstantTooLarge), errors.Is(err, ErrSkipTooLarge) && k.place != "":
		if k.split == nil {
			yield(Batch{}, fmt.Errorf("%w (%s)", ErrInstantTooLarge, k.from.Format(time.RFC3339Nano)))
			return false, true
		}
		for b, err := range k.split(ctx, k.from) {
			b.Records = k.unseen(b.Records)
			b.Through = k.from
			if !yield(b, err) || err != nil {
				return false, true
			}
		}
		k.moveTo(k.from.Add(resolution))
		return true, false
	}
	return false, false
}

// resolution of Close's timestamps in records: milliseconds (recorded).
const resolution = time.Millisecond

func (k *keyset) moveTo(t time.Time) {
	k.from, k.seen, k.stuck = t, map[string]bool{}, 0
	k.restart()
}

func (k *keyset) unseen(all []Record) []Record {
	var out []Record
	for _, r := range all {
		if !k.seen[r.ID] {
			k.seen[r.ID] = true
			out = append(out, r)
		}
	}
	return out
}

// fresh drops what was given before and tells the greatest timestamp.
func (k *keyset) fresh(rows []RawMessage, bad []Rejected) (Batch, time.Time, error) {
	b := Batch{Rejected: bad, Through: k.from}
	newest := k.from
	for _, raw := range rows {
		id, at, err := identify(raw, k.field)
		if err != nil {
			b.Rejected = append(b.Rejected, Rejected{Raw: raw, Err: err})
			continue
		}
		if k.seen[id] && !at.After(k.from) {
			continue
		}
		b.Records = append(b.Records, Record{ID: id, At: at, Raw: raw})
		if at.After(newest) {
			newest = at
		}
	}
	b.Through = newest
	for _, r := range b.Records {
		if !r.At.After(k.from) {
			k.seen[r.ID] = true
		}
	}
	if newest.After(k.from) {
		k.seen = idsAt(b.Records, newest)
	}
	return b, newest, nil
}

func idsAt(all []Record, at time.Time) map[string]bool {
	m := map[string]bool{}
	for _, r := range all {
		if r.At.Equal(at) {
			m[r.ID] = true
		}
	}
	return m
}

// advance chooses where the next page begins; false is the end.
func (k *keyset) advance(n int, newest time.Time, next string) (bool, error) {
	if next == "" && (k.cap == 0 || k.inList < k.cap) {
		return false, nil
	}
	if newest.After(k.from) {
		k.from, k.stuck = newest, 0
		k.restart()
		return true, nil
	}
	if next == "" {
		return true, ErrInstantTooLarge
	}
	if n == 0 {
		k.stuck++
	}
	if k.visited[next] || k.stuck >= patience {
		return false, ErrNoProgress
	}
	k.visited[next] = true
	k.place = next
	return true, nil
}

// identify reads the id and the timestamp that a walk is ordered by.
func identify(raw RawMessage, field string) (string, time.Time, error) {
	var m map[string]jsontext.Value
	if err := json.Unmarshal(raw, &m, lenient); err != nil {
		return "", time.Time{}, errNotRecord
	}
	var id, stamp string
	if json.Unmarshal(m["id"], &id) != nil || id == "" {
		return "", time.Time{}, errors.New("closeapi: entry of a list has no id")
	}
	if json.Unmarshal(m[field], &stamp) != nil {
		return id, time.Time{}, fmt.Errorf("closeapi: %s has no %s", id, field)
	}
	at, err := ParseTime(stamp)
	if err != nil {
		return id, time.Time{}, fmt.Errorf("closeapi: %s: %s is no timestamp", id, field)
	}
	return id, at, nil
}

// other is the second date field, by which an instant is split.
func other(field string) string {
	if field == "date_created" {
		return "date_updated"
	}
	return "date_created"
}

// records flattens batches. A rejected entry comes as an error between the
// records, after which the walk goes on.
func records(all iter.Seq2[Batch, error]) iter.Seq2[Record, error] {
	return func(yield func(Record, error) bool) {
		for b, err := range all {
			if err != nil {
				yield(Record{}, err)
				return
			}
			for _, r := range b.Records {
				if !yield(r, nil) {
					return
				}
			}
			for _, r := range b.Rejected {
				if !yield(Record{Raw: r.Raw}, r.Err) {
					return
				}
			}
		}
	}
}
