# What a stack remembers (DIR/settings) and what it tells others (DIR/stack.env).
# shellcheck shell=bash
# shellcheck disable=SC2034 # settings are set here and used all over the stack's files

SETTINGS=(
  BIND_HOST HTTP_PORT HTTPS MQTTS_PORT MQTT_INTERNAL_PORT MQTT_ROOT API_KEY POSTGRES_KIND BROKER_KIND
  CLUSTER_DIR SOCKET_DIR DB_SUPER_PASSWORD DB_OWNER_PASSWORD DB_SERVICE_PASSWORD
  MQTT_BRIDGE_PASSWORD MQTT_MONITOR_PASSWORD FIRMWARE_STORAGE_PATH
)
# What the command line asks for; empty: as remembered, or the default.
WANTED_HOST=''
WANTED_HTTP_PORT=''
WANTED_HTTPS=''
WANTED_MQTTS_PORT=''
ANY_PORTS=0

# make_stack_dir DIR: sets STACK_DIR to its absolute path. A new one is open to enter, because PostgreSQL's
# account must pass it; everything secret inside is 0600 or 0700.
make_stack_dir() {
  if [[ ! -d $1 ]]; then
    mkdir -p "$1" 2>/dev/null || die "cannot make the folder $1"
    chmod 0755 "$1"
  fi
  STACK_DIR=$(readlink -f "$1")
  [[ $STACK_DIR != *$'\n'* ]] || usage_error "--dir must not hold a line break"
  [[ -O $STACK_DIR ]] || die "$STACK_DIR belongs to somebody else; use another --dir"
  mkdir -p "$STACK_DIR/logs" "$STACK_DIR/run"
}

# find_stack DIR: an existing one; open_stack also reads its settings.
find_stack() {
  [[ -e $1/settings ]] || die "there is no stack in $1; ./ota up --dir $1 makes one"
  STACK_DIR=$(readlink -f "$1")
}

open_stack() {
  find_stack "$1"
  load_settings
}

# Sourcing is safe: the file is ours alone (0600, in a folder we own) and its values are quoted by the shell.
load_settings() {
  local name
  local given_key=${API_KEY:-} given_root=${MQTT_ROOT:-} given_images=${FIRMWARE_STORAGE_PATH:-}
  for name in "${SETTINGS[@]}"; do printf -v "$name" '%s' ''; done
  if [[ -e $STACK_DIR/settings ]]; then
    [[ -O $STACK_DIR/settings ]] || die "$STACK_DIR/settings belongs to somebody else"
    ! grep -qvE '^[A-Z0-9_]+=' "$STACK_DIR/settings" || die "$STACK_DIR/settings is not of ./ota; use another --dir"
    # shellcheck source=/dev/null
    . "$STACK_DIR/settings"
  fi
  REMEMBERED_HOST=$BIND_HOST
  REMEMBERED_HTTPS=${HTTPS:-0}
  HTTPS=${WANTED_HTTPS:-$REMEMBERED_HTTPS}
  BIND_HOST=${WANTED_HOST:-${BIND_HOST:-127.0.0.1}}
  API_KEY=${given_key:-${API_KEY:-$(random_hex 16)}}
  MQTT_ROOT=${given_root:-${MQTT_ROOT:-ota/v1}}
  REMEMBERED_IMAGES=$(image_folder)
  [[ -z $given_images ]] || FIRMWARE_STORAGE_PATH=$(readlink -m -- "$given_images")
  for name in DB_SUPER_PASSWORD DB_OWNER_PASSWORD DB_SERVICE_PASSWORD MQTT_BRIDGE_PASSWORD MQTT_MONITOR_PASSWORD; do
    [[ -n ${!name} ]] || printf -v "$name" '%s' "$(random_hex 16)"
  done
  choose_kinds
}

# Where the images lie: where the caller's FIRMWARE_STORAGE_PATH says or once said, else in the stack's folder.
image_folder() { printf '%s' "${FIRMWARE_STORAGE_PATH:-$STACK_DIR/firmware}"; }

save_settings() {
  local name
  for name in "${SETTINGS[@]}"; do printf '%s=%q\n' "$name" "${!name}"; done | write_atomically "$STACK_DIR/settings" 0600
}

# Private or external, decided when the stack is made. Silently changing to another database later would look like
# lost data, so then it is an error.
choose_kinds() {
  local postgres=private broker=private
  [[ -z ${PGHOST:-}${PGSERVICE:-} || ${PGHOST:-} == "${SOCKET_DIR:-/}" ]] || postgres=external
  [[ -z ${MQTT_URL:-} ]] || broker=external
  POSTGRES_KIND=${POSTGRES_KIND:-$postgres}
  BROKER_KIND=${BROKER_KIND:-$broker}
}

require_same_kinds() {
  local postgres=$POSTGRES_KIND broker=$BROKER_KIND
  POSTGRES_KIND='' BROKER_KIND=''
  choose_kinds
  [[ $postgres == "$POSTGRES_KIND" ]] ||
    die "$STACK_DIR was made with its $postgres PostgreSQL; $(kind_advice "$postgres" 'PGHOST or PGSERVICE')"
  [[ $broker == "$BROKER_KIND" ]] ||
    die "$STACK_DIR was made with its $broker broker; $(kind_advice "$broker" MQTT_URL)"
}

kind_advice() {
  if [[ $1 == external ]]; then
    printf 'give its variables again (%s), or use another --dir' "$2"
  else
    printf 'unset %s, or use another --dir' "$2"
  fi
}

# ---- ports -------------------------------------------------------------------------------------

