# ./ota up, down and logs: one stack is one folder with its settings, data, logs and pid files.
# shellcheck shell=bash

# shellcheck source=deploy/stack/setup.sh
. "$STACK_SCRIPTS/setup.sh"
# shellcheck source=deploy/stack/settings.sh
. "$STACK_SCRIPTS/settings.sh"
# shellcheck source=deploy/stack/postgres.sh
. "$STACK_SCRIPTS/postgres.sh"
# shellcheck source=deploy/stack/broker.sh
. "$STACK_SCRIPTS/broker.sh"
# shellcheck source=deploy/stack/bridge.sh
. "$STACK_SCRIPTS/bridge.sh"

help_up() {
  cat <<'TEXT'
usage: ./ota up [--dir DIR] [--http-port N] [--mqtts-port N] [--host ADDRESS] [--any-ports]
                [--https | --http] [--only postgres,mosquitto,bridge]

Starts PostgreSQL (a private cluster), Mosquitto and the bridge in the background, waits until they are healthy and
writes DIR/stack.env with OTA_URL, API_KEY, PGHOST … (`set -a; . DIR/stack.env; set +a` gives them to programs, too). On a
stack that runs it starts just the parts that are down. The data of DIR is kept.

  --dir DIR        the stack's folder (default: .run beside this script)
  --http-port N    REST port (default 8080, or a free one when taken)
  --mqtts-port N   the devices' MQTT port with TLS (default 8883, or a free one when taken)
  --https          REST over HTTPS, with a certificate of the stack's own authority (OTA_CA in stack.env); devices may
                   show theirs. --http goes back to plain HTTP
  --host ADDRESS   the address to listen on (default 127.0.0.1; 0.0.0.0 lets real devices in)
  --any-ports      take free ports, not the defaults
  --only PARTS     just these parts

Ports, address and --https are remembered in DIR. With PGHOST or PGSERVICE in the environment that database is used instead
of a private one, with MQTT_URL (and MQTT_USERNAME, MQTT_PASSWORD, MQTT_CA …) that broker. The bridge's further
variables (LOG_LEVEL, MQTT_ROOT, PUBLIC_URL …) are passed on. FIRMWARE_STORAGE_PATH is remembered in DIR; a
folder elsewhere is never deleted.
TEXT
}

# shellcheck disable=SC2034 # the WANTED_… are read by their names, in choose_port
verb_up() {
  local directory='' only=postgres,mosquitto,bridge
  while (($#)); do
    case $1 in
      --dir) directory=$(option_value "$1" $# "${2:-}") ;;
      --only) only=$(option_value "$1" $# "${2:-}") ;;
      --host) WANTED_HOST=$(option_value "$1" $# "${2:-}") ;;
      --http-port) WANTED_HTTP_PORT=$(port_value "$1" $# "${2:-}") ;;
      --mqtts-port) WANTED_MQTTS_PORT=$(port_value "$1" $# "${2:-}") ;;
      --any-ports | --https | --http)
        case $1 in
          --any-ports) ANY_PORTS=1 ;;
          --https) WANTED_HTTPS=1 ;;
          --http) WANTED_HTTPS=0 ;;
        esac
        shift
        continue
        ;;
      *) usage_error "up does not know '$1'; ./ota up --help explains" ;;
    esac
    shift 2
  done
  require_parts "$only"
  BUILD_TARGETS=("${STACK_TARGETS[@]}")
  ensure_setup
  make_stack_dir "${directory:-$OTA_ROOT/.run}"
  lock "$STACK_DIR/lock"
  trap 'say "interrupted; what has started goes on: ./ota down --dir $STACK_DIR stops it"; exit 130' INT TERM
  load_settings
  require_same_kinds
  require_unchanged_addresses
  save_settings
  start_parts "$only"
  unlock
  print_stack
}

require_parts() {
  [[ $1 =~ ^(postgres|mosquitto|bridge)(,(postgres|mosquitto|bridge))*$ ]] ||
    usage_error "--only '$1' is not understood; give some of postgres,mosquitto,bridge"
}

