package harness

import (
	"context"
	"fmt"
	"math/rand/v2"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"closesync/sync/closetest"
)

// matching is a world of named leads that exist in Close and rows that were
// there before, loaded with match rules.
func matching(t *testing.T, rules []config, close func(w *World), setup string) *World {
	t.Helper()
	t.Parallel()
	w := New(t, Options{Objects: rules, Setup: setup})
	close(w)
	w.Close.ResetRequests()
	w.Load()
	return w
}

func byName(types ...string) []config {
	var list []config
	for _, t := range types {
		list = append(list, config{Type: t, Match: []string{"name"}})
	}
	return list
}

func (w *World) lead(name string, more ...any) string {
	fields := map[string]any{"name": name}
	for i := 0; i+1 < len(more); i += 2 {
		fields[more[i].(string)] = more[i+1]
	}
	return w.create("lead", fields)
}

// TestFault_S37_MatchLinksTheCertain: exactly one row and exactly one record of
// the same name. Both sides keep what only they knew; what loses is kept.
func TestFault_S37_MatchLinksTheCertain(t *testing.T) {
	var acme, globex string
	w := matching(t, byName("lead"), func(w *World) {
		acme, globex = w.lead("Acme", "description", "theirs"), w.lead("Globex")
		w.create("contact", map[string]any{"lead_id": acme, "name": "Ada"})
		w.lead("Only there")
	}, `INSERT INTO crm.leads (id, name, description, url) VALUES (101, ' Acme ', 'mine', 'http://only.here'), (102, 'Globex', NULL, NULL), (103, 'Only here', NULL, NULL);
		INSERT INTO crm.contacts (lead_id, name) VALUES (103, 'Kid')`)
	require.Equal(t, "101", w.Get("SELECT id FROM crm.leads WHERE close_id = $1", acme))
	require.Equal(t, "102", w.Get("SELECT id FROM crm.leads WHERE close_id = $1", globex))
	require.Equal(t, "4", w.Get("SELECT count(*) FROM crm.leads"), "no record got a second row")
	require.Equal(t, "101", w.Get("SELECT lead_id FROM crm.contacts WHERE name = 'Ada'"))
	require.Equal(t, "theirs", w.Get("SELECT description FROM crm.leads WHERE id = 101"))
	require.Equal(t, "http://only.here", w.field(acme, "url"))
	require.Contains(t, w.conflict(acme, "local_value::text"), "mine")
	require.Equal(t, "first_start contact 1, first_start lead 1", w.holds())
	require.Equal(t, "2", w.Get("SELECT count(*) FROM closesync.journal WHERE action = 'link' AND cause ->> 'source' = 'match'"))
	require.Equal(t, "0", w.Get("SELECT (SELECT count(*) FROM closesync.arrivals) + (SELECT count(*) FROM closesync.match_keys) + (SELECT count(*) FROM closesync.dirty)"))
	require.Len(t, w.ids("lead"), 3)
	w.decideHolds("lead", true)
	w.decideHolds("contact", true)
	w.rest()
}

// TestFault_S7_AlikeIsNotTheSame: without a rule nothing is merged by guess,
// neither what was there nor what both sides create later.
func TestFault_S7_AlikeIsNotTheSame(t *testing.T) {
	w := matching(t, nil, func(w *World) { w.lead("Acme") }, "INSERT INTO crm.leads (id, name) VALUES (101, 'Acme')")
	require.Equal(t, "2", w.Get("SELECT count(*) FROM crm.leads WHERE name = 'Acme'"))
	require.Equal(t, "first_start lead 1", w.holds())
	w.decideHolds("lead", false)
	w.lead("Ada")
	w.SQL("INSERT INTO crm.leads (name) VALUES ('Ada')")
	w.Settle()
	w.Tail()
	w.Search()
	w.Audit()
	require.Equal(t, "2", w.Get("SELECT count(DISTINCT close_id) FROM crm.leads WHERE name = 'Ada'"))
	require.Len(t, w.ids("lead"), 3)
}

// TestFault_S7_MatchIsForTheFirstStartOnly: afterwards a rule links nothing.
func TestFault_S7_MatchIsForTheFirstStartOnly(t *testing.T) {
	w := matching(t, byName("lead"), func(w *World) { w.lead("Acme") }, "INSERT INTO crm.leads (id, name) VALUES (101, 'Acme')")
	w.lead("Ada")
	w.SQL("INSERT INTO crm.leads (name) VALUES ('Ada')")
	w.all()
	require.Equal(t, "2", w.Get("SELECT count(*) FROM crm.leads WHERE name = 'Ada'"))
	require.Len(t, w.ids("lead"), 3)
	w.rest()
}

