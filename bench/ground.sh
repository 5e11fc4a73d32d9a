# What a benchmark stands on: a private stack, a second broker for the references, an image, a rollout.
# shellcheck shell=bash

BENCH_MODEL=bench
BENCH_IMAGE_BYTES=1048576

# prepare_ground DIR: everything up; DIR keeps bench.json, the rest is gone when the shell ends.
# shellcheck disable=SC2034 # read in figures.sh and in deploy/stack/
prepare_ground() {
  mkdir -p "$1"
  BENCH_DIR=$(readlink -f "$1")
  ensure_setup
  forget_callers_settings
  export DEVICE_MESSAGES_PER_SECOND=0 # a few generated devices stand for many
  cmake --build "$(build_dir)" --target bench -j "$(build_jobs)" >"$BENCH_DIR/build.log" 2>&1 ||
    die "the benchmark's programs could not be built; see $BENCH_DIR/build.log"
  if [[ " ${BENCH_CHOSEN[*]} " == *" download "* ]]; then ensure_nginx; fi

  ANY_PORTS=1
  trap clear_ground EXIT
  start_broker_with_plain_listener "$BENCH_DIR/reference"
  REFERENCE_PLAIN_PORT=$(cat "$BENCH_DIR/reference/plain_port")
  REFERENCE_BROKER_PORT=$(setting_of "$BENCH_DIR/reference" MQTT_INTERNAL_PORT)
  REFERENCE_BROKER_PASSWORD=$(setting_of "$BENCH_DIR/reference" MQTT_BRIDGE_PASSWORD)
  start_broker_with_plain_listener "$BENCH_DIR/stack"
  make_stack_dir "$BENCH_DIR/stack"
  rm -f "$BENCH_DIR/samples.jsonl"
  load_settings
  start_parts postgres,mosquitto,bridge
  PLAIN_PORT=$(cat "$STACK_DIR/plain_port")
  upload_image "$BENCH_MODEL"
  create_rollout "$BENCH_MODEL" bench
}

# However the benchmark ends, nothing of it goes on running.
clear_ground() {
  local directory
  # nginx, and a reference program that an error left behind.
  jobs -p | xargs -r kill 2>/dev/null || true
  for directory in "$BENCH_DIR/stack" "$BENCH_DIR/reference"; do
    [[ -e $directory/settings ]] || continue
    (open_stack "$directory" && stop_parts && purge_stack)
    rm -rf "$directory"
  done
}

# A broker that reads its files again cuts anonymous clients, such as those of the plain listener.
authority_environment() { :; }

# shellcheck source=/dev/null # written by the stack
setting_of() { (. "$1/settings" && printf '%s' "${!2}"); }

# Like the stack's own broker, and one listener more: without TLS, whose cost for the device's side would hide the
# bridge's, but with the devices' access list. The bridge and the reference each have a broker to themselves, so that
# what one of them left there costs the other nothing.
start_broker_with_plain_listener() (
  make_stack_dir "$1"
  load_settings
  start_broker
  stop_broker
  local port
  port=$(random_free_port)
  cat >>"$(broker_conf)" <<TEXT

listener $port 127.0.0.1
allow_anonymous true
acl_file $STACK_DIR/mosquitto/device.acl
max_connections 20000
TEXT
  printf '%s\n' "$port" >"$STACK_DIR/plain_port"
  launch_broker
  wait_until 10 broker_listens || die "the benchmark's broker did not start; see $STACK_DIR/logs/mosquitto.log"
)

# ---- the service -------------------------------------------------------------------------------

admin() { curl -sS --fail-with-body --noproxy '*' -H "X-API-Key: $API_KEY" "$@"; }

upload_image() {
  local model=$1 image=$STACK_DIR/image.bin
  [[ -e $image ]] || head -c "$BENCH_IMAGE_BYTES" /dev/urandom >"$image"
  admin -o /dev/null -F "file=@$image" \
    "$(ota_url)/api/admin/firmware/upload?version=1.1.0&device_model=$model&release_notes=Measured" ||
    die "the benchmark's image could not be uploaded"
}

create_rollout() {
  local model=$1 name=$2
  admin -o /dev/null -H 'Content-Type: application/json' "$(ota_url)/api/admin/rollout/create" \
    -d "{\"name\":\"$name\",\"firmware_version\":\"1.1.0\",\"device_model\":\"$model\",\"target_type\":\"all\"}" ||
    die "the benchmark's rollout could not be created"
}

# ---- the database ------------------------------------------------------------------------------

sql() { run_psql "$DB_OWNER" "$DB_OWNER_PASSWORD" "$DB_NAME" -At "$@"; }

# Both sides begin alike: no devices, no bloat, no checkpoint due.
fresh_tables() {
  sql -c 'TRUNCATE devices, device_update_status, offers, ota_events'
  run_psql postgres "$DB_SUPER_PASSWORD" "$DB_NAME" -c CHECKPOINT
}

# ---- nginx -------------------------------------------------------------------------------------

# Only unpacked, never installed: the package would start a web server on port 80.
ensure_nginx() {
  local work private=$OTA_ROOT/.deps/nginx
  NGINX=$(command -v nginx || command -v /usr/sbin/nginx) && return
  NGINX=$private/usr/sbin/nginx
  [[ ! -x $NGINX ]] || return 0
  work=$(mktemp -d)
  (cd "$work" && apt-get -q download nginx && dpkg -x nginx_*.deb "$private") >"$work/log" 2>&1 ||
    die "nginx, the reference of downloads, could not be fetched: $(tail -n 1 "$work/log")"
  rm -rf "$work"
}

# shellcheck disable=SC2034 # NGINX_PORT is read in figures.sh
start_nginx() {
  local directory=$STACK_DIR/nginx port user_line=''
  port=$(random_free_port)
  mkdir -p "$directory/temp"
  cp "$STACK_DIR/image.bin" "$directory/image.bin"
  if ((EUID == 0)); then user_line='user root;'; fi
  sed -e "s|@DIR@|$directory|g; s|@PORT@|$port|; s|@USER_LINE@|$user_line|" "$BENCH_SOURCES/nginx.conf.in" \
    >"$directory/nginx.conf"
  "$NGINX" -p "$directory" -c "$directory/nginx.conf" </dev/null >>"$STACK_DIR/logs/nginx.log" 2>&1 &
  wait_until 10 port_is_taken "$port" || { show_log_tail nginx; die "nginx did not start"; }
  NGINX_PORT=$port
}
