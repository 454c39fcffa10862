package harness

import (
	"fmt"
	"testing"

	"github.com/go-json-experiment/json/jsontext"
	"github.com/stretchr/testify/require"

	"closesync/sync/closetest"
)

func TestFault_A15_WrongTypesParkTheFieldAlone(t *testing.T) {
	w := rested(t, 115, 5)
	id := w.Get("SELECT close_id FROM crm.opportunities WHERE id = 1")
	value := w.Get("SELECT value FROM crm.opportunities WHERE id = 1")
	require.NoError(t, w.Close.Update(id, map[string]any{"note": "beside the wrong type"}))
	w.Close.Fault(closetest.Fault{Name: "types", Kind: closetest.FaultWrongTypes})
	w.Tail()
	require.Equal(t, value, w.Get("SELECT value FROM crm.opportunities WHERE id = 1"), "a value of a wrong type is not an empty one")
	require.Equal(t, "10", w.Get("SELECT count(*) FROM crm.contacts"))
	require.Empty(t, w.changing())
	w.Close.ClearFaults()
	w.Audit()
	w.Equal()
}

func TestFault_A16_UnknownFieldsAreNoError(t *testing.T) {
	t.Parallel()
	w := New(t, Options{Close: closetest.Options{Seed: 116, Leads: 10}})
	w.Close.Fault(closetest.Fault{Kind: closetest.FaultUnknownFields})
	w.Load()
	w.Close.ClearFaults()
	w.Equal()
	require.Equal(t, "0", w.Get("SELECT count(*) FROM closesync.record_status WHERE state <> 'synced'"))
}

func TestFault_A17_BigNumbersKeepTheirDigits(t *testing.T) {
	w := rested(t, 117, 2)
	field, err := w.Close.AddCustomField("lead", map[string]any{"name": "Big", "type": "number"})
	require.NoError(t, err)
	w.Close.Fault(closetest.Fault{Kind: closetest.FaultReplace, Replace: map[string]string{"424242": "9007199254740993"}})
	lead, opportunity := w.Get("SELECT close_id FROM crm.leads WHERE id = 1"), w.Get("SELECT close_id FROM crm.opportunities WHERE id = 1")
	require.NoError(t, w.Close.Update(lead, map[string]any{"custom." + field: 424242}))
	require.NoError(t, w.Close.Update(opportunity, map[string]any{"value": 424242}))
	w.Tail()
	require.Equal(t, "9007199254740993", w.Get("SELECT value FROM crm.opportunities WHERE id = 1"))
	require.Equal(t, "9007199254740993", w.Get("SELECT custom ->> $1 FROM crm.leads WHERE id = 1", field))
	require.Equal(t, "9007199254740993", w.Get("SELECT base ->> 'value' FROM closesync.records WHERE close_id = $1", opportunity))
	require.Empty(t, w.changing())
}

func TestFault_A17_BigNumbersOfOursKeepTheirDigits(t *testing.T) {
	w := rested(t, 1170, 1)
	w.SQL("UPDATE crm.opportunities SET value = 9007199254740993 WHERE id = 1")
	w.Settle()
	sent := ""
	for _, r := range w.Close.Requests() {
		if r.Method == "PUT" {
			sent += r.Body
		}
	}
	require.Contains(t, sent, "9007199254740993")
}

// spoiled are texts that Postgres or Go would not keep, and the rule's form.
var spoiled = [][2]string{{`a\u0000b`, "ab"}, {`x\ud800y`, "x\uFFFDy"}, {`\udc00`, "\uFFFD"}}

func TestFault_A19_SpoiledTextInEveryTextField(t *testing.T) {
	fields := map[string][]string{
		"lead": {"name", "description"}, "contact": {"name", "title"}, "opportunity": {"note"},
	}
	w := rested(t, 119, 2)
	w.Close.Fault(closetest.Fault{Kind: closetest.FaultReplace, Replace: map[string]string{"SPOILED0": spoiled[0][0], "SPOILED1": spoiled[1][0], "SPOILED2": spoiled[2][0]}})
	for i, pair := range spoiled {
		for objectType, names := range fields {
			id := w.Get("SELECT close_id FROM crm." + plural(objectType) + " WHERE id = 1")
			for _, name := range names {
				require.NoError(t, w.Close.Update(id, map[string]any{name: fmt.Sprint("SPOILED", i)}))
				w.Tail()
				got := w.Get("SELECT " + name + " FROM crm." + plural(objectType) + " WHERE id = 1")
				require.Equal(t, pair[1], got, "%s.%s", objectType, name)
				require.Equal(t, "synced", w.Get("SELECT state FROM closesync.record_status WHERE close_id = $1", id))
			}
		}
	}
	w.Audit()
	require.Empty(t, w.changing(), "the form of the rule is never sent back")
}

func plural(objectType string) string {
	if objectType == "opportunity" {
		return "opportunities"
	}
	return objectType + "s"
}

func TestFault_A19_SpoiledTextInsideLists(t *testing.T) {
	w := rested(t, 1190, 2)
	field, err := w.Close.AddCustomField("lead", map[string]any{"name": "Free", "type": "text"})
	require.NoError(t, err)
	w.Close.Fault(closetest.Fault{Kind: closetest.FaultReplace, Replace: map[string]string{"SPOILED": `a\u0000b\ud800`, "spoiled": `a\u0000b\ud800`}})
	lead, contact := w.Get("SELECT close_id FROM crm.leads WHERE id = 1"), w.Get("SELECT close_id FROM crm.contacts WHERE id = 1")
	require.NoError(t, w.Close.Update(lead, map[string]any{"custom." + field: "SPOILED", "addresses": []any{map[string]any{"city": "SPOILED", "label": "business"}}}))
	require.NoError(t, w.Close.Update(contact, map[string]any{"emails": []any{map[string]any{"email": "SPOILED@x.example", "type": "office"}}}))
	w.Tail()
	require.Equal(t, "ab\uFFFD", w.Get("SELECT custom ->> $1 FROM crm.leads WHERE id = 1", field))
	require.Equal(t, "ab\uFFFD", w.Get("SELECT addresses -> 0 ->> 'city' FROM crm.leads WHERE id = 1"))
	require.Equal(t, "ab\uFFFD@x.example", w.Get("SELECT emails -> 0 ->> 'email' FROM crm.contacts WHERE id = 1"))
	w.Audit()
	require.Empty(t, w.changing())
}

func TestFault_A19_AnEventKeepsItsBytes(t *testing.T) {
	w := rested(t, 1191, 1)
	w.Close.Fault(closetest.Fault{Kind: closetest.FaultReplace, Replace: map[string]string{"SPOILED": `a\u0000b`}})
	require.NoError(t, w.Close.Update(w.Get("SELECT close_id FROM crm.leads WHERE id = 1"), map[string]any{"name": "SPOILED"}))
	w.Tail()
	body := w.Get("SELECT string_agg(encode(body, 'escape'), '') FROM closesync.inbox")
	require.Contains(t, body, `a\\u0000b`)
	require.True(t, jsontext.Value(`"a\u0000b"`).IsValid())
}
