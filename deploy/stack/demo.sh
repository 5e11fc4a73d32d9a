# ./ota demo: a fleet of simulated devices takes an update through a canary, on a private stack.
# shellcheck shell=bash

DEMO_PERCENTAGES=(10 25 50 100)
DEMO_OLD=1.0.0
DEMO_NEW=1.1.0
DEMO_IMAGE_BYTES=262144
# Long enough for the parts to die and come back in the middle of a step.
DEMO_STEP_SECONDS=90

# shellcheck source=deploy/stack/devices.sh
. "$STACK_SCRIPTS/devices.sh"
# shellcheck source=deploy/stack/demo_fleet.sh
. "$STACK_SCRIPTS/demo_fleet.sh"
# shellcheck source=deploy/stack/demo_view.sh
. "$STACK_SCRIPTS/demo_view.sh"

help_demo() {
  cat <<'TEXT'
usage: ./ota demo [--exit] [--dir DIR] [--devices N] [--https]

Starts a private stack, enrols 20 simulated devices (most on MQTT with mutual TLS, every fifth on REST), uploads
versions 1.0.0 and 1.1.0 and moves the fleet through a canary of 10, 25, 50 and 100 percent, with live progress.
Parts that die on the way are started again.

  --exit        stop everything at the end; exit status 1 unless every device runs 1.1.0 and its active slot holds
                exactly the uploaded image
  --dir DIR     use this stack (a running one is used as it is, and stays); default: a fresh one in .demo
  --devices N   5 to 400 devices instead of 20
  --https       REST and downloads over HTTPS
TEXT
}

verb_demo() {
  local directory='' stop_at_end=0 devices=20
  DEMO_TRANSPORT=()
  while (($#)); do
    case $1 in
      --exit) stop_at_end=1 ;;
      --https) DEMO_TRANSPORT=(--https) ;;
      --dir)
        directory=$(option_value "$1" $# "${2:-}")
        shift
        ;;
      --devices)
        devices=$(option_value "$1" $# "${2:-}")
        shift
        ;;
      *) usage_error "demo does not know '$1'; ./ota demo --help explains" ;;
    esac
    shift
  done
  if ! [[ $devices =~ ^[1-9][0-9]{0,2}$ ]] || ((devices < 5 || devices > 400)); then
    usage_error "--devices '$devices' is not a number from 5 to 400"
  fi
  BUILD_TARGETS=("${STACK_TARGETS[@]}")
  ensure_setup
  forget_callers_settings
  STOP_AT_END=$stop_at_end
  begin_demo_stack "$directory"
  name_fleet "$devices"
  run_demo
}

# ---- the stack ---------------------------------------------------------------------------------

# Sets STACK_DIR and DEMO_TAG, which keeps the names of this run apart from those of earlier ones in a stack that
# is used again.
begin_demo_stack() {
  local directory=$1
  DEMO_TAG=''
  if [[ -z $directory ]]; then
    directory=$OTA_ROOT/.demo
    exec {DEMO_LOCK}>>"$OTA_ROOT/.deps/demo.lock"
    flock -n "$DEMO_LOCK" || die "another ./ota demo runs in $directory; give this one a --dir"
    if [[ -e $directory/settings ]]; then ota_quietly down --purge --dir "$directory"; fi
  elif [[ -e $directory/settings ]]; then
    printf -v DEMO_TAG -- '-%(%m%d%H%M%S)T' -1
  fi
  DEMO_WAS_RUNNING=0
  if [[ -e $directory/settings ]] && (open_stack "$directory" && bridge_is_alive); then DEMO_WAS_RUNNING=1; fi
  STACK_DIR=$directory
  DEMO_IS_UP=0
  trap end_demo EXIT
  trap 'STOP_AT_END=1; exit 130' INT TERM
  ota_quietly up --dir "$directory" "${DEMO_TRANSPORT[@]}"
  open_stack "$directory"
  DEMO_IS_UP=1
  [[ $BROKER_KIND == private ]] || die "$STACK_DIR uses an external broker; the demo enrols devices at a private one"
  DEMO_DIR=$STACK_DIR/demo$DEMO_TAG
  mkdir -p "$DEMO_DIR"
  say "stack in $STACK_DIR: $(ota_url), mqtts://$(mqtt_host):$MQTTS_PORT"
}

# This script again, for one verb, on the binaries that are already built.
ota_quietly() { OTA_BUILD_DIR=$(build_dir) "$OTA_ROOT/ota" "$@" >/dev/null; }

# With --exit, and when interrupted, everything ends; but a stack that ran before the demo goes on running, then only
# the demo's devices end. Otherwise all stays, after a failure too, to be looked at.
end_demo() {
  local status=$?
  trap - EXIT
  trap '' INT TERM
  if [[ ! -e $STACK_DIR/settings ]]; then
    : # nothing has begun
  elif ((!STOP_AT_END && DEMO_IS_UP)); then
    print_demo_urls
  elif ((!STOP_AT_END)); then
    say "what has started goes on; ./ota down --dir $STACK_DIR stops it"
  elif ((DEMO_WAS_RUNNING)); then
    if ((DEMO_IS_UP)); then stop_fleet; fi
  else
    ota_quietly down --dir "$STACK_DIR" || status=1
  fi
  exit "$status"
}

