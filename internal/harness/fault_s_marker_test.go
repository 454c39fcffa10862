package harness

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"closesync/mapping"
	"closesync/sync/closetest"
)

// markedWorld is a loaded world whose objects have hidden fields for markers.
func markedWorld(t *testing.T, o closetest.Options) *World {
	t.Helper()
	var cfg []mapping.ObjectConfig
	// The same seed gives the same ids of custom fields.
	probe := closetest.New(o)
	for _, t := range mapping.Types() {
		cfg = append(cfg, config{Type: t, ExternalIDField: probe.CustomField(t, map[string]string{"lead": "External ID", "contact": "Contact key", "opportunity": "Deal key"}[t])})
	}
	w := New(t, Options{Close: o, Objects: cfg})
	w.Load()
	w.Equal()
	return w
}

// lose cuts about a third of the answers to creates, after their effect.
func (w *World) lose(times int) {
	for _, path := range []string{"/lead/", "/contact/", "/opportunity/"} {
		w.Close.Fault(closetest.Fault{Name: "lost " + path, Method: "POST", Path: path, Kind: closetest.FaultCutAfter, Rate: 0.34, Times: times})
	}
}

// TestFault_S16_TwoHundredCreates: a third of the answers is lost after the
// effect, many rows are twins, and nothing is there twice.
func TestFault_S16_TwoHundredCreates(t *testing.T) {
	heavy(t)
	for _, marked := range []bool{false, true} {
		t.Run(fmt.Sprintf("marked %v", marked), func(t *testing.T) {
			t.Parallel()
			var w *World
			o := closetest.Options{Seed: 16, Leads: 4}
			if marked {
				w = markedWorld(t, o)
			} else {
				w = world1(t, o)
			}
			w.lose(1000)
			w.SQL(`WITH l AS (INSERT INTO crm.leads (name) SELECT 'New ' || n / 2 FROM generate_series(1, 80) n RETURNING id),
				c AS (INSERT INTO crm.contacts (lead_id, name) SELECT id, 'Kid' FROM l RETURNING lead_id)
				INSERT INTO crm.opportunities (lead_id, note, value) SELECT lead_id, 'deal', 100 FROM c LIMIT 40`)
			w.due()
			lost := w.Close.FaultFired("lost /lead/") + w.Close.FaultFired("lost /contact/") + w.Close.FaultFired("lost /opportunity/")
			require.Greater(t, lost, 40)
			w.Close.ClearFaults()
			w.due()
			w.all()
			require.Len(t, w.ids("lead"), 84)
			require.Len(t, w.ids("contact"), 88)
			require.Len(t, w.ids("opportunity"), 44)
			require.Empty(t, w.Get("SELECT string_agg(object_type || ' ' || state || ' ' || last_error, ', ') FROM closesync.record_status WHERE state <> 'synced'"))
			require.Equal(t, "0", w.Get("SELECT count(*) FROM closesync.intents WHERE state IN ('open', 'unknown')"))
			w.rest()
		})
	}
}

// TestFault_S16_MarkerTellsTwinsApart: three rows of the same content; the one
// whose answer was lost gets its own record, known by its marker.
func TestFault_S16_MarkerTellsTwinsApart(t *testing.T) {
	t.Parallel()
	w := markedWorld(t, closetest.Options{Seed: 7, Leads: 4})
	w.Close.Fault(closetest.Fault{Method: "POST", Path: "/lead/", Kind: closetest.FaultCutAfter, Times: 2})
	w.SQL("INSERT INTO crm.leads (name) VALUES ('Twin'), ('Twin'), ('Twin')")
	w.all()
	require.Len(t, w.ids("lead"), 7)
	field := "custom." + w.Objects["lead"].ExternalID
	for _, id := range w.ids("lead")[4:] {
		require.Equal(t, w.Get("SELECT marker FROM closesync.intents i JOIN closesync.records r ON r.id = i.record_id WHERE r.close_id = $1", id), w.field(id, field))
	}
	require.Equal(t, "0", w.Get("SELECT count(*) FROM crm.leads WHERE custom ? $1", w.Objects["lead"].ExternalID), "the marker is no field")
	w.rest()
}

// TestFault_S16_MarkerOnlyCounts: a record of the same content that another
// made with our key is not taken for the effect of a marked create.
func TestFault_S16_MarkerOnlyCounts(t *testing.T) {
	t.Parallel()
	w := markedWorld(t, closetest.Options{Seed: 7, Leads: 4})
	w.Close.Fault(closetest.Fault{Method: "POST", Path: "/lead/", Kind: closetest.FaultCut, Times: 1})
	_, err := w.Close.As(closetest.Actor{APIKeyID: keyID(w)}).Create("lead", map[string]any{"name": "Alike"})
	require.NoError(t, err)
	w.SQL("INSERT INTO crm.leads (name) VALUES ('Alike')")
	w.all()
	require.Len(t, w.ids("lead"), 6, "the lost create never took effect and is sent again")
	w.rest()
}

// TestFault_S16_MarkerFieldRemoved: creates go on without it.
func TestFault_S16_MarkerFieldRemoved(t *testing.T) {
	t.Parallel()
	w := markedWorld(t, closetest.Options{Seed: 7, Leads: 4})
	require.NoError(t, w.Close.DeleteCustomField(w.Objects["lead"].ExternalID))
	w.Close.Fault(closetest.Fault{Method: "POST", Path: "/lead/", Kind: closetest.FaultCutAfter, Nth: 2})
	w.SQL("INSERT INTO crm.leads (name) VALUES ('One'), ('Two')")
	w.all()
	require.Len(t, w.ids("lead"), 6)
	require.Empty(t, w.Get("SELECT string_agg(last_error, ', ') FROM closesync.record_status WHERE state = 'error'"))
	w.rest()
}

// TestFault_S16_SweepFindsTwins: a create that took effect twice is told, and
// stays told until one of the two is gone.
func TestFault_S16_SweepFindsTwins(t *testing.T) {
	t.Parallel()
	w := markedWorld(t, closetest.Options{Seed: 7, Leads: 4})
	w.SQL("INSERT INTO crm.leads (name) VALUES ('Once')")
	w.all()
	first := w.Get("SELECT close_id FROM crm.leads WHERE name = 'Once'")
	field := "custom." + w.Objects["lead"].ExternalID
	second, err := w.Close.Create("lead", map[string]any{"name": "Once", field: w.field(first, field)})
	require.NoError(t, err)
	w.all()
	for _, id := range []string{first, second} {
		require.Equal(t, "error duplicate", w.Get("SELECT state || ' ' || error_class FROM closesync.record_status WHERE close_id = $1", id))
		require.Contains(t, w.Get("SELECT last_error FROM closesync.record_status WHERE close_id = $1", id), second)
	}
	w.edit(first, map[string]any{"description": "still followed"})
	w.all()
	require.Equal(t, "error", w.state("lead", first))
	w.rest()
	require.NoError(t, w.Close.Merge(second, first))
	w.all()
	require.Equal(t, "synced", w.state("lead", first))
	w.rest()
}
