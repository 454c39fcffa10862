package closetest

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestPipelines(t *testing.T) {
	t.Parallel()
	b := setup(t, Options{Leads: 1})
	p := b.ok("POST", "/pipeline/", obj{"name": "Partners"})
	b.bad(400, "POST", "/pipeline/", obj{})
	path := "/pipeline/" + p["id"].(string) + "/"
	list := p["statuses"].([]any)
	require.Len(t, list, 3)
	turned := b.ok("PUT", path, obj{"name": "Resellers", "statuses": []any{list[2], list[1], list[0]}})
	require.Equal(t, "Resellers", turned["name"])
	require.Equal(t, list[2].(obj)["id"], turned["statuses"].([]any)[0].(obj)["id"])
	o := b.ok("POST", "/opportunity/", obj{"lead_id": b.List("lead")[0]["id"], "pipeline_id": p["id"]})
	require.Equal(t, "Resellers", o["pipeline_name"])
	b.bad(400, "DELETE", path, nil)
	require.NoError(t, b.Delete(o["id"].(string)))
	w := b.raw("DELETE", path)
	require.Equal(t, 204, w.Code)
	require.Empty(t, w.Body.Bytes())
	b.bad(404, "GET", path, nil)
	b.key = b.AddKey(RoleUser)
	b.bad(403, "POST", "/pipeline/", obj{"name": "x"})
}

func TestStatusEvents(t *testing.T) {
	t.Parallel()
	b := setup(t, Options{Leads: 1})
	id, err := b.AddStatus("opportunity", obj{"label": "Stalled"})
	require.NoError(t, err)
	require.NoError(t, b.RenameStatus(id, "Waiting"))
	require.NoError(t, b.DeleteStatus(id))
	var seen []string
	for _, e := range b.events("user_id=" + b.cat.users[0].id) {
		require.Equal(t, id, e["object_id"])
		require.Nil(t, e["lead_id"])
		seen = append(seen, e["object_type"].(string)+" "+e["action"].(string))
	}
	require.Equal(t, []string{"status.opportunity deleted", "status.opportunity updated", "status.opportunity created"}, seen)
	require.Error(t, b.RenameStatus(id, "gone"))
	lead := b.ok("POST", "/status/lead/", obj{"label": "Cold"})
	require.Equal(t, "Warm", b.ok("PUT", "/status/lead/"+lead["id"].(string)+"/", obj{"label": "Warm"})["label"])
	b.ok("DELETE", "/status/lead/"+lead["id"].(string)+"/", nil)
	b.bad(400, "POST", "/status/lead/", obj{})
	b.key = b.AddKey(RoleUser)
	b.bad(403, "POST", "/status/lead/", obj{"label": "x"})
}

func TestMembers(t *testing.T) {
	t.Parallel()
	b := setup(t, Options{Leads: 1})
	id := b.AddUser("Ada", "Byron")
	require.Contains(t, ids(b.ok("GET", "/user/", nil)), id)
	o := "/opportunity/" + b.List("opportunity")[0]["id"].(string) + "/"
	require.Equal(t, id, b.ok("PUT", o, obj{"user_id": id})["user_id"])
	require.NoError(t, b.SetUserActive(id, false))
	require.NotContains(t, ids(b.ok("GET", "/user/", nil)), id)
	require.Equal(t, id, b.ok("PUT", o, obj{"user_id": id, "confidence": 7})["user_id"], "what they own stays theirs")
	b.ok("PUT", o, obj{"user_id": b.cat.users[1].id})
	b.bad(400, "PUT", o, obj{"user_id": id})
	var actions []string
	for _, e := range b.events("user_id=" + b.cat.users[0].id) {
		if e["object_type"] == "membership" {
			actions = append(actions, e["action"].(string))
		}
	}
	require.Equal(t, []string{"deactivated", "activated"}, actions)
	require.Error(t, b.SetUserActive("user_none", true))
}

func TestCurrency_ChangesWithoutAnyEvent(t *testing.T) {
	t.Parallel()
	b := setup(t, Options{Leads: 1})
	was := b.List("opportunity")[0]
	b.SetCurrency("USD")
	is := b.List("opportunity")[0]
	require.Equal(t, "USD", is["value_currency"])
	require.Equal(t, was["date_updated"], is["date_updated"])
	require.Empty(t, b.events(""))
}

func TestPermissions_OthersOpportunities(t *testing.T) {
	t.Parallel()
	b := setup(t, Options{Leads: 1})
	o := "/opportunity/" + b.List("opportunity")[0]["id"].(string) + "/"
	lead := b.List("lead")[0]["id"]
	b.key = b.AddKey(RoleUser)
	b.bad(403, "PUT", o, obj{"confidence": 3})
	b.bad(403, "DELETE", o, nil)
	mine := b.ok("POST", "/opportunity/", obj{"lead_id": lead})
	b.ok("PUT", "/opportunity/"+mine["id"].(string)+"/", obj{"confidence": 3})
	b.ok("DELETE", "/opportunity/"+mine["id"].(string)+"/", nil)
	b.key = b.AddKey(RoleRestricted)
	b.bad(403, "POST", "/lead/merge/", obj{"source": lead, "destination": lead})
}

func TestFault_A40_BulkActions(t *testing.T) {
	t.Parallel()
	b := setup(t, Options{Leads: 30})
	n, err := b.BulkEdit(nil, obj{"status_id": b.cat.leadStatuses[1].id})
	require.NoError(t, err)
	require.Equal(t, 30, n)
	updates := b.events("object_type=lead&action=updated")
	require.Len(t, updates, 20, "ten had that status")
	bulk := updates[0]["meta"].(obj)["bulk_action_id"]
	for _, e := range updates {
		require.Equal(t, bulk, e["meta"].(obj)["bulk_action_id"])
	}
	require.Len(t, b.events("object_type=bulk_action.edit&action=completed"), 1)
	n, err = b.BulkDelete(obj{"type": "text", "value": "Brackwater 3", "mode": "phrase"})
	require.NoError(t, err)
	require.Equal(t, 2, n)
	require.Len(t, b.List("lead"), 28)
	_, err = b.BulkEdit(obj{"type": "guess"}, nil)
	require.Error(t, err)
	_, err = b.BulkEdit(nil, obj{"status_id": "stat_none"})
	require.Error(t, err)
}

func TestChanges(t *testing.T) {
	t.Parallel()
	b := setup(t, Options{Consolidation: time.Minute})
	id := b.newLead(obj{"name": "A"})
	b.ok("PUT", "/lead/"+id+"/", obj{"name": "B"})
	require.NoError(t, b.Update(id, obj{"name": "C"}))
	require.Len(t, b.events(""), 2, "the log folds the two edits into one")
	c, ok := b.LastWriter(id, "name")
	require.True(t, ok)
	require.JSONEq(t, `"B"`, string(c.Old))
	require.JSONEq(t, `"C"`, string(c.New))
	require.Equal(t, Actor{UserID: b.cat.users[1].id}, c.Actor)
	c, ok = b.LastWriter(id, "url")
	require.True(t, ok)
	require.Equal(t, "created", c.Action)
	require.Equal(t, b.key[:26], c.Actor.APIKeyID)
	require.NoError(t, b.Delete(id))
	all := b.Changes(id)
	require.Equal(t, "deleted", all[len(all)-1].Action)
	require.Contains(t, string(all[len(all)-1].Old), `"name":"C"`)
	require.Equal(t, all, b.Changes(""))
	_, ok = b.LastWriter("lead_none", "name")
	require.False(t, ok)
}
