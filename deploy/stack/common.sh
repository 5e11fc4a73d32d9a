# Shared by every verb: messages, arguments, files, ports, and processes that outlive the shell.
# Sourced by ./ota, which sets OTA_ROOT and STACK_SCRIPTS.
# shellcheck shell=bash

say() { printf 'ota: %s\n' "$*" >&2; }

die() {
  say "$*"
  exit 1
}

usage_error() {
  say "$*"
  exit 2
}

# option_value OPTION COUNT VALUE: the value after an option, or a usage error.
# COUNT is $# at the caller, so that a missing last argument is noticed.
option_value() {
  (($2 >= 2)) || usage_error "$1 needs a value"
  [[ -n $3 ]] || usage_error "$1 needs a value that is not empty"
  printf '%s' "$3"
}

# port_value OPTION COUNT VALUE: the same for a port number.
port_value() {
  option_value "$@" >/dev/null
  if ! [[ $3 =~ ^[1-9][0-9]{0,4}$ ]] || (($3 > 65535)); then
    usage_error "$1 '$3' is not a port; give a number from 1 to 65535"
  fi
  printf '%s' "$3"
}

# The device id grammar of the wire contract; fleet/ids.cpp holds the same rule for the server.
is_device_id() {
  local LC_ALL=C
  [[ $1 =~ ^[A-Za-z0-9._:-]{1,64}$ && $1 != . && $1 != .. ]]
}

# write_atomically FILE MODE < content: readers see the old file or the new one, never half of it.
write_atomically() {
  local file=$1 mode=$2 temporary
  temporary=$(mktemp "$file.XXXXXX")
  cat >"$temporary"
  chmod "$mode" "$temporary"
  mv -f "$temporary" "$file"
}

random_hex() {
  local bytes=$1
  od -An -N"$bytes" -tx1 /dev/urandom | tr -d ' \n'
}

# For tools that match patterns where a plain path is meant.
# shellcheck disable=SC2001 # a class of characters needs sed
escape_glob() { sed 's/[][*?\\]/\\&/g' <<<"$1"; }

now_ms() {
  local microseconds=${EPOCHREALTIME/[^0-9]/}
  printf '%s' "${microseconds%???}"
}

# ---- ports -------------------------------------------------------------------------------------

# A port counts as taken when anything listens on it at any address (no tool needed, only /proc).
port_is_taken() {
  local hex
  printf -v hex ':%04X' "$1"
  awk -v suffix="$hex" '$4 == "0A" && substr($2, length($2) - 4) == suffix { found = 1 } END { exit !found }' \
    /proc/net/tcp /proc/net/tcp6 2>/dev/null
}

# port_belongs_to PORT PID: does this process listen there? Another one may have been quicker by a moment.
port_belongs_to() {
  local hex inode
  printf -v hex ':%04X' "$1"
  while read -r inode; do
    if find "/proc/$2/fd" -lname "socket:\[$inode\]" 2>/dev/null | grep -q .; then return; fi
  done < <(awk -v suffix="$hex" '$4 == "0A" && substr($2, length($2) - 4) == suffix { print $10 }' \
    /proc/net/tcp /proc/net/tcp6 2>/dev/null)
  return 1
}

# Below 32768, where Linux does not place outgoing connections; random, so that stacks that start
# at the same moment do not meet.
random_free_port() {
  local port attempt
  for attempt in {1..200}; do
    port=$((16384 + (RANDOM * 32768 + RANDOM) % 16384))
    # A part that starts later has not taken its port yet.
    [[ " ${HTTP_PORT:-} ${MQTTS_PORT:-} ${MQTT_INTERNAL_PORT:-} " != *" $port "* ]] || continue
    port_is_taken "$port" || {
      printf '%s' "$port"
      return
    }
  done
  die "no free port found after $attempt attempts"
}

# ---- processes ---------------------------------------------------------------------------------