# choose_port NAME DEFAULT: sets the variable NAME for a part that is down. Asked for on the command line, else
# remembered, else the default, else any free one.
choose_port() {
  local name=$1 default=$2 wanted_name=WANTED_$1 wanted
  wanted=${!wanted_name:-}
  if [[ -n $wanted ]]; then
    ! port_is_taken "$wanted" || die "port $wanted is taken by another program; choose another or leave the option out"
    printf -v "$name" '%s' "$wanted"
  elif [[ -n ${!name} ]]; then
    if port_is_taken "${!name}"; then
      say "port ${!name}, used before, is taken by another program now; choosing another"
      printf -v "$name" '%s' "$(random_free_port)"
    fi
  elif ((ANY_PORTS)) || port_is_taken "$default"; then
    printf -v "$name" '%s' "$(random_free_port)"
  else
    printf -v "$name" '%s' "$default"
  fi
  save_settings
}

# retry_with_new_ports PART NAME…: a part has ended at once. Was it because somebody took its port in the same moment?
# Then forgets the port (unless it was asked for) and returns 0.
retry_with_new_ports() {
  local part=$1 name wanted_name conflict=1
  shift
  for name in "$@"; do
    wanted_name=WANTED_$name
    if port_is_taken "${!name}" && [[ -z ${!wanted_name:-} ]]; then
      say "port ${!name} was taken before $part could have it; choosing another"
      printf -v "$name" '%s' ''
      ANY_PORTS=1
      conflict=0
    fi
  done
  return "$conflict"
}

# A part that runs keeps its address; saying nothing would look as if the option had worked.
require_unchanged_addresses() {
  if bridge_is_alive; then
    refuse_change --http-port "$WANTED_HTTP_PORT" "$HTTP_PORT"
    refuse_change FIRMWARE_STORAGE_PATH "$(image_folder)" "$REMEMBERED_IMAGES"
    if [[ $HTTPS != "$REMEMBERED_HTTPS" ]]; then
      refuse_change "--$(scheme)" "$(scheme)" "$([[ $HTTPS == 1 ]] && printf http || printf https)"
    fi
  fi
  if broker_is_alive; then refuse_change --mqtts-port "$WANTED_MQTTS_PORT" "$MQTTS_PORT"; fi
  if bridge_is_alive || broker_is_alive; then refuse_change --host "$WANTED_HOST" "$REMEMBERED_HOST"; fi
}

refuse_change() {
  [[ -z $2 || $2 == "$3" ]] || die "$1 $2: the stack in $STACK_DIR runs with $3; stop it first (./ota down --dir $STACK_DIR)"
}

# ---- stack.env ---------------------------------------------------------------------------------

mqtt_host() {
  case $BIND_HOST in
    0.0.0.0 | ::) printf localhost ;;
    127.*) printf 127.0.0.1 ;;
    *) printf '%s' "$BIND_HOST" ;;
  esac
}

write_stack_env() {
  {
    env_line OTA_URL "$([[ -z $HTTP_PORT ]] || ota_url)"
    if [[ $HTTPS == 1 ]]; then env_line OTA_CA "$STACK_DIR/ca/ca.crt"; fi
    env_line API_KEY "$API_KEY"
    broker_env
    postgres_env
    env_line FIRMWARE_STORAGE_PATH "$(image_folder)"
    env_line BRIDGE_PID "$(part_pid bridge)"
    env_line MOSQUITTO_PID "$(part_pid mosquitto)"
    env_line POSTGRES_PID "$(part_pid postgres)"
  } | write_atomically "$STACK_DIR/stack.env" 0600
}

env_line() { printf '%s=%q\n' "$1" "$2"; }

# PGUSER is the owner: people and tests look at, lock and change things with it. The bridge logs in as another.
postgres_env() {
  if [[ $POSTGRES_KIND == external ]]; then
    local name
    for name in "${!PG@}"; do [[ $name != PG_* ]] || continue; env_line "$name" "${!name}"; done
    return
  fi
  env_line PGHOST "$SOCKET_DIR"
  env_line PGPORT 5432
  env_line PGUSER "$DB_OWNER"
  env_line PGPASSWORD "$DB_OWNER_PASSWORD"
  env_line PGDATABASE "$DB_NAME"
  env_line PG_SERVICE_USER "$DB_SERVICE"
  env_line PG_SERVICE_PASSWORD "$DB_SERVICE_PASSWORD"
}

broker_env() {
  env_line MQTT_ROOT "$MQTT_ROOT"
  if [[ $BROKER_KIND == external ]]; then
    local address=${MQTT_URL#*://}
    env_line MQTT_HOST "${address%:*}"
    env_line MQTTS_PORT "$([[ $address != *:* ]] || printf '%s' "${address##*:}")"
    env_line MQTT_CA "${MQTT_CA:-}"
    return
  fi
  env_line MQTT_HOST "$(mqtt_host)"
  env_line MQTTS_PORT "$MQTTS_PORT"
  env_line MQTT_CA "$STACK_DIR/ca/ca.crt"
  env_line MQTT_INTERNAL_PORT "$MQTT_INTERNAL_PORT"
  env_line MQTT_BRIDGE_USER "$MQTT_BRIDGE_USER"
  env_line MQTT_BRIDGE_PASSWORD "$MQTT_BRIDGE_PASSWORD"
  env_line MQTT_MONITOR_USER "$MQTT_MONITOR_USER"
  env_line MQTT_MONITOR_PASSWORD "$MQTT_MONITOR_PASSWORD"
}