func (w *World) errorOf(where string) string {
	return w.Get("SELECT string_agg(state || ' ' || error_class || ' ' || last_error, ' | ') FROM closesync.record_status WHERE " + where)
}

// TestFault_S37_AmbiguousIsLeftToAPerson: several on either side are listed and
// not touched. A person settles it in whatever way, and the rest follows.
func TestFault_S37_AmbiguousIsLeftToAPerson(t *testing.T) {
	for name, c := range map[string]struct {
		settle      func(w *World, a, b string)
		rows, leads int
	}{
		"writes an id":        {func(w *World, a, b string) { w.SQL("UPDATE crm.leads SET close_id = $1 WHERE id = 101", a) }, 2, 2},
		"renames in Close":    {func(w *World, a, b string) { w.edit(b, map[string]any{"name": "Other"}); w.Tail() }, 2, 2},
		"deletes in Close":    {func(w *World, a, b string) { require.NoError(w.T, w.Close.Delete(b)); w.Tail() }, 1, 1},
		"renames the row":     {func(w *World, a, b string) { w.SQL("UPDATE crm.leads SET name = 'Other' WHERE id = 101") }, 3, 3},
		"deletes the row":     {func(w *World, a, b string) { w.SQL("DELETE FROM crm.leads WHERE id = 101") }, 2, 2},
		"merges both records": {func(w *World, a, b string) { require.NoError(w.T, w.Close.Merge(b, a)); w.Tail() }, 1, 1},
	} {
		t.Run(name, func(t *testing.T) {
			var a, b string
			w := matching(t, byName("lead"), func(w *World) {
				a, b = w.lead("Acme"), w.lead("Acme")
				w.create("contact", map[string]any{"lead_id": b, "name": "Kid of b"})
			}, "INSERT INTO crm.leads (id, name) VALUES (101, 'Acme')")
			require.Equal(t, "1", w.Get("SELECT count(*) FROM crm.leads"), "no second row for what may be the first")
			require.Contains(t, w.errorOf("local_key = '101'"), "error ambiguous")
			require.Contains(t, w.errorOf("local_key = '101'"), a)
			require.Contains(t, w.errorOf("local_key = '101'"), b)
			require.Contains(t, w.errorOf("close_id = '"+a+"'"), "101")
			require.Contains(t, w.errorOf("object_type = 'contact'"), "parent")
			require.Equal(t, "0", w.Get("SELECT count(*) FROM closesync.dirty"))
			require.Zero(t, w.writes())
			// Looking again changes nothing.
			w.Tail()
			w.Search()
			w.Audit()
			_, err := w.Store.RetryErrors(context.Background(), nil)
			require.NoError(t, err)
			w.due()
			require.Equal(t, "1", w.Get("SELECT count(*) FROM crm.leads"))
			require.Contains(t, w.errorOf("local_key = '101'"), "error ambiguous")

			c.settle(w, a, b)
			w.due()
			if w.holds() != "" {
				w.decideHolds("lead", true)
			}
			w.all()
			require.Equal(t, fmt.Sprint(c.rows), w.Get("SELECT count(*) FROM crm.leads"))
			require.Len(t, w.ids("lead"), c.leads)
			require.Empty(t, w.errorOf("state = 'error'"))
			w.rest()
		})
	}
}

// TestFault_S37_TwoRowsForOneRecord: the mirror image.
func TestFault_S37_TwoRowsForOneRecord(t *testing.T) {
	var a string
	w := matching(t, byName("lead"), func(w *World) { a = w.lead("Acme") }, "INSERT INTO crm.leads (id, name) VALUES (101, 'Acme'), (102, 'Acme')")
	require.Equal(t, "2", w.Get("SELECT count(*) FROM closesync.record_status WHERE error_class = 'ambiguous' AND local_key IS NOT NULL"))
	require.Empty(t, w.holds())
	w.SQL("UPDATE crm.leads SET name = 'Other' WHERE id = 102")
	w.due()
	require.Equal(t, "101", w.Get("SELECT id FROM crm.leads WHERE close_id = $1", a))
	require.Equal(t, "first_start lead 1", w.holds())
	w.decideHolds("lead", true)
	w.rest()
}

