# PostgreSQL of a private stack: a cluster of its own, reached by a Unix socket only.
# shellcheck shell=bash

DB_OWNER=ota_owner     # owns the database, runs the migrations
DB_SERVICE=ota_service # what the bridge logs in as: neither DDL nor changes of the audit log
DB_NAME=ota

# PostgreSQL refuses to run as root; then the package's own account runs it.
as_postgres() {
  if ((EUID == 0)); then
    setpriv --reuid=postgres --regid=postgres --init-groups --reset-env "$@"
  else
    "$@"
  fi
}

postgres_is_alive() { part_pid postgres >/dev/null; }

start_postgres() {
  postgres_is_alive && return
  choose_cluster_place
  if [[ ! -s $CLUSTER_DIR/data/PG_VERSION ]]; then make_cluster; fi
  clear_stale_cluster_locks
  launch_postgres
  if ! wait_until 60 postgres_answers || ! postgres_is_alive; then
    show_log_tail postgres
    die "PostgreSQL did not become ready within 60 s; its log says why"
  fi
  make_roles
}

# ---- where the cluster lives -------------------------------------------------------------------

# <dir>/postgres, unless the server could not work there: its account cannot pass a 0700 folder such as /root, and a
# socket's path must stay below 107 characters. Then a folder of our own beneath /var/lib (or /tmp for an ordinary
# user's socket), which is remembered in the settings.
choose_cluster_place() {
  [[ -z ${CLUSTER_DIR:-} ]] || { restore_socket_dir; return; }
  local digest
  digest=$(printf '%s' "$STACK_DIR" | sha256sum)
  CLUSTER_DIR=$STACK_DIR/postgres
  if ((EUID != 0)); then
    install -d -m 0700 "$CLUSTER_DIR"
  elif ! postgres_can_use "$CLUSTER_DIR"; then
    rmdir "$CLUSTER_DIR" 2>/dev/null || true
    CLUSTER_DIR=/var/lib/ota-bridge-${digest:0:12}
    remove_leftover_cluster
    postgres_can_use "$CLUSTER_DIR" || die "PostgreSQL's account cannot use $CLUSTER_DIR"
  fi
  SOCKET_DIR=$CLUSTER_DIR
  ((${#SOCKET_DIR} <= 90)) || SOCKET_DIR=/tmp/ota-bridge-${digest:0:12}
  restore_socket_dir
  save_settings
}

# postgres_can_use FOLDER: makes it for the server's account; fails where that account cannot get there.
postgres_can_use() {
  install -d -m 0700 -o postgres -g postgres "$1" 2>/dev/null && as_postgres test -w "$1"
}

# The stack's folder is gone but its database stayed behind: it belonged to that folder.
remove_leftover_cluster() {
  [[ -d $CLUSTER_DIR ]] || return 0
  say "removing $CLUSTER_DIR, the database of an earlier $STACK_DIR that was deleted"
  local pid
  read -r pid 2>/dev/null <"$CLUSTER_DIR/data/postmaster.pid" || pid=
  if [[ $pid =~ ^[0-9]+$ && $(readlink "/proc/$pid/cwd") == "$CLUSTER_DIR/data" ]]; then
    kill -s INT "$pid"
    wait_until 30 cluster_is_unused || die "PostgreSQL (pid $pid) in $CLUSTER_DIR does not stop"
  fi
  rm -rf "$CLUSTER_DIR"
}

# A folder in /tmp may be cleaned away, or planted by somebody else.
restore_socket_dir() {
  [[ -d $SOCKET_DIR ]] || as_postgres mkdir -m 0700 "$SOCKET_DIR" || die "cannot make $SOCKET_DIR for PostgreSQL's socket"
  as_postgres test -O "$SOCKET_DIR" || die "$SOCKET_DIR belongs to somebody else; remove it or use another --dir"
}

remove_cluster() {
  [[ -n ${CLUSTER_DIR:-} ]] || return 0
  rm -rf "$CLUSTER_DIR"
  [[ $SOCKET_DIR == "$CLUSTER_DIR" ]] || rm -rf "$SOCKET_DIR"
}

# ---- making it ---------------------------------------------------------------------------------

# The binaries of the version that made the cluster, else the newest.
postgres_bin() {
  local version directory
  version=$(cat "$CLUSTER_DIR/data/PG_VERSION" 2>/dev/null) || version=
  directory=$(printf '%s\n' /usr/lib/postgresql/*/bin | sort -V | tail -n 1)
  [[ -z $version ]] || directory=/usr/lib/postgresql/$version/bin
  [[ -x $directory/postgres ]] || die "PostgreSQL ${version:-server} is not installed in /usr/lib/postgresql"
  printf '%s' "$directory"
}

# Made under another name and renamed, so that an interrupted initdb leaves nothing that looks like a cluster.
make_cluster() {
  local new=$CLUSTER_DIR/data.new password_file=$CLUSTER_DIR/.password
  as_postgres rm -rf "$new"
  # shellcheck disable=SC2016 # $1 is the inner shell's
  printf '%s\n' "$DB_SUPER_PASSWORD" | as_postgres sh -c 'umask 077; cat >"$1"' sh "$password_file"
  (cd / && as_postgres "$(postgres_bin)/initdb" -D "$new" -U postgres -A scram-sha-256 --pwfile="$password_file" \
    -E UTF8 --locale=C.UTF-8 --no-instructions --no-sync) >>"$STACK_DIR/logs/postgres.log" 2>&1 || {
    show_log_tail postgres
    die "initdb could not make a cluster in $CLUSTER_DIR"
  }
  as_postgres rm -f "$password_file"
  # shellcheck disable=SC2016
  as_postgres sh -c 'cat >>"$1/postgresql.conf"' sh "$new" <<'TEXT'

# Reached by socket only; everything else stays at PostgreSQL's durable defaults.
listen_addresses = ''
max_connections = 200
logging_collector = off
log_line_prefix = '%m [%p] %u '
TEXT
  as_postgres mv "$new" "$CLUSTER_DIR/data"
}

# ---- running it --------------------------------------------------------------------------------

launch_postgres() {
  local -a account=()
  ((EUID != 0)) || account=(setpriv --reuid=postgres --regid=postgres --init-groups)
  launch postgres "$CLUSTER_DIR/data" "${account[@]}" env -u PGDATA -u PGPORT LC_ALL=C.UTF-8 \
    "$(postgres_bin)/postgres" -D "$CLUSTER_DIR/data" -k "$SOCKET_DIR"
}

# The postmaster writes its state into the eighth line of its pid file.
postgres_answers() {
  postgres_is_alive || return 0
  [[ $(sed -n 8p "$CLUSTER_DIR/data/postmaster.pid" 2>/dev/null) == ready* ]]
}

# After kill -9 the pid file names a process that is dead, a zombie that nobody reaps, or a stranger with the same
# pid, and PostgreSQL would refuse to start. It may go once no process works in the data folder any more.
clear_stale_cluster_locks() {
  [[ -e $CLUSTER_DIR/data/postmaster.pid ]] || return 0
  wait_until 30 cluster_is_unused || die "processes of an earlier PostgreSQL still work in $CLUSTER_DIR/data"
  rm -f "$CLUSTER_DIR/data/postmaster.pid" "$SOCKET_DIR/.s.PGSQL.5432.lock" "$SOCKET_DIR/.s.PGSQL.5432"
}

# All of PostgreSQL's processes have the data folder as their working directory.
cluster_is_unused() {
  local link
  link=$(find /proc/[0-9]*/cwd -maxdepth 0 -lname "$(escape_glob "$CLUSTER_DIR/data")" -print -quit 2>/dev/null) || true
  [[ -z $link ]]
}

# run_psql USER PASSWORD DATABASE ARGUMENT…: on the private cluster, whatever PG* variables the caller has.
run_psql() {
  local user=$1 password=$2 database=$3
  shift 3
  (
    unset "${!PG@}"
    PGPASSWORD=$password psql -X -q -v ON_ERROR_STOP=1 -h "$SOCKET_DIR" -p 5432 -U "$user" -d "$database" "$@"
  )
}

# Idempotent: an interrupted first run is completed by the next one. The owner may look at and end other sessions, so
# that its user can work on the stack by hand, but it is no superuser.
make_roles() {
  run_psql postgres "$DB_SUPER_PASSWORD" postgres -v owner="$DB_OWNER" -v service="$DB_SERVICE" \
    -v database="$DB_NAME" >>"$STACK_DIR/logs/postgres.log" 2>&1 <<TEXT || die "the database roles could not be made"
\\set owner_password '$DB_OWNER_PASSWORD'
\\set service_password '$DB_SERVICE_PASSWORD'
SET client_min_messages = error;
SELECT format('CREATE ROLE %I LOGIN CREATEDB', :'owner')
  WHERE NOT EXISTS (SELECT FROM pg_roles WHERE rolname = :'owner') \\gexec
SELECT format('CREATE ROLE %I LOGIN', :'service')
  WHERE NOT EXISTS (SELECT FROM pg_roles WHERE rolname = :'service') \\gexec
ALTER ROLE :"owner" PASSWORD :'owner_password';
ALTER ROLE :"service" PASSWORD :'service_password';
GRANT pg_monitor, pg_signal_backend TO :"owner";
SELECT format('CREATE DATABASE %I OWNER %I', :'database', :'owner')
  WHERE NOT EXISTS (SELECT FROM pg_database WHERE datname = :'database') \\gexec
TEXT
}

# SIGINT is PostgreSQL's fast shutdown; SIGQUIT the immediate one, for data that is deleted anyway.
stop_postgres() { stop_part postgres "${1:-INT}" 60; }
