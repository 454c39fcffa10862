package closetest

import (
	"slices"
	"strings"
)

func (s *Server) customShape(d *customField) map[string]any {
	by := s.cat.users[0].id
	roles := []any{}
	for _, r := range d.editableWithRoles {
		roles = append(roles, r)
	}
	m := map[string]any{"id": d.id, "name": d.name, "description": nil, "type": d.kind,
		"accepts_multiple_values": d.multi, "editable_with_roles": roles, "is_shared": d.shared,
		"organization_id": s.cat.orgID, "created_by": by, "updated_by": by,
		"date_created": zoned(d.created), "date_updated": zoned(d.updated)}
	if d.kind == "choices" {
		m["choices"] = d.choices
	}
	if d.convertingTo != "" {
		m["converting_to_type"] = d.convertingTo
	}
	if d.shared {
		assoc := []any{}
		for _, k := range d.objects {
			assoc = append(assoc, map[string]any{"object_type": k, "editable_with_roles": []any{}, "required": false})
		}
		m["associations"] = assoc
	}
	return m
}

// schema is every field of an object type, regular and shared.
func (s *Server) schema(kind string) map[string]any {
	fields := []any{}
	for _, d := range s.order {
		if d.on(kind) {
			fields = append(fields, s.customShape(d))
		}
	}
	return map[string]any{"object_type": kind, "fields": fields}
}

// customFieldEndpoint is the life of definitions: /custom_field/{lead,
// contact, opportunity, shared}/[id/].
func (s *Server) customFieldEndpoint(req *request) ([]byte, *apiError) {
	if len(req.parts) < 2 {
		return nil, sentence(404, "Not found")
	}
	kind := req.parts[1]
	if len(req.parts) == 2 && req.method == "GET" {
		rows := []any{}
		for _, d := range s.order {
			if (kind == "shared" && d.shared) || (!d.shared && d.on(kind)) {
				rows = append(rows, s.customShape(d))
			}
		}
		return encode(listed(rows)), nil
	}
	if req.method != "GET" && req.key.role != RoleAdmin {
		return nil, sentence(403, "You do not have permission to manage Custom Fields.")
	}
	if len(req.parts) == 2 && req.method == "POST" {
		d, err := s.newCustomField(kind, req.body)
		if err != nil {
			return nil, err
		}
		return encode(s.customShape(d)), nil
	}
	if len(req.parts) < 3 || s.customs[req.parts[2]] == nil {
		return nil, notFound("custom field")
	}
	d := s.customs[req.parts[2]]
	if len(req.parts) > 3 {
		return s.associationEndpoint(req, d)
	}
	switch req.method {
	case "DELETE":
		s.dropCustomField(d)
		return []byte("{}"), nil
	case "PUT":
		s.changeCustomField(d, req.body)
	case "POST":
		return nil, sentence(405, "Method not allowed")
	}
	return encode(s.customShape(d)), nil
}

// associationEndpoint puts a shared field on a further object type, or takes it
// off one (/association/{object type}/): its values vanish there at once.
func (s *Server) associationEndpoint(req *request, d *customField) ([]byte, *apiError) {
	if !d.shared || req.parts[3] != "association" {
		return nil, sentence(404, "Not found")
	}
	switch {
	case len(req.parts) == 4 && req.method == "POST":
		k, _ := req.body["object_type"].(string)
		if !slices.Contains(kinds, k) {
			return nil, fieldErrors{"object_type": "Not a valid choice."}.err()
		}
		if !d.on(k) {
			d.objects = append(d.objects, k)
		}
	case len(req.parts) == 5 && req.method == "DELETE":
		k := req.parts[4]
		if !d.on(k) {
			return nil, notFound("association")
		}
		s.eachWith(d, func(r *record, f map[string]any, key string) {
			if r.kind == k {
				delete(f, key)
			}
		})
		d.objects = slices.DeleteFunc(d.objects, func(o string) bool { return o == k })
	default:
		return nil, sentence(405, "Method not allowed")
	}
	d.updated = s.stamp()
	s.emitCustomField(d, d.scope(), "updated")
	return encode(s.customShape(d)), nil
}

var customTypes = []string{"text", "number", "date", "datetime", "choices", "user", "contact", "custom_object", "textarea", "hidden"}

