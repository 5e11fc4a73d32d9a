# The demo's simulated devices: their names, processes, and what is true of them.
# shellcheck shell=bash

# name_fleet COUNT: every fifth device polls over REST, the others are on MQTT. The names are chosen so that their
# buckets spread well: of 20 devices 1, 5, 10 and 20 are in at 10, 25, 50 and 100 percent.
name_fleet() {
  local count=$1 number
  REST_COUNT=$((count / 5))
  MQTT_COUNT=$((count - REST_COUNT))
  DEMO_MODEL=demo-board$DEMO_TAG
  MQTT_IDS=() REST_IDS=()
  for ((number = 1; number <= MQTT_COUNT; number++)); do
    MQTT_IDS+=("$(printf 'sensor%s-%03d' "$DEMO_TAG" "$number")")
  done
  for ((number = 1; number <= REST_COUNT; number++)); do
    REST_IDS+=("$(printf 'sensor%s-rest-%03d' "$DEMO_TAG" "$number")")
  done
  FLEET=("${MQTT_IDS[@]}" "${REST_IDS[@]}")
  declare -gA BUCKET=()
  local id
  for id in "${FLEET[@]}"; do BUCKET[$id]=$(bucket_of "$id"); done
}

# SHA-256 of the id as a big-endian number, modulo 100, digit by digit: the contract's rule, computed independently
# of the server.
bucket_of() {
  local digest bucket=0 i
  digest=$(printf '%s' "$1" | sha256sum)
  for ((i = 0; i < 64; i++)); do bucket=$(((bucket * 16 + 16#${digest:i:1}) % 100)); done
  printf '%s' "$bucket"
}

# The lock is a shell's of its own: interrupted, the demo itself must be able to stop its stack.
enrol_fleet() (
  lock "$STACK_DIR/lock"
  device_add "${MQTT_IDS[@]}" >/dev/null
)

start_fleet() {
  mkdir -p "$DEMO_DIR/state"
  revive_fleet
}

# One process carries all devices of a kind. Slow downloads and reboots, so that there is something to see.
revive_fleet() {
  [[ -d $DEMO_DIR/state ]] || return 0
  if ! part_pid "devices-mqtt$DEMO_TAG" >/dev/null; then
    launch_devices mqtt "sensor$DEMO_TAG-{n}" "$MQTT_COUNT" --interval-s 5 \
      --mqtt "$(mqtt_host):$MQTTS_PORT" --http "$(ota_url)" --root "$MQTT_ROOT" --ca "$STACK_DIR/ca/ca.crt" \
      --cert "$STACK_DIR/devices/{id}.crt" --key "$STACK_DIR/devices/{id}.key"
  fi
  if ! part_pid "devices-rest$DEMO_TAG" >/dev/null; then
    launch_devices rest "sensor$DEMO_TAG-rest-{n}" "$REST_COUNT" --interval-s 2 --rest "$(ota_url)" \
      --http-ca "$STACK_DIR/ca/ca.crt"
  fi
}

launch_devices() {
  local kind=$1 id=$2 count=$3
  shift 3
  launch "devices-$kind$DEMO_TAG" "$DEMO_DIR/state" "$(build_dir)/esp-client/ota-device" \
    --id "$id" --count "$count" --model "$DEMO_MODEL" --version "$DEMO_OLD" --state "$DEMO_DIR/state" \
    --rate-bytes-per-s 196608 --reboot-ms 1000 "$@"
}

stop_fleet() {
  stop_part "devices-mqtt$DEMO_TAG" TERM 10
  stop_part "devices-rest$DEMO_TAG" TERM 10
}

# ---- what the server says ----------------------------------------------------------------------

# Sets STATE[id] to the version the server knows, or to the status of the update under way; 1 while the server
# does not answer.
read_fleet() {
  local devices updates id state
  devices=$(api GET "/api/admin/devices?device_model=$DEMO_MODEL&limit=500" 2>/dev/null) || return 1
  updates=$(api GET "/api/admin/update-status?firmware_version=$DEMO_NEW&limit=500" 2>/dev/null) || return 1
  declare -gA STATE=()
  while read -r id state; do STATE[$id]=$state; done < <(
    jq -nr --argjson devices "$devices" --argjson updates "$updates" --arg new "$DEMO_NEW" '
      (reduce ($updates.updates | reverse | .[]) as $update ({}; .[$update.device_id] = $update.status)) as $status
      | $devices.devices[]
      | "\(.device_id) \(
          if .current_firmware_version == $new then $new
          else ($status[.device_id] // .current_firmware_version) end)"'
  )
}

fleet_is_known() {
  local id
  for id in "${FLEET[@]}"; do [[ ${STATE[$id]:-} == "$DEMO_OLD" ]] || return 1; done
}

is_in_canary() { ((BUCKET[$1] < ${DEMO_PERCENTAGE:-0})); }

canary_is_done() {
  local id
  for id in "${FLEET[@]}"; do
    if is_in_canary "$id" && [[ ${STATE[$id]:-} != "$DEMO_NEW" ]]; then return 1; fi
  done
}

require_rest_untouched() {
  local id
  for id in "${FLEET[@]}"; do
    is_in_canary "$id" || [[ ${STATE[$id]:-} == "$DEMO_OLD" ]] ||
      die "device $id (bucket ${BUCKET[$id]}) is outside the $DEMO_PERCENTAGE % canary but is '${STATE[$id]:-unknown}'"
  done
}

# For the message of a failed demo: which devices are not where they should be, and what the bridge complained of.
explain_fleet() {
  local id
  for id in "${FLEET[@]}"; do
    if is_late "$id"; then say "  $id (bucket ${BUCKET[$id]}): ${STATE[$id]:-unknown to the server}"; fi
  done
  grep -hE ' (error|warn(ing)?) ' "$STACK_DIR/logs/bridge.log" | tail -n 5 | sed 's/^/    /' >&2 || true
}

is_late() {
  if [[ -z ${DEMO_PERCENTAGE:-} ]]; then
    [[ ${STATE[$1]:-} != "$DEMO_OLD" ]]
  else
    is_in_canary "$1" && [[ ${STATE[$1]:-} != "$DEMO_NEW" ]]
  fi
}

# ---- what is in the devices' flash -------------------------------------------------------------

# The server's word is not enough: the bytes of each active slot must be those of the file that was uploaded.
require_true_images() {
  local id wanted bad=0
  wanted=$(sha256sum <"$(image_file "$DEMO_NEW")")
  for id in "${FLEET[@]}"; do
    if ! slot_is_true "$id" "$wanted"; then bad=$((bad + 1)); fi
  done
  ((bad == 0)) || die "$bad of ${#FLEET[@]} devices do not hold the uploaded $DEMO_NEW image"
  printf '%d of %d devices run %s, and every active slot holds the uploaded image (SHA-256 %.12s…)\n' \
    "${#FLEET[@]}" "${#FLEET[@]}" "$DEMO_NEW" "$wanted"
}

slot_is_true() {
  local id=$1 wanted=$2 nvs=$DEMO_DIR/state/$1/nvs slot version
  slot=$(sed -n 's/^active=//p' "$nvs" 2>/dev/null) || slot=''
  version=$(sed -n 's/^version=//p' "$nvs" 2>/dev/null) || version=''
  if [[ $version != "$DEMO_NEW" ]]; then
    say "device $id itself runs ${version:-nothing known}"
  elif [[ $(sha256sum <"$DEMO_DIR/state/$id/slot-$slot.bin") != "$wanted" ]]; then
    say "device $id: slot $slot does not hold the uploaded image"
  else
    return 0
  fi
  return 1
}
