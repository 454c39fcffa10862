package closetest

import (
	"math/rand/v2"
	"strconv"
	"strings"
	"time"
)

// Seeded leads are printed from a template whenever they are read: a seeded
// version is a few words of memory, not four kilobytes. What a template says
// is exactly what saving its fields would print (TestSeed_SameAsSaved).

type seedState struct {
	leads []*record // by position
	start int64     // date_created of the first
	pad   string
}

// seedLeads adds n leads with children, dated before the event log begins.
func (s *Server) seedLeads(n int) {
	if len(s.seeds.leads) == 0 {
		s.seeds.start = micros(s.opt.Now().Add(-380*24*time.Hour).Truncate(time.Second)) + 390000
		s.seeds.pad = strings.Repeat(" lorem ipsum dolor", s.opt.PadBytes/18+1)[:s.opt.PadBytes]
	}
	r := rand.New(rand.NewPCG(s.opt.Seed, uint64(len(s.seeds.leads))+1))
	for range n {
		i := len(s.seeds.leads)
		at := s.seeds.start + int64(i)*1_000_000
		lead := &record{id: newID(r, "lead", 43), kind: kindLead, seed: int32(i + 1)}
		s.seeds.leads = append(s.seeds.leads, lead)
		if k := s.opt.ContactsPerLead + s.opt.OpportunitiesPerLead; k > 0 {
			lead.children = make([]*record, 0, k)
		}
		s.store(lead, &version{rec: lead, created: at, updated: at})
		for j := range s.opt.ContactsPerLead {
			s.seedChild(r, lead, kindContact, j, at)
		}
		for j := range s.opt.OpportunitiesPerLead {
			s.seedChild(r, lead, kindOpportunity, j, at)
		}
	}
}

func (s *Server) seedChild(r *rand.Rand, lead *record, kind string, j int, at int64) {
	ch := &record{id: newID(r, prefixes[kind], 43), kind: kind, seed: lead.seed, child: int16(j)}
	lead.adopt(ch)
	s.store(ch, &version{rec: ch, created: at, updated: at})
}

// SeedMore adds n seeded leads and returns how many leads are seeded in all.
func (s *Server) SeedMore(n int) int {
	s.lock()
	defer s.mu.Unlock()
	s.seedLeads(n)
	return len(s.seeds.leads)
}

func (s *Server) appendSeeded(dst []byte, v *version) []byte {
	switch v.rec.kind {
	case kindLead:
		return s.appendSeededLead(dst, v)
	case kindContact:
		return s.appendSeededContact(dst, v)
	}
	return s.appendSeededOpportunity(dst, v)
}

// put appends the parts in turn; the parts need no escaping.
func put(dst []byte, parts ...string) []byte {
	for _, p := range parts {
		dst = append(dst, p...)
	}
	return dst
}

func seedName(i int) string { return "Brackwater " + strconv.Itoa(i) }

func (s *Server) seedUser(i int) *user { return s.cat.users[i%3] }

func (s *Server) appendDates(dst []byte, v *version) []byte {
	dst = appendZoned(put(dst, `,"date_created":"`), v.created)
	return put(appendZoned(put(dst, `","date_updated":"`), v.updated), `"`)
}

func (s *Server) appendSeededLead(dst []byte, v *version) []byte {
	r, i := v.rec, int(v.rec.seed)
	name, n, st, u := seedName(i), strconv.Itoa(i), s.cat.leadStatuses[i%3], s.seedUser(i)
	dst = put(dst, `{"id":"`, r.id, `","organization_id":"`, s.cat.orgID, `","name":"`, name, `","display_name":"`, name,
		`","description":"Regional haulage firm, truck `, n, s.seeds.pad, `","url":"https://brackwater`, n, `.example","html_url":"https://app.close.com/lead/`, r.id,
		`/","status_id":"`, st.id, `","status_label":"`, st.label,
		`","addresses":[{"address_1":"`, n, ` Quay Road","address_2":"","city":"Oakland","country":"US","label":"business","state":"CA","zipcode":"94607"}],"integration_links":[{"name":"Open in ops tool","url":"https://ops.example/close/`, r.id,
		`"}],"created_by":"`, u.id, `","created_by_name":"`, u.name(), `","updated_by":"`, u.id, `","updated_by_name":"`, u.name(), `"`)
	dst = s.appendDates(dst, v)
	for _, c := range s.seedCustoms(kindLead) {
		dst = put(dst, `,"custom.`, c.id, `":`)
		switch c.kind {
		case "choices":
			choice := c.choices[i%len(c.choices)]
			if c.multi {
				dst = put(dst, `["`, choice, `"]`)
			} else {
				dst = put(dst, `"`, choice, `"`)
			}
		case "number":
			dst = put(dst, n)
		default:
			dst = put(dst, `"acct-`, n, `"`)
		}
	}
	return append(dst, '}')
}

// seedCustoms are the definitions seeded records have values of, in order of
// id as encodeFields has them.
func (s *Server) seedCustoms(kind string) []*customField { return s.seedDefs[kind] }

