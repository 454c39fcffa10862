package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"closesync/mapping"
	"closesync/sync/closeapi"
)

// markerName is what our hidden custom field is called in Close.
const markerName = "closesync marker"

// markers finds the hidden fields for markers, and creates those that Close
// does not have, if the flag or somebody at the terminal says so.
func (k *closeSide) markers(ctx context.Context, create bool) error {
	var missing []string
	for _, t := range mapping.Types() {
		if k.marker[t] = markerIn(k.fields[t]); k.marker[t] == "" {
			missing = append(missing, t)
		}
	}
	if k.client == nil || len(missing) == 0 || !(create || k.agrees(missing)) {
		return nil
	}
	if err := k.mayWrite(ctx, k.cfg, k.client); err != nil {
		return err
	}
	for _, t := range missing {
		id, err := k.createMarker(ctx, t)
		if err != nil {
			return err
		}
		k.marker[t] = id
		_, _ = fmt.Fprintf(k.err, "Close has a hidden custom field %q for %s now: %s\n", markerName, t, id)
	}
	return nil
}

func markerIn(fields []closeapi.CustomFieldDef) string {
	i := slices.IndexFunc(fields, func(f closeapi.CustomFieldDef) bool { return f.Name == markerName && f.Type == "hidden" })
	if i < 0 {
		return ""
	}
	return fields[i].ID
}

// agrees asks at a terminal; elsewhere only the flag creates anything.
func (k *closeSide) agrees(types []string) bool {
	if !isTerminal(k.in) {
		return false
	}
	_, _ = fmt.Fprintf(k.err, "Create a hidden custom field %q in Close for %s? A create whose answer was lost is then found again for sure. [y/N] ",
		markerName, strings.Join(types, ", "))
	line, _ := bufio.NewReader(k.in).ReadString('\n')
	answer := strings.ToLower(strings.TrimSpace(line))
	return answer == "y" || answer == "yes"
}

// createMarker looks again when it is not known whether the field was made.
func (k *closeSide) createMarker(ctx context.Context, objectType string) (string, error) {
	made, err := k.client.CreateCustomField(ctx, objectType, closeapi.NewCustomField{Name: markerName, Type: "hidden",
		Description: "Written by closesync when it creates a record, to find it again. Do not edit."})
	if err == nil {
		return made.ID, nil
	}
	if _, unknown := errors.AsType[*closeapi.UnknownOutcomeError](err); unknown {
		if found, lerr := k.client.CustomFields(ctx, objectType); lerr == nil && markerIn(found) != "" {
			return markerIn(found), nil
		}
	}
	return "", fmt.Errorf("hidden custom field for %s: %w", objectType, err)
}

// marker checks external_id_field against what Close has.
func (k *checking) marker(o *mapping.Object, defined []closeapi.CustomFieldDef) bool {
	if o.ExternalID == "" {
		return true
	}
	id := "mapping " + o.Type
	i := slices.IndexFunc(defined, func(f closeapi.CustomFieldDef) bool { return f.ID == o.ExternalID })
	if i < 0 {
		k.bad(id, "Close has no field "+o.ExternalID+", which is external_id_field", "correct the id, or make the field: closesync mapping init --create-marker, with --config naming a new file")
		return false
	}
	switch f := defined[i]; {
	case f.Type != "hidden" && f.Type != "text":
		k.bad(id, "external_id_field "+f.ID+" is of type "+f.Type, "use a field of type hidden")
	case f.AcceptsMultipleValues:
		k.bad(id, "external_id_field "+f.ID+" takes several values", "use a field of type hidden with one value")
	case f.ConvertingToType != nil:
		k.bad(id, "external_id_field "+f.ID+" is being converted to "+*f.ConvertingToType, "use a field of type hidden")
	case len(f.EditableWithRoles) > 0:
		k.bad(id, "external_id_field "+f.ID+" may be edited by some roles only", "let the role of the key's user edit it")
	default:
		return true
	}
	return false
}
