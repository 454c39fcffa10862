package store_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"closesync/sync/engine"
)

// A list of definitions that Close gives in part takes none away.
func TestSaveReference_AnIncompleteListTakesNothingAway(t *testing.T) {
	t.Parallel()
	s, pool := opened(t)
	shared := engine.CustomField{ID: "cf_shared", ObjectType: "shared", Name: "Shared", Type: "text"}
	lead := engine.CustomField{ID: "cf_lead", ObjectType: "lead", Name: "Lead", Type: "text"}
	stored := func() (ids []string) {
		require.NoError(t, pool.QueryRow(t.Context(), "SELECT array_agg(close_id ORDER BY close_id) FROM crm.custom_fields").Scan(&ids))
		return ids
	}
	require.NoError(t, s.SaveReference(t.Context(), engine.Reference{CustomFields: []engine.CustomField{shared, lead}}))
	require.NoError(t, s.SaveReference(t.Context(), engine.Reference{CustomFields: []engine.CustomField{lead}, Incomplete: true}))
	require.Equal(t, []string{"cf_lead", "cf_shared"}, stored())
	require.NoError(t, s.SaveReference(t.Context(), engine.Reference{CustomFields: []engine.CustomField{lead}}))
	require.Equal(t, []string{"cf_lead"}, stored())
}
