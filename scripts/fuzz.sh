#!/usr/bin/env bash
# Usage: fuzz.sh DURATION
# Runs every fuzz test of the module in turn; go test fuzzes only one a run.
set -euo pipefail
duration=${1:-20s}
for package in $(go list ./...); do
  for test in $(go test -list '^Fuzz' "$package" | grep '^Fuzz' || true); do
    echo "$package $test"
    go test -run '^$' -fuzz "^$test\$" -fuzztime "$duration" "$package"
  done
done
