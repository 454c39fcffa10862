package main

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestSecurity_25_WeakTransportIsTold(t *testing.T) {
	t.Setenv("PGSSLMODE", "")
	for url, weak := range map[string]bool{
		"postgres://u@127.0.0.1/db?sslmode=disable":            false,
		"postgres://u@localhost/db?sslmode=disable":            false,
		"postgres://u@[::1]/db":                                false,
		"host=/var/run/postgresql dbname=db":                   false,
		"postgres://u@db.example.com/db?sslmode=verify-full":   false,
		"postgres://u@db.example.com/db?sslmode=disable":       true,
		"postgres://u@db.example.com/db?sslmode=prefer":        true,
		"postgres://u@db.example.com/db":                       true,
		"postgres://u@db.example.com/db?sslmode=require":       true,
		"postgres://u@10.1.2.3/db?sslmode=require":             true,
		"host=db.example.com dbname=db sslmode=verify-full":    false,
		"postgres://u:canary@db.example.com/db?sslmode=prefer": true,
	} {
		got := transportWarning(url)
		require.Equal(t, weak, got != "", "%s: %s", url, got)
		require.NotContains(t, got, "canary")
		if weak {
			require.Contains(t, got, "sslmode=verify-full")
		}
	}
}