func (s *Server) chooseSeedCustoms() {
	s.seedDefs = map[string][]*customField{}
	for _, d := range s.order {
		for _, k := range kinds {
			if d.on(k) && (d.kind == "hidden" || d.kind == "choices" && len(d.choices) > 0 || d.kind == "number") && !d.shared {
				s.seedDefs[k] = append(s.seedDefs[k], d)
			}
		}
	}
	for _, defs := range s.seedDefs {
		sortByID(defs)
	}
}

var seedFirst = []string{"Ines", "Bao", "Chidi", "Dana", "Emil", "Farah", "Greta"}

func (s *Server) appendSeededContact(dst []byte, v *version) []byte {
	r, i, j := v.rec, int(v.rec.seed), int(v.rec.child)
	n := strconv.Itoa(i)
	first, u := seedFirst[(i+j)%len(seedFirst)], s.seedUser(i)
	digits := strconv.Itoa(1000000 + (i*7+j)%9000000)
	name := first + " Okafor " + n
	dst = put(dst, `{"id":"`, r.id, `","organization_id":"`, s.cat.orgID, `","lead_id":"`, r.lead.id, `","name":"`, name, `","display_name":"`, name,
		`","title":"Head of Operations","emails":[{"email":"`, lower(first), n, "-", strconv.Itoa(j), `@brackwater.example","is_unsubscribed":false,"type":"office"}],"phones":[{"country":"US","phone":"+1415`, digits,
		`","phone_formatted":"+1 415-`, digits[:3], "-", digits[3:], `","type":"mobile"}],"urls":[{"type":"url","url":"https://social.example/`, n,
		`"}],"timezone":null,"timezone_source":null,"integration_links":[],"created_by":"`, u.id, `","updated_by":"`, u.id, `"`)
	dst = s.appendDates(dst, v)
	for _, c := range s.seedCustoms(kindContact) {
		if c.kind == "choices" {
			dst = put(dst, `,"custom.`, c.id, `":"`, c.choices[i%len(c.choices)], `"`)
		} else {
			dst = put(dst, `,"custom.`, c.id, `":"person-`, n, "-", strconv.Itoa(j), `"`)
		}
	}
	return append(dst, '}')
}

func (s *Server) appendSeededOpportunity(dst []byte, v *version) []byte {
	r, i, j := v.rec, int(v.rec.seed), int(v.rec.child)
	n := strconv.Itoa(i)
	st, u := s.cat.pipelines[0].statuses[i%2], s.seedUser(i)
	value := int64(100000 + (i%500)*1000)
	contact, contactName := "null", "null"
	for _, c := range r.lead.children {
		if c.kind == kindContact {
			if c.seed == r.seed && c.child == 0 {
				contact, contactName = `"`+c.id+`"`, `"`+seedFirst[i%len(seedFirst)]+" Okafor "+n+`"`
			}
			break
		}
	}
	worth, half := strconv.FormatInt(value, 10), strconv.FormatInt(value*60/100, 10)
	dst = put(dst, `{"id":"`, r.id, `","organization_id":"`, s.cat.orgID, `","lead_id":"`, r.lead.id, `","lead_name":"`, seedName(i),
		`","contact_id":`, contact, `,"contact_name":`, contactName, `,"user_id":"`, u.id, `","user_name":"`, u.name(),
		`","pipeline_id":"`, st.pipeline.id, `","pipeline_name":"`, st.pipeline.name, `","status_id":"`, st.id, `","status_label":"`, st.label,
		`","status_display_name":"`, st.label, `","status_type":"`, st.kind, `","value":`, worth, `,"value_period":"annual","value_currency":"`, s.cat.currency,
		`","value_formatted":"`, money(value), ` annual","confidence":60,"expected_value":`, half, `,"annualized_value":`, worth, `,"annualized_expected_value":`, half,
		`,"date_won":null,"date_lost":null,"note":"Renewal of contract `, n, `","note_html":"<body><p>Renewal of contract `, n,
		`</p></body>","attachments":[],"integration_links":[],"created_by":"`, u.id, `","created_by_name":"`, u.name(), `","updated_by":"`, u.id, `","updated_by_name":"`, u.name(), `"`)
	dst = s.appendDates(dst, v)
	for _, c := range s.seedCustoms(kindOpportunity) {
		if c.kind == "number" {
			dst = put(dst, `,"custom.`, c.id, `":`, strconv.Itoa(j))
		} else {
			dst = put(dst, `,"custom.`, c.id, `":"deal-`, n, "-", strconv.Itoa(j), `"`)
		}
	}
	return append(dst, '}')
}

// fixFamily turns a lead and its children into text, before one of them
// leaves: templates name each other's ids.
func (s *Server) fixFamily(lead *record) {
	s.fixText(lead)
	for _, ch := range lead.children {
		s.fixText(ch)
	}
}

func (s *Server) fixText(r *record) {
	for _, v := range []*version{r.live, r.indexed, r.before} {
		if v != nil && v.raw == nil {
			v.raw = s.appendSeeded(nil, v)
		}
	}
}

// materialise turns every seeded version into text, before a definition that
// the templates repeat changes.
func (s *Server) materialise() {
	for _, r := range s.records {
		s.fixText(r)
	}
}
