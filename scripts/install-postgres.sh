#!/usr/bin/env bash
# Makes sure that Postgres server binaries (initdb, postgres) are installed.
# On Debian and Ubuntu it installs them, without creating or starting a
# cluster. Elsewhere it says what to do. It never fails: the program and the
# tests have other ways, and name them if none works.
set -euo pipefail

found() {
  command -v initdb >/dev/null && command -v postgres >/dev/null && return
  local dir
  for dir in /usr/lib/postgresql/*/bin /usr/pgsql-*/bin /usr/libexec/postgresql* /usr/local/pgsql/bin \
    /opt/homebrew/opt/postgresql@*/bin /usr/local/opt/postgresql@*/bin \
    /Applications/Postgres.app/Contents/Versions/*/bin; do
    [ -x "$dir/initdb" ] && [ -x "$dir/postgres" ] && return
  done
  return 1
}

advise() {
  cat >&2 <<'TEXT'
No Postgres server found. One of these helps:
  - install it: apt-get install postgresql, dnf install postgresql-server,
    apk add postgresql, brew install postgresql@17, winget install PostgreSQL.PostgreSQL.17
  - docker compose up -d postgres, and DATABASE_URL (for tests TEST_DATABASE_URL)
  - DATABASE_URL (for tests TEST_DATABASE_URL) of a Postgres you have
TEXT
  exit 0
}

found && exit 0
[ -n "${TEST_DATABASE_URL:-}" ] && exit 0
command -v apt-get >/dev/null || advise

as_root=()
if [ "$(id -u)" -ne 0 ]; then
  command -v sudo >/dev/null && sudo -n true 2>/dev/null || advise
  as_root=(sudo -n)
fi
apt() { "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get -q -y --no-install-recommends "$@" >&2; }

# Debian's package makes a cluster and starts it unless told otherwise here.
# The setting is taken back afterwards, since the machine is not ours.
setting=/etc/postgresql-common/createcluster.d/closesync-none.conf
trap '"${as_root[@]}" rm -f "$setting"' EXIT
apt install postgresql-common || { apt update && apt install postgresql-common; } || advise
"${as_root[@]}" mkdir -p "$(dirname "$setting")"
echo 'create_main_cluster = false' | "${as_root[@]}" tee "$setting" >/dev/null
apt install postgresql || advise
found || advise
