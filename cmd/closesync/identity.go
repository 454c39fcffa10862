package main

import (
	"crypto/sha256"
	"encoding/hex"

	"closesync/mapping"
)

// contentID names a delivery that names itself by nothing.
func contentID(raw []byte) string {
	sum := sha256.Sum256(raw)
	return hex.EncodeToString(sum[:11])
}

// mergeSource is the lead that a merge event ended, if it is one.
func mergeSource(raw []byte) string {
	ev, err := mapping.DecodeEvent(raw)
	if err != nil || ev.Action != "merged" {
		return ""
	}
	return ev.MergeSource
}
