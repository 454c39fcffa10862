package harness

import (
	"context"
	"fmt"
	"strconv"
	"testing"

	"github.com/go-json-experiment/json/jsontext"
	"github.com/stretchr/testify/require"

	"closesync/mapping"
	"closesync/sync/closetest"
)

// world is a loaded world of a few leads with two contacts and one
// opportunity each.
func world(t *testing.T, change func(*Options)) *World {
	t.Helper()
	t.Parallel()
	o := Options{Close: closetest.Options{Seed: 7, Leads: 4}}
	if change != nil {
		change(&o)
	}
	w := New(t, o)
	w.Load()
	w.Equal()
	return w
}

// all goes by every way of noticing, and demands equal sides.
func (w *World) all() {
	w.T.Helper()
	w.Settle()
	w.Tail()
	w.Search()
	w.Audit()
	w.Equal()
}

// ids are the Close ids of a type, oldest first.
func (w *World) ids(objectType string) []string {
	var list []string
	for _, r := range w.Close.List(objectType) {
		list = append(list, r["id"].(string))
	}
	return list
}

// field is one field of a record in Close, as text; "" if null or gone.
func (w *World) field(id, name string) string {
	r, _ := w.Close.Get(id)
	if r[name] == nil {
		return ""
	}
	return fmt.Sprint(r[name])
}

func (w *World) edit(id string, fields map[string]any) {
	w.T.Helper()
	require.NoError(w.T, w.Close.Update(id, fields))
}

// writes counts the calls that change Close.
func (w *World) writes() int {
	n := 0
	for _, r := range w.Close.Requests() {
		if r.Method == "PUT" || r.Method == "DELETE" || (r.Method == "POST" && r.Path != "/api/v1/data/search/") {
			n++
		}
	}
	return n
}

// versions are the row versions of all mapped tables.
func (w *World) versions() string {
	return w.Get(`SELECT string_agg(v, ',' ORDER BY v) FROM (
		SELECT 'l' || id || ' ' || xmin AS v FROM crm.leads UNION ALL SELECT 'c' || id || ' ' || xmin FROM crm.contacts
		UNION ALL SELECT 'o' || id || ' ' || xmin FROM crm.opportunities) rows`)
}

// rest demands that every way of noticing finds nothing to do.
func (w *World) rest() {
	w.T.Helper()
	w.all()
	writes, versions := w.writes(), w.versions()
	w.all()
	require.Equal(w.T, writes, w.writes(), "something was written to Close at rest")
	require.Equal(w.T, versions, w.versions(), "rows were written at rest")
}

func (w *World) state(objectType, closeID string) string {
	return w.Get("SELECT state FROM closesync.record_status WHERE object_type = $1 AND close_id = $2", objectType, closeID)
}

func (w *World) conflict(id, what string) string {
	return w.Get("SELECT string_agg("+what+", ',') FROM closesync.conflicts WHERE close_id = $1", id)
}

type config = mapping.ObjectConfig

// objects configures one object type.
func objects(objectType string, change func(*config)) []config {
	c := config{Type: objectType}
	change(&c)
	return []config{c}
}

func (w *World) resolve(conflict, choice string) {
	w.T.Helper()
	id, err := strconv.ParseInt(conflict, 10, 64)
	require.NoError(w.T, err)
	require.NoError(w.T, w.Store.ResolveConflict(context.Background(), id, jsontext.Value(choice)))
}

// world1 is world for one of several worlds of a test.
func world1(t *testing.T, o closetest.Options) *World {
	t.Helper()
	w := New(t, Options{Close: o})
	w.Load()
	return w
}

// due ends every waiting time until nothing waits any more.
func (w *World) due() {
	w.T.Helper()
	for range 20 {
		w.Settle()
		if w.Get("SELECT count(*) FROM closesync.dirty") == "0" {
			return
		}
		w.SQL("UPDATE closesync.dirty SET not_before = '-infinity'")
	}
}

// fields pairs fields of Close with columns.
func fields(pairs ...string) []mapping.FieldConfig {
	var list []mapping.FieldConfig
	for i := 0; i < len(pairs); i += 2 {
		list = append(list, mapping.FieldConfig{Close: pairs[i], Column: pairs[i+1]})
	}
	return list
}

// What refers to records of a type that only goes to Close does not ask for
// them again and again.
func TestFault_S15_ReferencesToATypeThatOnlyGoesToClose(t *testing.T) {
	t.Parallel()
	w := New(t, Options{Close: closetest.Options{Seed: 1507, Leads: 5}, Objects: []config{{Type: "contact", Direction: "to_close"}}})
	w.Load()
	w.Settle()
	require.Equal(t, "0", w.Get("SELECT count(*) FROM closesync.dirty"))
	require.Equal(t, fmt.Sprint(len(w.Close.List("opportunity"))), w.Get("SELECT count(*) FROM crm.opportunities"))
	before := w.Get("SELECT string_agg(xmin::text, ' ' ORDER BY id) FROM crm.opportunities")
	w.Audit()
	require.Equal(t, before, w.Get("SELECT string_agg(xmin::text, ' ' ORDER BY id) FROM crm.opportunities"))
}
