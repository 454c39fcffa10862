#!/usr/bin/env bash
# Usage: check-migrations.sh FOLDER
# Fails unless the folder holds pairs NNNN_name.up.sql and NNNN_name.down.sql,
# numbered from 0001 without gap, each number once: two branches that both took
# the next number must not both go in.
set -euo pipefail
dir=${1:?folder of the migrations}
failed=0
complain() { echo "$dir: $*" >&2; failed=1; }

expected=1
last=
for file in "$dir"/*.sql; do
  name=$(basename "$file")
  if ! [[ $name =~ ^([0-9]{4})_[a-z0-9_]+\.(up|down)\.sql$ ]]; then
    complain "$name is not named NNNN_name.up.sql or NNNN_name.down.sql"
    continue
  fi
  stem=${name%.*.sql}
  [ -s "$file" ] || complain "$name is empty"
  [ -e "$dir/$stem.up.sql" ] || complain "$stem has no .up.sql"
  [ -e "$dir/$stem.down.sql" ] || complain "$stem has no .down.sql"
  [ "$stem" = "$last" ] && continue
  last=$stem
  number=$((10#${stem%%_*}))
  [ "$number" -eq "$expected" ] || complain "$stem: expected number $(printf %04d "$expected") here (clash or gap)"
  expected=$((number + 1))
done
[ -n "$last" ] || complain "no migrations"
exit "$failed"
