# ./ota device: enrol and revoke devices of a private stack.
# shellcheck shell=bash

# shellcheck source=deploy/stack/stack.sh
. "$STACK_SCRIPTS/stack.sh"

help_device() {
  cat <<'TEXT'
usage: ./ota device add ID… [--dir DIR]
       ./ota device revoke ID… [--dir DIR]

add     makes a key and a certificate with CN = ID for a device of the stack in DIR (default .run) and prints
        CERT=…, KEY=… and CA=…, a line each. A device that is enrolled already keeps its key.
revoke  puts the certificate on the broker's revocation list: the next connection is refused. A connection that
        stands stays until it ends.

An ID is 1 to 64 of A-Z a-z 0-9 . _ : - (and not . or ..).
TEXT
}

verb_device() {
  local action=${1:-} directory=''
  local -a ids=()
  [[ $action == add || $action == revoke ]] || usage_error "device wants add or revoke, got '$action'"
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
  "device_$action" "${ids[@]}"
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
  run_ca device "$STACK_DIR/devices" "$@"
  for id in "$@"; do
    env_line CERT "$STACK_DIR/devices/$id.crt"
    env_line KEY "$STACK_DIR/devices/$id.key"
    env_line CA "$STACK_DIR/ca/ca.crt"
  done
}

device_revoke() {
  local id
  for id in "$@"; do
    [[ -s $STACK_DIR/devices/$id.crt ]] || die "device $id is not enrolled in $STACK_DIR"
  done
  local -a certificates=("${@/%/.crt}")
  run_ca revoke "${certificates[@]/#/$STACK_DIR/devices/}"
  if broker_is_alive; then reload_broker; fi
}
