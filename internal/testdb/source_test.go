package testdb

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"
)

// failing is a way that does not work, and works is one that does; both write
// down that they were tried.
func failing(tried *[]string, name string) way {
	return func(context.Context) (*server, error) {
		*tried = append(*tried, name)
		return nil, errors.New("no " + name)
	}
}

func works(tried *[]string, name string, s *server) way {
	return func(context.Context) (*server, error) {
		*tried = append(*tried, name)
		return s, nil
	}
}

func TestFirstOf_TriesInOrder(t *testing.T) {
	var tried []string
	want := &server{}
	got, err := firstOf(t.Context(), works(&tried, "local", want), failing(&tried, "container"))
	require.NoError(t, err)
	require.Same(t, want, got)
	require.Equal(t, []string{"local"}, tried, "a container is not started where binaries are")

	tried = nil
	got, err = firstOf(t.Context(), failing(&tried, "local"), works(&tried, "container", want))
	require.NoError(t, err)
	require.Same(t, want, got)
	require.Equal(t, []string{"local", "container"}, tried)

	_, err = firstOf(t.Context(), failing(&tried, "local"), failing(&tried, "container"))
	require.ErrorContains(t, err, "no local")
	require.ErrorContains(t, err, "no container")
}

// A database that somebody named and that does not answer is not replaced by
// another one.
func TestOpen_AGivenDatabaseIsNotPassedOver(t *testing.T) {
	t.Setenv("TEST_DATABASE_URL", "postgres://nobody@127.0.0.1:1/none?sslmode=disable&connect_timeout=2")
	_, err := open(t.Context())
	require.ErrorContains(t, err, "TEST_DATABASE_URL")
}

func TestOpen_AGivenDatabaseComesFirst(t *testing.T) {
	dsn := New(t)
	t.Setenv("TEST_DATABASE_URL", dsn)
	s, err := open(t.Context())
	require.NoError(t, err)
	defer s.close()
	defer func() { _ = s.admin.Close(context.Background()) }()
	var name string
	require.NoError(t, s.admin.QueryRow(t.Context(), "SELECT current_database()").Scan(&name))
	require.Contains(t, dsn, name)
}

// verdict is what a test without a database comes to.
type verdict struct {
	testing.TB
	skipped, failed string
}

func (v *verdict) Helper()          {}
func (v *verdict) Skip(args ...any) { v.skipped = fmt.Sprint(args...) }

func (v *verdict) Fatal(args ...any) { v.failed = fmt.Sprint(args...) }

func TestMissing_SkipsAloudAndFailsInCI(t *testing.T) {
	t.Setenv("CI", "")
	v := &verdict{TB: t}
	missing(v, errors.New("no server"))
	require.Contains(t, v.skipped, "NO DATABASE, TEST NOT RUN: no server")
	require.Contains(t, v.skipped, "scripts/install-postgres.sh")
	require.Empty(t, v.failed)

	t.Setenv("CI", "true")
	v = &verdict{TB: t}
	missing(v, errors.New("no server"))
	require.Contains(t, v.failed, "NO DATABASE, TEST NOT RUN: no server")
}
