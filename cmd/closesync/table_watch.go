package main

import (
	"log/slog"
	"slices"
	"sync"

	"closesync/sync/store"
)

// tableWatch remembers what is wrong with the mapped tables: the log tells it
// once, /readyz as long as it lasts. Its zero value is good.
type tableWatch struct {
	mu     sync.Mutex
	absent []string // tables and columns that the mapping names and the database lacks
	told   []string
}

// look takes what the last reading of the catalogue found: gone names tables
// that are not there at all.
func (w *tableWatch) look(log *slog.Logger, gone error, problems []store.TableProblem) {
	w.mu.Lock()
	defer w.mu.Unlock()
	var now []string
	w.absent = nil
	if gone != nil {
		w.absent = append(w.absent, gone.Error())
		if now = append(now, gone.Error()); !slices.Contains(w.told, gone.Error()) {
			log.Error("a mapped table is not usable; its object rests until it is back", "error", gone)
		}
	}
	for _, p := range problems {
		text := p.Table + " " + p.What
		if now = append(now, text); !slices.Contains(w.told, text) {
			log.Error("a mapped table does not fit; what stands there is not synchronised", "object_type", p.ObjectType, "table", p.Table, "problem", p.What)
		}
		if p.Absent {
			w.absent = append(w.absent, text)
		}
	}
	if len(now) == 0 && len(w.told) > 0 {
		log.Info("the mapped tables fit again")
	}
	w.told = now
}

// reasons says why the worker cannot keep what the mapping asks for.
func (w *tableWatch) reasons() []string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return slices.Clone(w.absent)
}
