#!/usr/bin/env bash
# Builds the committed tree in two clones with caches of their own places and
# compares the binaries.
set -euo pipefail
root=$(git rev-parse --show-toplevel)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
for n in one two; do
	git clone -q "$root" "$work/$n-$RANDOM/src"
done
sums=$(for src in "$work"/*/src; do
	(cd "$src" && CGO_ENABLED=0 go build -trimpath -buildvcs=true -o closesync ./cmd/closesync && sha256sum closesync)
done)
echo "$sums"
[ "$(echo "$sums" | sort -u | wc -l)" = 1 ] || { echo "the two builds differ"; exit 1; }
