# ./ota device: enrol and revoke devices of a private stack.
# shellcheck shell=bash

# shellcheck source=deploy/stack/stack.sh
. "$STACK_SCRIPTS/stack.sh"

help_device() {
  cat <<'TEXT'
usage: ./ota device add ID… [--dir DIR]
       ./ota device revoke ID… [--dir DIR]
       ./ota device replace ID… [--dir DIR]

add      makes a key and a certificate with CN = ID for a device of the stack in DIR (default .run) and prints
         CERT=…, KEY=… and CA=…, a line each. A device that is enrolled already keeps its key.
revoke   takes a device's identity back: its connection is ended, the next one refused, its offer withdrawn, and nothing
         it says counts any more.
replace  makes a new key and certificate for other hardware under the same ID and revokes the earlier certificates.

While the bridge runs, it issues and revokes, so that all of it is recorded; else add and revoke work with the
authority's files, and replace waits for the bridge. `otactl device` does the same, and more, from anywhere.

An ID is 1 to 64 of A-Z a-z 0-9 . _ : - (and not . or ..).
TEXT
}

verb_device() {
  local action=${1:-} directory=''
  local -a ids=()
  [[ $action == add || $action == revoke || $action == replace ]] ||
    usage_error "device wants add, revoke or replace, got '$action'"
  shift
  while (($#)); do
    case $1 in
      --dir)
        directory=$(option_value "$1" $# "${2:-}")
        shift
        ;;
      --*) usage_error "device $action does not know '$1'; ./ota device --help explains" ;;
      *) ids+=("$1") ;;
    esac
    shift
  done
  ((${#ids[@]})) || usage_error "device $action needs a device id"
  require_device_ids "${ids[@]}"
  open_stack "${directory:-$OTA_ROOT/.run}"
  [[ -s $STACK_DIR/ca/ca.crt ]] || die "$STACK_DIR has no certificate authority of its own (its broker is $BROKER_KIND)"
  lock "$STACK_DIR/lock"
  "device_$action" "${ids[@]}"
  unlock
}

require_device_ids() {
  local id
  for id in "$@"; do
    is_device_id "$id" ||
      usage_error "'$id' is not a device id; use 1 to 64 of A-Z a-z 0-9 . _ : - (and not . or ..)"
  done
}

device_add() {
  local id
  if bridge_is_alive; then
    for id in "$@"; do
      is_enrolled "$id" || enrol_by_bridge "$id" certificate
    done
  else
    run_ca device "$STACK_DIR/devices" "$@"
  fi
  print_enrolments "$@"
}

device_replace() {
  local id
  bridge_is_alive || die "a device is replaced by the bridge, which does not run; start it with ./ota up"
  for id in "$@"; do enrol_by_bridge "$id" replace; done
  print_enrolments "$@"
}

print_enrolments() {
  local id
  for id in "$@"; do
    env_line CERT "$STACK_DIR/devices/$id.crt"
    env_line KEY "$STACK_DIR/devices/$id.key"
    env_line CA "$STACK_DIR/ca/ca.crt"
  done
}

is_enrolled() { run_ca holds "$STACK_DIR/devices" "$1"; }

# enrol_by_bridge ID ROUTE: a new key, which stays here, and a certificate for it from the bridge.
enrol_by_bridge() {
  local id=$1 route=$2 base=$STACK_DIR/devices/$1 answer
  mkdir -p "$STACK_DIR/devices"
  (umask 077 && openssl ecparam -name prime256v1 -genkey -noout -out "$base.key.new") || die "openssl cannot make a key"
  answer=$(openssl req -new -key "$base.key.new" -subj "/CN=$id" | jq -Rs '{csr: .}' | call_bridge "devices/$id/$route") ||
    die "the bridge issues no certificate for $id: $(jq -r '.detail // .' <<<"$answer" 2>/dev/null || printf '%s' "$answer")"
  mv -f "$base.key.new" "$base.key"
  jq -r .certificate <<<"$answer" | write_atomically "$base.crt" 0644
}

device_revoke() {
  local id
  if bridge_is_alive; then
    for id in "$@"; do revoke_by_bridge "$id"; done
    return
  fi
  for id in "$@"; do
    [[ -s $STACK_DIR/devices/$id.crt ]] || die "device $id is not enrolled in $STACK_DIR"
  done
  local -a certificates=("${@/%/.crt}")
  run_ca revoke "${certificates[@]/#/$STACK_DIR/devices/}"
  if broker_is_alive; then reload_broker; fi
}

# The certificate in the stack's folder may have been made while the bridge was down: its serial goes along.
revoke_by_bridge() {
  local id=$1 certificate=$STACK_DIR/devices/$1.crt serial='' answer
  if [[ -s $certificate ]]; then
    serial=$(openssl x509 -in "$certificate" -noout -serial) || die "$certificate is not a certificate"
    serial=${serial#serial=}
  fi
  answer=$(jq -n --arg serial "$serial" '{why: "./ota device revoke", serials: [$serial | select(. != "")]}' |
    call_bridge "devices/$id/revoke") ||
    die "the bridge does not revoke $id: $(jq -r '.detail // .' <<<"$answer" 2>/dev/null || printf '%s' "$answer")"
  [[ $(jq -r .known <<<"$answer") == true ]] || say "no device $id was ever seen; whoever comes under that id is refused"
  [[ -z $serial ]] || wait_until 10 run_ca lists "$serial" ||
    die "$id is revoked, but after 10 s its certificate is not on the broker's list; ./ota logs bridge says why"
}
