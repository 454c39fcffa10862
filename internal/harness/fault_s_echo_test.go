package harness

import (
	"testing"

	"github.com/stretchr/testify/require"

	"closesync/sync/closetest"
)

// An echo is known by its content: another program may use our key.
func TestFault_S14_WhatElseOurKeyWritesIsNoEcho(t *testing.T) {
	w := world(t, nil)
	id := w.ids("lead")[0]
	require.NoError(t, w.Close.As(closetest.Actor{APIKeyID: keyID(w)}).Update(id, map[string]any{"description": "by another program"}))
	w.Tail()
	w.Equal()
}

func TestFault_S14_EchoOfOurWrites(t *testing.T) {
	w := world(t, nil)
	w.SQL("UPDATE crm.leads SET name = name || '!', description = 'd'")
	w.SQL("UPDATE crm.contacts SET title = 'CTO'")
	w.SQL("UPDATE crm.opportunities SET value = 500")
	w.SQL("INSERT INTO crm.leads (name) VALUES ('New')")
	w.Settle()
	w.Equal()
	writes := w.writes()
	journal := w.Get("SELECT count(*) FROM closesync.journal WHERE direction = 'to_close'")
	w.rest()
	require.Equal(t, writes, w.writes(), "an echo caused a write")
	require.Equal(t, journal, w.Get("SELECT count(*) FROM closesync.journal WHERE direction = 'to_close'"))
	require.Empty(t, w.Get("SELECT string_agg(field, ',') FROM closesync.conflicts"))
}

func TestFault_S15_NormalisedValuesDoNotPingPong(t *testing.T) {
	w := world(t, nil)
	id := w.ids("contact")[0]
	lead := w.field(id, "lead_id")
	before := w.writes()
	w.SQL(`UPDATE crm.contacts SET title = '  CTO  ', phones = '[{"phone":"(650) 555-1234","type":"mobile"}]',
		emails = '[{"type":"home","email":"  Ada@Example.COM "}]', urls = '[{"url":"example.com","type":"url"}]' WHERE close_id = $1`, id)
	w.SQL("UPDATE crm.leads SET description = ' ', url = 'example.org' WHERE close_id = $1", lead)
	w.all()
	require.Equal(t, "CTO", w.Get("SELECT title FROM crm.contacts WHERE close_id = $1", id))
	require.Equal(t, "ada@example.com", w.Get("SELECT emails -> 0 ->> 'email' FROM crm.contacts WHERE close_id = $1", id))
	require.Equal(t, "+16505551234", w.Get("SELECT phones -> 0 ->> 'phone' FROM crm.contacts WHERE close_id = $1", id))
	require.LessOrEqual(t, w.writes(), before+2)
	w.rest()
}

func TestFault_S27_WonFillsItsDate(t *testing.T) {
	w := world(t, nil)
	id := w.ids("opportunity")[0]
	won := w.Get("SELECT close_id FROM crm.opportunity_statuses WHERE type = 'won' LIMIT 1")
	active := w.Get("SELECT close_id FROM crm.opportunity_statuses WHERE type = 'active' LIMIT 1")
	w.SQL("UPDATE crm.opportunities SET status_id = $2 WHERE close_id = $1", id, active)
	w.all()
	before := w.writes()
	w.SQL("UPDATE crm.opportunities SET status_id = $2, date_won = NULL WHERE close_id = $1", id, won)
	w.Settle() // by the answer alone
	require.NotEmpty(t, w.Get("SELECT date_won FROM crm.opportunities WHERE close_id = $1", id))
	w.all()
	require.NotEmpty(t, w.Get("SELECT date_won FROM crm.opportunities WHERE close_id = $1", id))
	require.Equal(t, "won", w.Get("SELECT status_type FROM crm.opportunities WHERE close_id = $1", id))
	require.LessOrEqual(t, w.writes(), before+1)
	w.rest()
}

func TestFault_S28_ListsEditedOnBothSidesAreJoined(t *testing.T) {
	w := world(t, nil)
	id := w.ids("contact")[0]
	w.edit(id, map[string]any{"emails": []any{mail("one@x.example"), mail("two@x.example")}})
	w.all()
	w.SQL(`UPDATE crm.contacts SET emails = emails || '[{"email":"here@x.example","type":"office"}]'::jsonb WHERE close_id = $1`, id)
	w.edit(id, map[string]any{"emails": []any{mail("two@x.example"), mail("there@x.example")}})
	w.all()
	require.Equal(t, "here@x.example,there@x.example,two@x.example",
		w.Get("SELECT string_agg(e ->> 'email', ',' ORDER BY e ->> 'email') FROM crm.contacts, jsonb_array_elements(emails) e WHERE close_id = $1", id))
	require.Empty(t, w.conflict(id, "field"))
	w.rest()
}

func TestFault_S29_OrderOfAListIsNoEdit(t *testing.T) {
	w := world(t, nil)
	id := w.ids("contact")[0]
	w.edit(id, map[string]any{"emails": []any{mail("one@x.example"), mail("two@x.example")}})
	w.all()
	before := w.writes()
	w.SQL(`UPDATE crm.contacts SET emails = jsonb_build_array(emails -> 1, emails -> 0) WHERE close_id = $1`, id)
	versions := w.versions()
	w.Settle()
	w.Tail()
	w.Audit()
	require.Equal(t, before, w.writes())
	require.Equal(t, versions, w.versions())
}

func mail(address string) map[string]any { return map[string]any{"email": address, "type": "office"} }
