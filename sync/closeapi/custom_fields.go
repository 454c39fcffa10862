package closeapi

import "context"

// CustomFieldDef defines a custom field.
// Source: developer.close.com/api/resources/custom-fields.
type CustomFieldDef struct {
	ID                    string   `json:"id"`
	Name                  string   `json:"name"`
	Description           *string  `json:"description"`
	Type                  string   `json:"type"` // text, number, date, datetime, choices, user, contact, custom_object, textarea, hidden
	Choices               []string `json:"choices,omitzero"`
	AcceptsMultipleValues bool     `json:"accepts_multiple_values"`
	EditableWithRoles     []string `json:"editable_with_roles,omitzero"` // empty: everyone
	IsShared              bool     `json:"is_shared"`
	ConvertingToType      *string  `json:"converting_to_type,omitzero"`
	Extra                 Extra    `json:",embed"`
}

// CustomFieldSchema is all custom fields of one object type, shared ones
// included, in order: the best answer to which may be set.
type CustomFieldSchema struct {
	ObjectType string           `json:"object_type,omitzero"`
	Fields     []CustomFieldDef `json:"fields"`
	Extra      Extra            `json:",embed"`
}

// NewCustomField is what a field may be created with.
type NewCustomField struct {
	Name                  string   `json:"name"`
	Type                  string   `json:"type"`
	Description           string   `json:"description,omitzero"`
	Choices               []string `json:"choices,omitzero"`
	AcceptsMultipleValues bool     `json:"accepts_multiple_values,omitzero"`
}

// CustomFields lists the definitions of an object type (lead, contact,
// opportunity) or "shared".
// Source: developer.close.com/api/resources/custom-fields/list.
func (c *Client) CustomFields(ctx context.Context, objectType string) ([]CustomFieldDef, error) {
	if err := checkResource(objectType); err != nil {
		return nil, err
	}
	return whole[CustomFieldDef](ctx, c, "custom_field/"+objectType+"/")
}

// CreateCustomField defines a field of an object type. Not safe to run twice.
// Source: developer.close.com/api/resources/custom-fields/create.
func (c *Client) CreateCustomField(ctx context.Context, objectType string, n NewCustomField) (*CustomFieldDef, error) {
	return create[CustomFieldDef](ctx, c, "custom_field/"+objectType, n)
}

// UpdateCustomField changes name, choices, roles or, by a conversion that goes
// on in the background, the type.
// Source: developer.close.com/api/resources/custom-fields/update.
func (c *Client) UpdateCustomField(ctx context.Context, objectType, id string, ch Changes) (*CustomFieldDef, error) {
	return update[CustomFieldDef](ctx, c, "custom_field/"+objectType, id, ch)
}

// DeleteCustomField removes a definition; its values vanish from all records
// at once.
// Source: developer.close.com/api/resources/custom-fields/delete.
func (c *Client) DeleteCustomField(ctx context.Context, objectType, id string) error {
	return c.DeleteRaw(ctx, "custom_field/"+objectType, id)
}

// CustomFieldSchema reads the schema of lead, contact or opportunity.
// Source: developer.close.com/api/resources/custom-field-schemas.
func (c *Client) CustomFieldSchema(ctx context.Context, objectType string) (*CustomFieldSchema, error) {
	path, err := recordPath("custom_field_schema", objectType)
	if err != nil {
		return nil, err
	}
	return get[CustomFieldSchema](ctx, c, path, nil)
}
