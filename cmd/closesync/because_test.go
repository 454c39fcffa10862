package main

import (
	"testing"

	"github.com/go-json-experiment/json/jsontext"
	"github.com/stretchr/testify/require"
)

func TestBecause(t *testing.T) {
	t.Parallel()
	for cause, want := range map[string]string{
		`{"rule":"remote_edit","source":"event_log","event":"ev_1"}`: "edited in Close (event log, event ev_1)",
		`{"rule":"local_edit","intent":12}`:                          "edited here (write 12)",
		`{"rule":"conflict: local","source":"webhook"}`:              "edited on both sides; decided by the rule local (webhook)",
		`{"source":"local","transaction":123456789012}`:              "change of the row, transaction 123456789012",
		`{"rule":"mirror"}`:                                          "kept as Close has it",
		`{"rule":"some_new_one"}`:                                    "some_new_one",
		`{"other":1}`:                                                `{"other":1}`,
		`{}`:                                                         "an unknown cause",
		``:                                                           "an unknown cause",
	} {
		require.Equal(t, want, because(jsontext.Value(cause)), cause)
	}
}
