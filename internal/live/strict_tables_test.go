package live

import (
	"testing"

	"github.com/stretchr/testify/require"

	"closesync/internal/strictfake"
)

// Tables of the user's own: keys of every type, names that need quotes, fields
// renamed, and a rule of each kind.
const ownTables = `
schedule: {events: "@every 1s", search: "@every 1h", audit: "0 3 1 1 *"}
objects:
  lead:
    table: Sales.Order
    key: Id
    close_id: closeId
    on_close_delete: flag:gone
    fields:
      - {close: name, column: select}
      - {close: description, column: Notes, conflict: local}
      - {close: status_id, column: status}
  contact:
    table: Sales.people
    key: slug
    close_id: cid
    on_close_delete: detach
    conflict: manual
    fields:
      - {close: lead_id, column: account}
      - {close: name, column: "full name"}
      - {close: emails, column: mails}
  opportunity: {enabled: false}
`

const ownTablesSQL = `CREATE SCHEMA "Sales";
	CREATE TABLE "Sales"."Order" ("Id" uuid PRIMARY KEY DEFAULT gen_random_uuid(), "closeId" text UNIQUE, "select" text, "Notes" text,
		status text, gone boolean NOT NULL DEFAULT false, untouched text DEFAULT 'mine');
	CREATE TABLE "Sales".people (slug text PRIMARY KEY DEFAULT 'p' || gen_random_uuid(), cid text UNIQUE,
		account uuid NOT NULL REFERENCES "Sales"."Order", "full name" text, mails jsonb NOT NULL DEFAULT '[]')`

func TestStrict_OwnTables(t *testing.T) {
	t.Parallel()
	s := newStranger(t, strictfake.Options{}, config(t, ownTables))
	s.exec(ownTablesSQL)
	lead := s.close.Add("lead", map[string]any{"name": "Ärger \"quoted\"", "description": "first"})
	doomed := s.close.Add("lead", map[string]any{"name": "Doomed"})
	contact := s.close.Add("contact", map[string]any{"lead_id": lead, "name": "Ines", "emails": []any{map[string]any{"email": "i@strict.example", "type": "office"}}})
	leaving := s.close.Add("contact", map[string]any{"lead_id": lead, "name": "Leaving"})
	s.close.Add("opportunity", map[string]any{"lead_id": lead, "note": "not wanted"})
	s.close.Today()
	s.run()
	s.loaded()
	require.Equal(t, `Ärger "quoted"`, s.text(`SELECT "select" FROM "Sales"."Order" WHERE "closeId" = $1`, lead))
	require.Equal(t, lead, s.text(`SELECT o."closeId" FROM "Sales".people p JOIN "Sales"."Order" o ON o."Id" = p.account WHERE p.cid = $1`, contact))
	require.Equal(t, "0", s.text(`SELECT count(*)::text FROM crm.opportunities`))

	s.exec(`INSERT INTO "Sales"."Order" ("Id", "select") VALUES ('11111111-2222-3333-4444-555555555555', 'Made here');
		INSERT INTO "Sales".people (slug, account, "full name") VALUES ('text key', '11111111-2222-3333-4444-555555555555', 'Child')`)
	s.until("made in Close", func() bool {
		made, child := s.close.Find("lead", "name", "Made here"), s.close.Find("contact", "name", "Child")
		return made != nil && child != nil && child["lead_id"] == made["id"] &&
			s.text(`SELECT cid FROM "Sales".people WHERE slug = 'text key'`) == child["id"]
	})

	s.close.Remove(doomed)
	s.close.Remove(leaving)
	s.until("flagged", func() bool {
		return s.text(`SELECT gone::text FROM "Sales"."Order" WHERE "closeId" = $1`, doomed) == "true"
	})
	s.until("detached", func() bool {
		return s.text(`SELECT count(*)::text FROM "Sales".people WHERE "full name" = 'Leaving' AND cid IS NULL`) == "1"
	})
	require.Equal(t, "deleted", s.text(`SELECT state FROM closesync.record_status WHERE close_id = $1`, leaving))
	s.until("at rest", s.idle)
	require.Nil(t, s.close.Find("contact", "name", "Leaving"), "it is not created again")

	s.worker.kill()
	s.exec(`UPDATE "Sales"."Order" SET "select" = 'here', "Notes" = 'here' WHERE "closeId" = $1`, lead)
	s.exec(`UPDATE "Sales".people SET "full name" = 'here' WHERE cid = $1`, contact)
	s.close.Edit(lead, map[string]any{"name": "there", "description": "there"})
	s.close.Edit(contact, map[string]any{"name": "there"})
	s.run()
	s.until("decided", func() bool {
		return s.text(`SELECT "select" || ' ' || "Notes" FROM "Sales"."Order" WHERE "closeId" = $1`, lead) == "there here" &&
			s.close.Get(lead)["description"] == "here" &&
			s.text("SELECT count(*)::text FROM closesync.conflicts WHERE status = 'open'") == "1"
	})
	require.Equal(t, "name local close close resolved|description local close local resolved",
		s.text(`SELECT string_agg(concat_ws(' ', field, CASE WHEN local_value = '"here"' THEN 'local' END, CASE WHEN close_value = '"there"' THEN 'close' END,
			winner, status), '|' ORDER BY field DESC) FROM closesync.conflicts WHERE close_id = $1`, lead))
	require.Equal(t, "here", s.text(`SELECT "full name" FROM "Sales".people WHERE cid = $1`, contact))
	require.Equal(t, "there", s.close.Get(contact)["name"])
	require.Equal(t, "conflict", s.text(`SELECT state FROM closesync.record_status WHERE close_id = $1`, contact))
	code, _, _ := command(t, s.env, "status", "--wait-idle", "20s")
	require.Equal(t, 3, code, "an open conflict")
	code, _, log := command(t, s.env, "conflicts", "resolve", s.text("SELECT id::text FROM closesync.conflicts WHERE status = 'open'"), "--take", "local")
	require.Equal(t, 0, code, log)
	s.until("resolved", func() bool { return s.close.Get(contact)["name"] == "here" && s.idle() })
	require.Equal(t, "0", s.text("SELECT count(*)::text FROM closesync.conflicts WHERE status = 'open'"))
	require.Equal(t, "0", s.text(`SELECT count(*)::text FROM "Sales"."Order" WHERE untouched <> 'mine'`))
}
