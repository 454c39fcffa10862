package store_test

import (
	"os"
	"testing"

	"closesync/internal/testdb"
)

func TestMain(m *testing.M) { os.Exit(testdb.Run(m)) }
