package closetest

import (
	"encoding/json"
	"net/http"
	"slices"
	"time"
)

// ControlCall describes one call of the control API.
type ControlCall struct {
	Name  string `json:"name"`  // path below /_control/
	Takes string `json:"takes"` // an example body; "" for none
	Does  string `json:"does"`
	run   func(s *Server, b *controlBody) (any, error)
}

var none = map[string]any{}

// shown is the answer of a call that leaves a record behind.
func (s *Server) shown(id string, err error) (any, error) {
	if err != nil {
		return nil, err
	}
	m, ok := s.Get(id)
	if !ok {
		return nil, notFound(kindOfID(id))
	}
	return m, nil
}

func named(name string, value any, err error) (any, error) {
	if err != nil {
		return nil, err
	}
	return map[string]any{name: value}, nil
}

// ControlCalls lists the control API, in the order of its documents.
func ControlCalls() []ControlCall { return slices.Clone(controlCalls) }

var controlCalls = []ControlCall{
	{"create", `{"object_type":"lead","fields":{"name":"A"}}`, "makes a record as a person in the app; answers it", func(s *Server, b *controlBody) (any, error) {
		return s.shown(s.As(b.Actor).Create(b.ObjectType, b.Fields))
	}},
	{"update", `{"id":"lead_…","fields":{"name":"B"}}`, "changes fields; answers the record", func(s *Server, b *controlBody) (any, error) {
		return s.shown(b.ID, s.As(b.Actor).Update(b.ID, b.Fields))
	}},
	{"delete", `{"id":"lead_…"}`, "deletes a record, with a lead all below it", func(s *Server, b *controlBody) (any, error) {
		return none, s.As(b.Actor).Delete(b.ID)
	}},
	{"merge", `{"source":"lead_…","destination":"lead_…"}`, "merges two leads", func(s *Server, b *controlBody) (any, error) {
		return none, s.As(b.Actor).Merge(b.Source, b.Destination)
	}},
	{"get", `{"id":"lead_…"}`, "answers a record, also a hidden one", func(s *Server, b *controlBody) (any, error) { return s.shown(b.ID, nil) }},
	{"list", `{"object_type":"lead"}`, "answers all records of a type, oldest first", func(s *Server, b *controlBody) (any, error) {
		return named("data", append([]map[string]any{}, s.List(b.ObjectType)...), nil)
	}},
	{"changes", `{"id":"lead_…"}`, "answers every change of a record and who made it; all without id", func(s *Server, b *controlBody) (any, error) {
		return named("data", append([]Change{}, s.Changes(b.ID)...), nil)
	}},
	{"hide", `{"id":"lead_…","hidden":true}`, "takes a lead out of every key's sight, or back", func(s *Server, b *controlBody) (any, error) {
		return none, s.Hide(b.ID, b.Hidden)
	}},
	{"bulk/edit", `{"query":{"type":"object_type","object_type":"lead"},"fields":{"status_id":"stat_…"}}`, "sets fields of all leads that a search finds", func(s *Server, b *controlBody) (any, error) {
		n, err := s.BulkEdit(b.Query, b.Fields)
		return named("leads", n, err)
	}},
	{"bulk/delete", `{"query":{"type":"id","value":"lead_…"}}`, "deletes all leads that a search finds", func(s *Server, b *controlBody) (any, error) {
		n, err := s.BulkDelete(b.Query)
		return named("leads", n, err)
	}},
	{"seed", `{"leads":100}`, "adds seeded leads with contacts and opportunities", func(s *Server, b *controlBody) (any, error) {
		return named("leads", s.SeedMore(b.Leads), nil)
	}},
	{"custom_field/create", `{"object_type":"lead","fields":{"name":"Tier","type":"choices","choices":["a"]}}`, "defines a custom field; answers its id", func(s *Server, b *controlBody) (any, error) {
		id, err := s.AddCustomField(b.ObjectType, b.Fields)
		return named("id", id, err)
	}},
	{"custom_field/update", `{"id":"cf_…","fields":{"type":"text"}}`, "renames, changes choices or roles, or converts", func(s *Server, b *controlBody) (any, error) {
		return none, s.UpdateCustomField(b.ID, b.Fields)
	}},
	{"custom_field/delete", `{"id":"cf_…"}`, "removes a definition and all its values", func(s *Server, b *controlBody) (any, error) {
		return none, s.DeleteCustomField(b.ID)
	}},
	{"status/create", `{"object_type":"opportunity","fields":{"label":"Stalled","pipeline_id":"pipe_…"}}`, "adds a status; answers its id", func(s *Server, b *controlBody) (any, error) {
		id, err := s.AddStatus(b.ObjectType, b.Fields)
		return named("id", id, err)
	}},
	{"status/rename", `{"id":"stat_…","label":"New"}`, "renames a status", func(s *Server, b *controlBody) (any, error) {
		return none, s.RenameStatus(b.ID, b.Label)
	}},
	{"status/delete", `{"id":"stat_…"}`, "removes a status; records keep its id", func(s *Server, b *controlBody) (any, error) {
		return none, s.DeleteStatus(b.ID)
	}},
	{"user/create", `{"first_name":"Ada","last_name":"Byron"}`, "adds a member; answers the user's id", func(s *Server, b *controlBody) (any, error) {
		return named("id", s.AddUser(b.FirstName, b.LastName), nil)
	}},
	{"user/active", `{"id":"user_…","active":false}`, "takes a member out of the organization, or back", func(s *Server, b *controlBody) (any, error) {
		return none, s.SetUserActive(b.ID, b.Active)
	}},
	{"currency", `{"currency":"USD"}`, "changes the organization's currency, without any event", func(s *Server, b *controlBody) (any, error) {
		s.SetCurrency(b.Currency)
		return none, nil
	}},
	{"fault", `{"method":"POST","path":"/lead/","kind":"cut_after","nth":1}`, "arms a fault; answers its name", func(s *Server, b *controlBody) (any, error) {
		var f Fault
		if err := json.Unmarshal(b.raw, &f); err != nil {
			return nil, err
		}
		if !slices.Contains(knownFaults, f.Kind) {
			return nil, badRequest("Unknown fault kind %q; there are %s.", f.Kind, commaList(knownFaults))
		}
		return named("name", s.Fault(f), nil)
	}},
	{"faults", ``, "disarms all faults", func(s *Server, _ *controlBody) (any, error) {
		s.ClearFaults()
		return none, nil
	}},
	{"latency", `{"latency":"20ms"}`, "delays every answer", func(s *Server, b *controlBody) (any, error) {
		d, err := time.ParseDuration(b.Latency)
		if err == nil {
			s.SetLatency(d)
		}
		return none, err
	}},
	{"limits", `{"key":20,"window":1000000000}`, "sets the rate limits; {} removes them", func(s *Server, b *controlBody) (any, error) {
		var l Limits
		if err := json.Unmarshal(b.raw, &l); err != nil {
			return nil, err
		}
		s.SetLimits(l)
		return none, nil
	}},
	{"limits/drain", `{"group":"GET lead","requests":50}`, "uses up the organization's limit, as another integration would", func(s *Server, b *controlBody) (any, error) {
		s.DrainOrganization(b.Group, b.Requests)
		return none, nil
	}},
	{"timing", `{"consolidation":"5s","index_lag":"30s"}`, "sets how long things take: consolidation, webhook_delay, event_lag, event_cursor_life, index_lag, merge_delay, convert_delay, export_delay", func(s *Server, b *controlBody) (any, error) {
		return none, s.setTiming(b.raw)
	}},
	{"webhooks/flush", ``, "delivers what is due now; answers how many were sent", func(s *Server, b *controlBody) (any, error) {
		return named("sent", s.DeliverWebhooks(b.ctx, http.DefaultClient), nil)
	}},
	{"webhooks/disorder", `{"duplicate":0.2,"drop":0.1,"shuffle":true}`, "repeats, loses and shuffles deliveries", func(s *Server, b *controlBody) (any, error) {
		return none, s.setDisorder(b.raw)
	}},
	{"webhooks/pause", `{"id":"whsub_…"}`, "pauses a subscription and clears its queue, as after three days of failures", func(s *Server, b *controlBody) (any, error) {
		s.PauseWebhook(b.ID)
		return none, nil
	}},
	{"webhooks/drop", ``, "loses everything queued", func(s *Server, _ *controlBody) (any, error) {
		s.DropWebhooks()
		return none, nil
	}},
	{"key", `{"role":"user"}`, "makes a further key: admin, user or restricteduser", func(s *Server, b *controlBody) (any, error) {
		return named("key", s.AddKey(b.Role), nil)
	}},
	{"key/revoke", `{"key_id":"api_…","revoked":true}`, "makes a key answer 401, or work again", func(s *Server, b *controlBody) (any, error) {
		s.RevokeKey(b.KeyID, b.Revoked)
		return none, nil
	}},
	{"cursors/rotate", ``, "makes every cursor handed out so far invalid", func(s *Server, _ *controlBody) (any, error) {
		s.RotateCursors()
		return none, nil
	}},
	{"clock", `{"advance":"5m"}`, "answers the time; moves it on where the clock is virtual", func(s *Server, b *controlBody) (any, error) {
		return s.controlClock(b.Advance)
	}},
	{"requests", ``, "answers every request seen; DELETE forgets them", func(s *Server, b *controlBody) (any, error) {
		if b.method == http.MethodDelete {
			s.ResetRequests()
		}
		return named("data", append([]Request{}, s.Requests()...), nil)
	}},
	{"violations", ``, "answers what no good client does", func(s *Server, _ *controlBody) (any, error) {
		return named("data", append([]string{}, s.Violations()...), nil)
	}},
}