# Called over and over while the demo waits: what has died is started again.
revive_parts() {
  local part
  for part in postgres mosquitto bridge; do
    if [[ $part == postgres && $POSTGRES_KIND == external ]] || part_pid "$part" >/dev/null; then continue; fi
    note "$part is down; starting it again"
    # It may fail while another part is away, too; the next round tries again.
    ota_quietly up --dir "$STACK_DIR" 2>/dev/null || true
    load_settings
  done
  revive_fleet
}

# ---- the story ---------------------------------------------------------------------------------

run_demo() {
  local rollout percentage
  enrol_fleet
  make_image "$DEMO_OLD"
  make_image "$DEMO_NEW"
  persist upload_image "$DEMO_OLD"
  persist upload_image "$DEMO_NEW"
  start_fleet
  watch_until "every device has said hello with $DEMO_OLD" fleet_is_known
  for percentage in "${DEMO_PERCENTAGES[@]}"; do
    if [[ -z ${rollout:-} ]]; then
      persist create_rollout "$percentage"
      rollout=$CREATED_ROLLOUT
    else
      persist api PATCH "/api/admin/rollout/$rollout" "{\"rollout_percentage\":$percentage}"
    fi
    DEMO_PERCENTAGE=$percentage
    watch_until "the devices of the $percentage % canary run $DEMO_NEW" canary_is_done
    require_rest_untouched
  done
  require_true_images
}

# persist COMMAND…: an admin's patience. The stack may lose a part in the middle of a request; every request here may
# be repeated.
persist() {
  local deadline_ms=$(($(now_ms) + DEMO_STEP_SECONDS * 1000))
  until "$@" >"$DEMO_DIR/answer" 2>&1; do
    (($(now_ms) < deadline_ms)) || die "'$*' still fails: $(tail -c 300 "$DEMO_DIR/answer")"
    revive_parts
    sleep 0.3
  done
}

watch_until() {
  local what=$1 condition=$2 deadline_ms=$(($(now_ms) + DEMO_STEP_SECONDS * 1000))
  while true; do
    revive_parts
    if read_fleet; then
      draw_fleet
      if "$condition"; then return; fi
    fi
    if (($(now_ms) >= deadline_ms)); then
      explain_fleet
      die "waited $DEMO_STEP_SECONDS s in vain until $what"
    fi
    sleep 0.3
  done
}

# api METHOD PATH [JSON]: the key goes by a file descriptor, not by the command line that others can see.
api() {
  local method=$1 path=$2
  local -a body=()
  if (($# > 2)); then body=(-H 'Content-Type: application/json' --data "$3"); fi
  ask_bridge -sS --max-time 10 --fail-with-body -X "$method" "${body[@]}" "$(ota_url)$path" \
    -K <(printf 'header = "X-API-Key: %s"\n' "$API_KEY")
}

image_file() { printf '%s' "$DEMO_DIR/image-$1.bin"; }

# Random, so that no two demos can be mistaken for each other; the first bytes belong to no known image format.
make_image() {
  {
    printf 'demo firmware %s\n' "$1"
    cat /dev/urandom
  } 2>/dev/null | head -c "$DEMO_IMAGE_BYTES" | write_atomically "$(image_file "$1")" 0644 || true
  [[ $(stat -c %s "$(image_file "$1")") == "$DEMO_IMAGE_BYTES" ]] || die "could not write $(image_file "$1")"
}

upload_image() {
  ask_bridge -sS --max-time 60 --fail-with-body -F "file=@$(image_file "$1")" \
    "$(ota_url)/api/admin/firmware/upload?version=$1&device_model=$DEMO_MODEL&release_notes=Demo%20$1" \
    -K <(printf 'header = "X-API-Key: %s"\n' "$API_KEY")
}

# The name carries the moment: after a lost answer a repetition must not collide with the first try.
create_rollout() {
  local answer
  answer=$(api POST /api/admin/rollout/create "$(jq -n --arg name "demo canary $(now_ms)" --arg version "$DEMO_NEW" \
    --arg model "$DEMO_MODEL" --argjson percentage "$1" '{name: $name, firmware_version: $version,
      device_model: $model, target_type: "canary", rollout_percentage: $percentage}')") || {
    printf '%s' "$answer"
    return 1
  }
  CREATED_ROLLOUT=$(jq -er .id <<<"$answer")
}

print_demo_urls() {
  cat <<TEXT
  health     $(ota_url)/health
  metrics    $(ota_url)/metrics?format=prometheus
  REST       $(ota_url)/api/…   (admin key and everything else: $STACK_DIR/stack.env)
  MQTT       mqtts://$(mqtt_host):$MQTTS_PORT   (CA: $STACK_DIR/ca/ca.crt)
  logs       ./ota logs --dir $STACK_DIR
  stop       ./ota down --dir $STACK_DIR
TEXT
}