# Field 22 of /proc/PID/stat. Together with the pid it names one process for good, since pids come round again.
process_start_ticks() {
  local stat
  stat=$(cat "/proc/$1/stat" 2>/dev/null) || return 1
  stat=${stat##*) }
  local -a fields
  read -ra fields <<<"$stat"
  [[ ${fields[0]} != Z && ${fields[0]} != X ]] || return 1
  printf '%s' "${fields[19]}"
}

# part_pid NAME: prints the pid when the part that we started is alive. A pid file alone is never believed:
# the start time and the command line must be those of our process.
part_pid() {
  local pid ticks word
  read -r pid ticks word 2>/dev/null <"$STACK_DIR/run/$1.pid" || return 1
  [[ $pid =~ ^[0-9]+$ ]] || return 1
  [[ $(process_start_ticks "$pid") == "$ticks" ]] || return 1
  tr '\0' '\n' 2>/dev/null <"/proc/$pid/cmdline" | grep -qxF -- "$word" || return 1
  printf '%s' "$pid"
}

# launch NAME WORD COMMAND…: starts a part in a session of its own, so that it survives this shell, holds none of
# its descriptors (a caller's "$(./ota up)" would never return) and writes to logs/NAME.log.
# WORD is an argument of the command that proves later whose process it is.
launch() {
  local name=$1 word=$2 pid
  shift 2
  (
    close_inherited_descriptors
    raise_descriptor_limit
    cd / || exit 1
    exec setsid "$@"
  ) </dev/null >>"$STACK_DIR/logs/$name.log" 2>&1 &
  pid=$!
  disown "$pid"
  printf '%s %s %s\n' "$pid" "$(process_start_ticks "$pid")" "$word" | write_atomically "$STACK_DIR/run/$name.pid" 0600
  # Until its exec the child still carries this shell's command line and would not be recognised.
  wait_until 5 part_has_begun "$name" "$pid" || die "$name did not start within 5 s"
}

part_has_begun() { part_pid "$1" >/dev/null || ! process_start_ticks "$2" >/dev/null; }

close_inherited_descriptors() {
  local descriptor
  for descriptor in "/proc/$BASHPID/fd/"*; do
    descriptor=${descriptor##*/}
    ((descriptor > 2)) && eval "exec $descriptor>&-"
  done
  return 0
}

# One descriptor per device connection: take what the system allows.
raise_descriptor_limit() { ulimit -Sn "$(ulimit -Hn)" 2>/dev/null || true; }

# stop_part NAME SIGNAL SECONDS: asks, waits, then kills.
stop_part() {
  local name=$1 signal=$2 seconds=$3 pid
  pid=$(part_pid "$name") || return 0
  kill -s "$signal" "$pid" 2>/dev/null || return 0
  if ! wait_until "$seconds" part_is_down "$name"; then
    say "$name did not stop within $seconds s; killing it"
    kill -s KILL "$pid" 2>/dev/null || true
    wait_until 5 part_is_down "$name" || die "$name (pid $pid) cannot be killed"
  fi
}

part_is_down() { ! part_pid "$1" >/dev/null; }

# wait_until SECONDS COMMAND…: polls until the command succeeds; 1 when the time is over.
wait_until() {
  local deadline_ms=$(($(now_ms) + $1 * 1000))
  shift
  until "$@"; do
    (($(now_ms) < deadline_ms)) || return 1
    sleep 0.03
  done
}

show_log_tail() {
  local log=$STACK_DIR/logs/$1.log
  say "last lines of $log:"
  tail -n 15 "$log" 2>/dev/null | sed 's/^/    /' >&2
}

# lock FILE [SECONDS]: holds an exclusive lock until this shell ends or calls unlock.
lock() {
  while true; do
    exec {LOCK_FD}>>"$1"
    chmod 0600 "$1" 2>/dev/null || true # who can read it could hold it
    if ! flock -n "$LOCK_FD"; then
      say "waiting for another ./ota that works in ${1%/*}"
      flock -w "${2:-120}" "$LOCK_FD" || die "another ./ota still works in ${1%/*}; try again when it is done"
    fi
    # Whoever held it may have deleted the file with the stack.
    [[ ! $1 -ef /proc/$BASHPID/fd/$LOCK_FD ]] || return 0
    unlock
  done
}

unlock() { exec {LOCK_FD}>&-; }
