package remote

import (
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"

	"closesync/mapping"
	"closesync/sync/closetest"
)

func TestWriteAndReadBack(t *testing.T) {
	srv, r := imitation(t, closetest.Options{Seed: 1}, nil)
	lead, err := r.Create(t.Context(), "lead", mapping.Record{"name": mapping.TextValue("Ada")}, "")
	require.NoError(t, err)
	require.Equal(t, mapping.TextValue("Ada"), lead.Record["name"])
	require.False(t, lead.Version.IsZero())

	contact, err := r.Create(t.Context(), "contact", mapping.Record{"lead_id": mapping.TextValue(lead.ID), "name": mapping.TextValue("Bo")}, "")
	require.NoError(t, err)

	lead, err = r.Update(t.Context(), "lead", lead.ID, mapping.Record{"name": mapping.TextValue("Eda"), "description": mapping.TextValue("d")})
	require.NoError(t, err)
	require.Equal(t, mapping.TextValue("Eda"), lead.Record["name"])
	require.Equal(t, mapping.TextValue("d"), lead.Record["description"])

	require.NoError(t, r.Delete(t.Context(), "contact", contact.ID))
	requireClass(t, r.Delete(t.Context(), "contact", contact.ID), classMissing)
	_, err = r.Update(t.Context(), "contact", contact.ID, mapping.Record{"name": mapping.TextValue("x")})
	requireClass(t, err, classMissing)
	require.EqualValues(t, len(srv.Requests()), r.Requests())
}

func TestFault_S12_ChildWithoutParentIsNotSent(t *testing.T) {
	srv, r := imitation(t, closetest.Options{Seed: 1}, nil)
	_, err := r.Create(t.Context(), "contact", mapping.Record{"name": mapping.TextValue("x")}, "")
	requireClass(t, err, classInvalid)
	call := callOf(t, err)
	require.Contains(t, call.Fields, "lead_id")
	_, err = r.Create(t.Context(), "contact", mapping.Record{"lead_id": mapping.LocalRef("7")}, "")
	requireClass(t, err, classInvalid)
	require.Empty(t, srv.Requests())
}

func TestErrorClasses(t *testing.T) {
	for _, tc := range []struct {
		status      int
		body        string
		read, write string
	}{
		{401, `{"error":"bad key"}`, classUnauthorized, classUnauthorized},
		{402, `{"error":"plan"}`, classPlan, classPlan},
		{403, `{"error":"no"}`, classForbidden, classForbidden},
		{400, `{"errors":[],"field-errors":{"name":"too long"}}`, classInvalid, classInvalid},
		{422, `{}`, classInvalid, classInvalid},
		{429, `{}`, classLimited, classLimited},
		{500, `{}`, classTransient, classUnknown},
		{503, ``, classTransient, classUnknown},
		{302, ``, classTransient, classTransient},
		{200, `{"id":"lead_a"`, classTransient, classUnknown},
		{200, `<html>`, classTransient, classUnknown},
		{200, `{"name":"no id"}`, classInvalid, classUnknown},
	} {
		t.Run(http.StatusText(tc.status)+" "+tc.body, func(t *testing.T) {
			r := answering(t, tc.status, tc.body)
			requireClass(t, r.Fetch(t.Context(), "lead", "lead_a").Err, tc.read)
			set := mapping.Record{"name": mapping.TextValue("n")}
			_, err := r.Create(t.Context(), "lead", set, "")
			requireClass(t, err, tc.write)
			created := callOf(t, err)
			_, err = r.Update(t.Context(), "lead", "lead_a", set)
			requireClass(t, err, tc.write)
			if tc.status == http.StatusBadRequest {
				require.Equal(t, map[string]string{"name": "too long"}, created.Fields)
				require.Equal(t, "name: too long", created.Message)
			}
			if tc.write == classLimited {
				require.Positive(t, created.Wait)
			}
		})
	}
}

func TestNoConnectionIsTransient(t *testing.T) {
	r := connect(t, "http://127.0.0.1:1/api/v1/", "api_own.secret", nil)
	_, err := r.Create(t.Context(), "lead", mapping.Record{"name": mapping.TextValue("n")}, "")
	requireClass(t, err, classTransient)
	call := callOf(t, err)
	require.NotContains(t, call.Message, "secret")
}

func TestFault_S16_LostAnswerIsUnknown(t *testing.T) {
	r := serving(t, func(w http.ResponseWriter, _ *http.Request) {
		conn, _, err := w.(http.Hijacker).Hijack()
		if err == nil {
			_ = conn.Close()
		}
	})
	_, err := r.Create(t.Context(), "lead", mapping.Record{"name": mapping.TextValue("n")}, "")
	requireClass(t, err, classUnknown)
}