// TestFault_S37_ContactsMatchByOneAddress, and only with a record of Close that
// is not linked already; the lead of the contact follows the policy.
func TestFault_S37_ContactsMatchByOneAddress(t *testing.T) {
	mail := func(list ...string) []any {
		var out []any
		for _, m := range list {
			out = append(out, map[string]any{"email": m, "type": "office"})
		}
		return out
	}
	var ada string
	w := matching(t, []config{{Type: "lead", Match: []string{"name"}}, {Type: "contact", Match: []string{"emails"}}}, func(w *World) {
		lead := w.lead("Acme")
		ada = w.create("contact", map[string]any{"lead_id": lead, "name": "Ada", "emails": mail("ada@x.example", "second@x.example")})
		w.create("contact", map[string]any{"lead_id": lead, "name": "Bo", "emails": mail("bo@x.example")})
	}, `INSERT INTO crm.leads (id, name) VALUES (101, 'Acme');
		INSERT INTO crm.contacts (id, lead_id, name, emails) VALUES
		(201, 101, 'A. Lovelace', '[{"email":"SECOND@x.example","type":"home"}]'), (202, 101, 'Nobody', '[]')`)
	require.Equal(t, "201", w.Get("SELECT id FROM crm.contacts WHERE close_id = $1", ada))
	require.Equal(t, "3", w.Get("SELECT count(*) FROM crm.contacts"))
	require.Equal(t, "first_start contact 1", w.holds())
	w.decideHolds("contact", true)
	w.rest()
}

// TestFault_S37_OwnTablesMatch: any schema, a key of text, columns of the user.
func TestFault_S37_OwnTablesMatch(t *testing.T) {
	off := false
	var acme string
	w := matching(t, []config{
		{Type: "lead", Table: "sales.Accounts", Key: "code", CloseID: "close id", Match: []string{"url"}, Fields: fields("name", "order", "url", "site")},
		{Type: "contact", Enabled: &off}, {Type: "opportunity", Enabled: &off},
	}, func(w *World) { acme = w.lead("Acme", "url", "http://acme.example") },
		`CREATE SCHEMA sales; CREATE TABLE sales."Accounts" (code text PRIMARY KEY, "close id" text, "order" text, site text);
		INSERT INTO sales."Accounts" VALUES ('A''1', NULL, 'Acme Ltd', 'http://acme.example'), ('B', NULL, 'Beta', NULL)`)
	require.Equal(t, acme, w.Get(`SELECT "close id" FROM sales."Accounts" WHERE code = 'A''1'`))
	require.Equal(t, "first_start lead 1", w.holds())
	w.decideHolds("lead", true)
	require.Len(t, w.ids("lead"), 2)
	w.rest()
}

// TestFault_S37_EventsDoNotOvertakeTheMatch: a record that is edited in Close
// while the load runs gets no row of its own before it is matched.
func TestFault_S37_EventsDoNotOvertakeTheMatch(t *testing.T) {
	t.Parallel()
	w := New(t, Options{Objects: byName("lead"), Setup: "INSERT INTO crm.leads (id, name) VALUES (101, 'Acme'), (102, 'Later')"})
	acme, later := w.lead("Acme"), w.lead("Later")
	meanwhile := &interfering{Remote: w.Remote, before: func() {
		w.edit(acme, map[string]any{"description": "edited meanwhile"})
		w.edit(later, map[string]any{"description": "edited meanwhile"})
		_, _, err := w.Engine.Tail(context.Background())
		require.NoError(t, err)
		_, err = w.Engine.Run(context.Background())
		require.NoError(t, err)
	}}
	w.Engine.Remote = meanwhile
	w.Load()
	require.Nil(t, meanwhile.before)
	require.Equal(t, "2", w.Get("SELECT count(*) FROM crm.leads"))
	require.Equal(t, "101", w.Get("SELECT id FROM crm.leads WHERE close_id = $1", acme))
	require.Equal(t, "2", w.Get("SELECT count(*) FROM crm.leads WHERE description = 'edited meanwhile'"))
	w.rest()
}

// TestFault_S37_CrashesWhileMatching: the load ends before each of its steps
// in turn, and goes on.
func TestFault_S37_CrashesWhileMatching(t *testing.T) {
	for _, step := range []string{"Stage", "Match", "Staged", "Unstage", "EndLoad"} {
		t.Run(step, func(t *testing.T) {
			t.Parallel()
			w := New(t, Options{Close: closetest.Options{Seed: 5, Leads: 20}, Objects: byName("lead", "contact"), Setup: "INSERT INTO crm.leads (id, name) VALUES (101, 'Mine')"})
			mine := w.lead("Mine")
			w.Engine.Local = &ending{Store: w.Store, step: step}
			require.NoError(t, w.Engine.Reference(context.Background()))
			require.ErrorIs(t, w.Engine.Backfill(context.Background(), nil), errEnded)
			w.Restart()
			w.Load()
			w.Equal()
			require.Equal(t, "101", w.Get("SELECT id FROM crm.leads WHERE close_id = $1", mine))
			require.Empty(t, w.holds())
			require.Equal(t, "0", w.Get("SELECT count(*) FROM closesync.arrivals"))
			w.rest()
		})
	}
}