func (s *Server) newCustomField(kind string, body map[string]any) (*customField, *apiError) {
	d := &customField{shared: kind == "shared"}
	d.name, _ = body["name"].(string)
	d.kind, _ = body["type"].(string)
	f := fieldErrors{}
	if strings.TrimSpace(d.name) == "" {
		f["name"] = "This field is required."
	}
	if !slices.Contains(customTypes, d.kind) {
		f["type"] = "Not a valid choice."
	}
	if err := f.err(); err != nil {
		return nil, err
	}
	if !d.shared {
		d.objects = []string{kind}
	}
	d.multi, _ = body["accepts_multiple_values"].(bool)
	d.choices, d.editableWithRoles = texts(body["choices"]), texts(body["editable_with_roles"])
	s.addCustomField(d)
	s.emitCustomField(d, kind, "created")
	return d, nil
}

func texts(v any) []string {
	list, _ := v.([]any)
	var out []string
	for _, e := range list {
		if t, ok := e.(string); ok {
			out = append(out, t)
		}
	}
	return out
}

// changeCustomField renames, changes choices or roles, and converts: the new
// type holds Options.ConvertDelay later.
func (s *Server) changeCustomField(d *customField, body map[string]any) {
	if n, ok := body["name"].(string); ok {
		d.name, d.nameJSON = n, encode(n)
	}
	if c, ok := body["choices"]; ok {
		s.materialise()
		d.choices = texts(c)
		s.chooseSeedCustoms()
	}
	if r, ok := body["editable_with_roles"]; ok {
		d.editableWithRoles = texts(r)
	}
	if to, ok := body["type"].(string); ok && to != d.kind && slices.Contains(customTypes, to) {
		s.startConversion(d, to)
	}
	d.updated = s.stamp()
	s.emitCustomField(d, d.scope(), "updated")
}

// dropCustomField deletes a definition: its values vanish at once, with no
// event of the records and without moving date_updated.
func (s *Server) dropCustomField(d *customField) {
	s.eachWith(d, func(_ *record, f map[string]any, key string) { delete(f, key) })
	delete(s.customs, d.id)
	s.order = slices.DeleteFunc(s.order, func(x *customField) bool { return x == d })
	s.chooseSeedCustoms()
	s.emitCustomField(d, d.scope(), "deleted")
}

// eachWith changes the fields of every record that has a value of d.
func (s *Server) eachWith(d *customField, change func(r *record, f map[string]any, key string)) {
	s.materialise()
	key := customPrefix + d.id
	for _, r := range s.records {
		if member(r.live.raw, key) == nil {
			continue
		}
		f := s.fields(r.live)
		change(r, f, key)
		s.save(&version{rec: r, created: r.live.created, updated: r.live.updated}, f)
	}
}

func (d *customField) scope() string {
	if d.shared || len(d.objects) == 0 {
		return "shared"
	}
	return d.objects[0]
}

func (s *Server) emitCustomField(d *customField, scope, action string) {
	c := &call{actor: Actor{UserID: s.cat.users[0].id}, requestID: s.requestID()}
	if action == "deleted" {
		s.emitThing(c, "custom_fields."+scope, d.id, action, nil, s.customShape(d))
		return
	}
	s.emitThing(c, "custom_fields."+scope, d.id, action, s.customShape(d), map[string]any{})
}

// AddCustomField defines a field as an admin in the app; the body is that of
// POST /custom_field/{object type}/.
func (s *Server) AddCustomField(objectType string, body map[string]any) (string, error) {
	s.lock()
	defer s.mu.Unlock()
	d, err := s.newCustomField(objectType, plainJSON(body))
	if err != nil {
		return "", err
	}
	return d.id, nil
}

// UpdateCustomField changes a definition: name, choices, editable_with_roles,
// or type (a conversion).
func (s *Server) UpdateCustomField(id string, body map[string]any) error {
	s.lock()
	defer s.mu.Unlock()
	if s.customs[id] == nil {
		return notFound("custom field")
	}
	s.changeCustomField(s.customs[id], plainJSON(body))
	return nil
}

// DeleteCustomField removes a definition and all its values.
func (s *Server) DeleteCustomField(id string) error {
	s.lock()
	defer s.mu.Unlock()
	if s.customs[id] == nil {
		return notFound("custom field")
	}
	s.dropCustomField(s.customs[id])
	return nil
}
