package engine

import (
	"encoding/json"
	"time"
)

// segment is a window of a walk. All before Cursor is stored; the records at it
// are read again after a crash. The last segment has no end: what is dated
// later than the present by anybody's clock is read as well.
type segment struct {
	Cursor time.Time `json:"cursor"`
	End    time.Time `json:"end"` // zero for none

	at     time.Time       // how far it was read
	seen   map[string]bool // ids at that moment
	over   bool            // read to its end
	busy   bool            // somebody reads it
	sheets []*sheet        // read, and not all of those before stored; oldest first

	left   float64 // records still to be read, as far as is known
	pace   float64 // records per second, by its last page
	judged bool    // left and pace were learned since it was last cut
}

func newSegment(from, end time.Time) *segment {
	return &segment{Cursor: from, End: end, at: from, seen: map[string]bool{}}
}

// stored is how far the segment is stored once p is, and whether that is all of
// it. Pages are stored in any order; what counts is that none before is missing.
func (s *segment) stored(p *sheet) (to time.Time, all bool) {
	to = s.Cursor
	for _, other := range s.sheets {
		if !other.stored && other != p {
			return to, false
		}
		to = other.last
	}
	return to, s.over
}

// forget moves the cursor over the pages that are stored.
func (s *segment) forget() {
	for len(s.sheets) > 0 && s.sheets[0].stored {
		s.Cursor = s.sheets[0].last
		s.sheets = s.sheets[1:]
	}
}

// snapshot is the checkpoint of the whole walk as it will be once p is stored:
// it covers what is stored and nothing that was only read (rule R7). One that
// commits late only costs pages read twice.
func (w *walk) snapshot(p *sheet) *Checkpoint {
	if w.stream == "" {
		return nil
	}
	var left []segment
	for _, s := range w.segments {
		if to, all := s.stored(p); !all {
			left = append(left, segment{Cursor: to, End: s.End})
		}
	}
	return &Checkpoint{Stream: w.stream, Epoch: w.epoch, Position: map[string]any{"segments": left}}
}

// resume takes up the segments that a checkpoint left.
func (w *walk) resume(cp Checkpoint) {
	raw, err := json.Marshal(cp.Position["segments"])
	if err != nil {
		return
	}
	var left []segment
	if json.Unmarshal(raw, &left) != nil {
		return
	}
	for _, s := range left {
		w.segments = append(w.segments, newSegment(s.Cursor, s.End))
	}
}