# Starts those of the parts (a comma list) that do not run, in the order in which they need each other.
start_parts() {
  [[ ,$1, != *,postgres,* || $POSTGRES_KIND == external ]] || start_postgres
  [[ ,$1, != *,mosquitto,* || $BROKER_KIND == external ]] || start_broker
  [[ ,$1, != *,bridge,* ]] || start_bridge
  if bridge_is_alive; then
    await_bridge
    adopt_device_certificates
  fi
  write_stack_env
}

print_stack() {
  if bridge_is_alive; then printf 'OTA Bridge is up: %s' "$(ota_url)"; else printf 'The stack is up'; fi
  if broker_is_alive; then printf '   devices: mqtts://%s:%s' "$(mqtt_host)" "$MQTTS_PORT"; fi
  printf '\nsettings: %s   logs: %s\n' "$STACK_DIR/stack.env" "$STACK_DIR/logs"
  printf 'stop: ./ota down --dir %q\n' "$STACK_DIR"
}

help_down() {
  cat <<'TEXT'
usage: ./ota down [--dir DIR] [--purge]

Stops the stack in DIR (default .run) and keeps its data; ./ota up resumes it.
  --purge   delete the data too: database, images, certificates, settings
TEXT
}

verb_down() {
  local directory='' purge=0
  while (($#)); do
    case $1 in
      --dir)
        directory=$(option_value "$1" $# "${2:-}")
        shift
        ;;
      --purge) purge=1 ;;
      *) usage_error "down does not know '$1'; ./ota down --help explains" ;;
    esac
    shift
  done
  find_stack "${directory:-$OTA_ROOT/.run}"
  lock "$STACK_DIR/lock"
  load_settings # not before: another ./ota may have been making them
  if ((purge)); then
    stop_parts QUIT
    purge_stack
    printf 'OTA Bridge is down; the data in %s is deleted\n' "$STACK_DIR"
  else
    stop_parts INT
    write_stack_env
    printf 'OTA Bridge is down; its data stays in %s\n' "$STACK_DIR"
  fi
  unlock
}

# Devices first, PostgreSQL last: nobody loses what they stand on. A folder's further programs (the demo's devices)
# are those with a pid file of another name. The argument is the signal for PostgreSQL.
stop_parts() {
  local file name
  for file in "$STACK_DIR"/run/*.pid; do
    name=$(basename "$file" .pid)
    case $name in '*' | bridge | mosquitto | postgres) ;; *) stop_part "$name" TERM 10 ;; esac
  done
  stop_bridge
  stop_part mosquitto TERM 10
  stop_postgres "${1:-}"
}

purge_stack() {
  local name
  remove_cluster
  for name in logs run ca devices mosquitto firmware postgres stack.env settings lock; do
    rm -rf "${STACK_DIR:?}/$name"
  done
  rm -rf "${STACK_DIR:?}"/demo "${STACK_DIR:?}"/demo-*
  rmdir "$STACK_DIR" 2>/dev/null || true
}

help_logs() {
  cat <<'TEXT'
usage: ./ota logs [PART] [--dir DIR] [-f] [-n LINES]

Shows the end of the logs of the stack in DIR (default .run): of PART (bridge, mosquitto, postgres …) or of all.
  -f         go on as they grow
  -n LINES   how many lines of each (default 40)
TEXT
}

verb_logs() {
  local directory='' part='' lines=40
  local -a follow=() files=()
  while (($#)); do
    case $1 in
      --dir)
        directory=$(option_value "$1" $# "${2:-}")
        shift
        ;;
      -n)
        lines=$(option_value "$1" $# "${2:-}")
        shift
        ;;
      -f) follow=(-F) ;;
      -*) usage_error "logs does not know '$1'; ./ota logs --help explains" ;;
      *)
        [[ -z $part ]] || usage_error "logs takes one part, got '$part' and '$1'"
        part=$1
        ;;
    esac
    shift
  done
  [[ $lines =~ ^[0-9]{1,9}$ ]] || usage_error "-n '$lines' is not a number of lines"
  open_stack "${directory:-$OTA_ROOT/.run}"
  files=("$STACK_DIR/logs/${part:-*}.log")
  [[ -n $part ]] || mapfile -t files < <(compgen -G "$STACK_DIR/logs/*.log")
  [[ -e ${files[0]:-} ]] || die "there is no log of '${part:-any part}' in $STACK_DIR/logs"
  tail -n "$lines" "${follow[@]}" "${files[@]}"
}
