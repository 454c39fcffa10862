package mapping

import (
	"testing"

	"github.com/stretchr/testify/require"
)

// TestMarkerIsNoField: the marker is read and sent apart from the fields, and
// never among them.
func TestMarkerIsNoField(t *testing.T) {
	t.Parallel()
	o := Default("lead")
	o.ExternalID = "cf_m"
	r, err := DecodeRemote(o, []byte(`{"id":"lead_1","name":"A","custom.cf_m":"ours","custom.cf_x":"theirs"}`), nil)
	require.NoError(t, err)
	require.Equal(t, "ours", r.Marker)
	require.Equal(t, Record{"name": `"A"`, "custom.cf_x": `"theirs"`}, r.Record)
	_, mapped := o.Field("custom.cf_m")
	require.False(t, mapped)

	o.FillMissing(r.Record, Record{"custom.cf_m": `"old"`, "custom.cf_y": `1`})
	require.Equal(t, Record{"name": `"A"`, "custom.cf_x": `"theirs"`, "custom.cf_y": Null}, r.Record)

	for _, c := range []struct {
		set          Record
		marker, want string
	}{
		{Record{"name": `"A"`}, `x"y`, `{"custom.cf_m":"x\"y","name":"A"}`},
		{nil, "x", `{"custom.cf_m":"x"}`},
		{Record{"name": `"A"`}, "", `{"name":"A"}`},
	} {
		body, err := EncodeCreate(o, c.set, c.marker)
		require.NoError(t, err)
		require.JSONEq(t, c.want, string(body))
	}
	body, err := EncodeCreate(Default("lead"), Record{"name": `"A"`}, "x")
	require.NoError(t, err)
	require.JSONEq(t, `{"name":"A"}`, string(body), "without a field for it nothing is sent")
	_, err = EncodeRemote(o, Record{"custom.cf_m": `"x"`})
	require.Error(t, err)
}