// TestFault_S37_RandomFirstStarts: whatever is on both sides, a row is linked
// exactly when it and a record have a name that nobody else has; every record
// has one row or is named as ambiguous; nothing is created or lost.
func TestFault_S37_RandomFirstStarts(t *testing.T) {
	heavy(t)
	for seed := range uint64(12) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			t.Parallel()
			rng := rand.New(rand.NewPCG(seed, 37))
			count := func() map[string]int {
				m := map[string]int{}
				for range 25 {
					m[fmt.Sprintf("Name %d", rng.IntN(30))]++
				}
				return m
			}
			there, here := count(), count()
			var setup strings.Builder
			for name, n := range here {
				fmt.Fprintf(&setup, "INSERT INTO crm.leads (name) SELECT '%s' FROM generate_series(1, %d);", name, n)
			}
			w := New(t, Options{Objects: byName("lead"), Setup: setup.String()})
			for name, n := range there {
				for range n {
					w.lead(name)
				}
			}
			w.Close.ResetRequests()
			w.Load()
			require.Zero(t, w.writes())
			held := 0
			for i := range 30 {
				name := fmt.Sprintf("Name %d", i)
				linked, rows := there[name], here[name]+there[name]
				switch {
				case there[name] == 1 && here[name] == 1:
					rows = 1
				case there[name] > 0 && here[name] > 0:
					linked, rows = 0, here[name]
				default:
					held += here[name]
				}
				require.Equal(t, fmt.Sprint(rows), w.Get("SELECT count(*) FROM crm.leads WHERE name = $1", name), name)
				require.Equal(t, fmt.Sprint(linked), w.Get("SELECT count(close_id) FROM crm.leads WHERE name = $1", name), name)
			}
			require.Equal(t, fmt.Sprintf("first_start lead %d", held), w.holds())
			w.decideHolds("lead", true)
			w.Audit()
			writes := w.writes()
			w.Audit()
			require.Equal(t, writes, w.writes())
			require.Equal(t, held, writes)
		})
	}
}

// TestFault_S37_ChildrenMatchWithinTheirLead: the lead of a row is known by the
// time that its contacts are looked at; one of the same name elsewhere is another.
func TestFault_S37_ChildrenMatchWithinTheirLead(t *testing.T) {
	var ada, other string
	w := matching(t, []config{{Type: "lead", Match: []string{"name"}}, {Type: "contact", Match: []string{"lead_id", "name"}}}, func(w *World) {
		ada = w.create("contact", map[string]any{"lead_id": w.lead("Acme"), "name": "Ada"})
		other = w.create("contact", map[string]any{"lead_id": w.lead("Globex"), "name": "Ada"})
	}, `INSERT INTO crm.leads (id, name) VALUES (101, 'Acme'), (102, 'Globex'), (103, 'Only here');
		INSERT INTO crm.contacts (id, lead_id, name) VALUES (201, 101, 'Ada'), (202, 102, 'Ada'), (203, 103, 'Ada')`)
	require.Equal(t, "201", w.Get("SELECT id FROM crm.contacts WHERE close_id = $1", ada))
	require.Equal(t, "202", w.Get("SELECT id FROM crm.contacts WHERE close_id = $1", other))
	require.Equal(t, "first_start contact 1, first_start lead 1", w.holds())
	require.Zero(t, w.writes())
	w.decideHolds("lead", true)
	w.decideHolds("contact", true)
	w.rest()
}

// TestSecurity_27_EraseReachesWhatIsKeptApart: a person who is erased while the
// first load runs is not in what it keeps apart either.
func TestSecurity_27_EraseReachesWhatIsKeptApart(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	w := New(t, Options{Objects: byName("lead"), Setup: "INSERT INTO crm.leads (id, name) VALUES (101, 'Canary')"})
	lead := w.lead("Canary")
	w.create("contact", map[string]any{"lead_id": lead, "name": "Canary kid"})
	w.lead("Other")
	w.Engine.Local = &ending{Store: w.Store, step: "Staged"}
	require.NoError(t, w.Engine.Reference(ctx))
	require.ErrorIs(t, w.Engine.Backfill(ctx, nil), errEnded)
	require.Equal(t, "2", w.Get("SELECT count(*) FROM closesync.arrivals WHERE record::text LIKE '%Canary%'"))
	id, err := strconv.ParseInt(w.Get("SELECT id FROM closesync.records WHERE close_id = $1", lead), 10, 64)
	require.NoError(t, err)
	require.NoError(t, w.Close.Delete(lead))
	_, err = w.Store.Erase(ctx, id)
	require.NoError(t, err)
	require.Equal(t, "1", w.Get("SELECT count(*) FROM closesync.arrivals"), "the other lead")
	w.Restart()
	w.Load()
	require.Equal(t, "Other", w.Get("SELECT string_agg(name, ',') FROM crm.leads"))
	require.Equal(t, "0", w.Get("SELECT count(*) FROM closesync.arrivals"))
	w.rest()
}
