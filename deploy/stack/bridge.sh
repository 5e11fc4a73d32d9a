# The bridge of a stack: migrations, start and stop.
# shellcheck shell=bash

bridge_binary() { printf '%s' "$(build_dir)/bridge/ota-bridge"; }

bridge_is_alive() { part_pid bridge >/dev/null; }

start_bridge() {
  bridge_is_alive && return
  [[ -x $(bridge_binary) ]] || die "$(bridge_binary) is not there; build it (./ota setup)"
  choose_port HTTP_PORT 8080
  (umask 027 && mkdir -p "$(image_folder)") 2>/dev/null || die "FIRMWARE_STORAGE_PATH: cannot make the folder $(image_folder)"
  if [[ $HTTPS == 1 ]]; then make_server_certificate; fi
  test_bridge_settings
  if [[ $POSTGRES_KIND == private ]] && postgres_is_alive; then prepare_database; fi
  (bridge_environment && launch bridge "$(bridge_binary)" "$(bridge_binary)")
  await_bridge
  bridge_is_alive && return
  retry_with_new_ports bridge HTTP_PORT || {
    show_log_tail bridge
    die "the bridge ended at once; its log says why"
  }
  start_bridge
}

# A bad variable is told by its name, before anything is changed.
test_bridge_settings() {
  local problems
  problems=$( (bridge_environment && exec "$(bridge_binary)" --check-config) 2>&1 >/dev/null) || die "$problems"
}

# Also for a bridge that has run all along: another part may have been away, and it has to find that one again.
await_bridge() {
  wait_until 60 bridge_is_ready || {
    show_log_tail bridge
    die "the bridge was not healthy within 60 s ($(ota_url)/health answers: $(health | head -c 300))"
  }
}

scheme() { if [[ $HTTPS == 1 ]]; then printf https; else printf http; fi; }

# Of the same authority as the broker's; made only where it is not there yet.
make_server_certificate() {
  run_ca init
  if [[ $HTTPS == 1 ]]; then
    [[ -n $HTTP_PORT ]] || choose_port HTTP_PORT 8080
    local -x OTA_CRL_URL=${PUBLIC_URL:-$(public_url)}/api/pki/crl
  fi
  run_ca server ${BIND_HOST:+"$BIND_HOST"}
}

# ask_bridge ARGUMENT…: curl, which knows the stack's authority and passes no proxy.
ask_bridge() {
  local -a authority=()
  if [[ $HTTPS == 1 ]]; then authority=(--cacert "$STACK_DIR/ca/ca.crt"); fi
  curl --noproxy '*' "${authority[@]}" "$@"
}

# Where this machine reaches the bridge.
ota_url() {
  local host=$BIND_HOST
  case $host in
    0.0.0.0) host=127.0.0.1 ;;
    ::) host='[::1]' ;;
    *:*) host="[$host]" ;;
  esac
  printf '%s://%s:%s' "$(scheme)" "$host" "$HTTP_PORT"
}

# Where devices reach it: absolute, because an offer over MQTT does not say where it came from.
public_url() {
  case $BIND_HOST in
    0.0.0.0 | ::) printf '%s://%s:%s' "$(scheme)" "$(hostname)" "$HTTP_PORT" ;;
    *) ota_url ;;
  esac
}

# Migrations are the owner's; the bridge itself logs in as a role that could not do them.
prepare_database() {
  local log=$STACK_DIR/logs/bridge.log
  (
    database_environment "$DB_OWNER" "$DB_OWNER_PASSWORD"
    exec "$(bridge_binary)" migrate
  ) >>"$log" 2>&1 || {
    show_log_tail bridge
    die "the database could not be brought up to date; see $log"
  }
  run_psql "$DB_OWNER" "$DB_OWNER_PASSWORD" "$DB_NAME" -v runtime_role="$DB_SERVICE" \
    -f "$OTA_ROOT/sql/roles.sql" >>"$log" 2>&1 || {
    show_log_tail bridge
    die "the rights of $DB_SERVICE could not be granted; see $log"
  }
}

# database_environment USER PASSWORD: the private cluster, and nothing the caller's shell says of another one.
database_environment() {
  unset "${!PG@}"
  export PGHOST=$SOCKET_DIR PGPORT=5432 PGDATABASE=$DB_NAME PGUSER=$1 PGPASSWORD=$2
}

# Settings that do not concern the stack itself (LOG_LEVEL, PUSH_PER_SECOND …) pass through from the caller.
bridge_environment() {
  local shared_group=${MQTT_SHARED_GROUP:-}
  if [[ $POSTGRES_KIND == private ]]; then database_environment "$DB_SERVICE" "$DB_SERVICE_PASSWORD"; fi
  if [[ $BROKER_KIND == private ]]; then
    unset MQTT_CA MQTT_CERT MQTT_KEY
    export MQTT_URL=mqtt://127.0.0.1:${MQTT_INTERNAL_PORT:-1} MQTT_SHARED_GROUP=$shared_group
    export MQTT_USERNAME=$MQTT_BRIDGE_USER MQTT_PASSWORD=$MQTT_BRIDGE_PASSWORD
  fi
  if [[ $BROKER_KIND == private && -s $STACK_DIR/ca/chain.crt ]]; then authority_environment; fi
  unset HTTPS_CERT HTTPS_KEY HTTPS_CLIENT_CA HTTPS_CLIENT_CRL # --https says, not the caller's shell
  if [[ $HTTPS == 1 ]]; then https_environment; fi
  export API_KEY MQTT_ROOT HOST=$BIND_HOST PORT=$HTTP_PORT FIRMWARE_STORAGE_PATH
  FIRMWARE_STORAGE_PATH=$(image_folder)
  export PUBLIC_URL=${PUBLIC_URL:-$(public_url)}
}

# The bridge signs devices' certificates and keeps the list of this stack's broker.
authority_environment() {
  export DEVICE_CA_CERT=$STACK_DIR/ca/chain.crt DEVICE_CA_KEY=$STACK_DIR/ca/issuing.key
  # A folder of an earlier version has one key for everything.
  [[ -e $DEVICE_CA_KEY ]] || export DEVICE_CA_KEY=$STACK_DIR/ca/ca.key
  export CRL_FILE=$STACK_DIR/ca/crl.pem BROKER_PID_FILE=$STACK_DIR/run/mosquitto.pid
  BROKER_PROBE_URL=mqtts://$(mqtt_host):$MQTTS_PORT
  export BROKER_PROBE_URL
}

https_environment() {
  export HTTPS_CERT=$STACK_DIR/ca/server.crt HTTPS_KEY=$STACK_DIR/ca/server.key
  export HTTPS_CLIENT_CA=$STACK_DIR/ca/chain.crt HTTPS_CLIENT_CRL=$STACK_DIR/ca/crl.pem
}

# Certificates that ca.sh made, while the bridge was down or before it issued any, become known to it, so that it can
# revoke them like its own.
adopt_device_certificates() {
  local adopted=$STACK_DIR/ca/adopted answer
  local -a fresh=() since=()
  [[ $BROKER_KIND == private && -d $STACK_DIR/devices ]] || return 0
  [[ ! -e $adopted ]] || since=(-newer "$adopted")
  mapfile -t fresh < <(find "$STACK_DIR/devices" -name '*.crt' "${since[@]}")
  ((${#fresh[@]})) || return 0
  touch "$adopted.new"
  while ((${#fresh[@]})); do
    answer=$(cat "${fresh[@]:0:500}" | jq -Rs '{certificates: .}' | call_bridge certificates) || {
      say "the bridge does not adopt the certificates in $STACK_DIR/devices: $(jq -r '.detail // .' <<<"$answer" 2>/dev/null)"
      return 0
    }
    fresh=("${fresh[@]:500}")
  done
  mv -f "$adopted.new" "$adopted"
}

# call_bridge PATH < body: an admin's POST; its key stands on no command line. Fails, with the answer, unless it is 2xx.
call_bridge() {
  local answer
  answer=$(ask_bridge -s --max-time 30 -H @<(printf 'X-API-Key: %s\n' "$API_KEY") \
    -H 'Content-Type: application/json' --data-binary @- -w '\n%{http_code}' "$(ota_url)/api/admin/$1") || return 1
  printf '%s' "${answer%$'\n'*}"
  [[ ${answer##*$'\n'} == 2* ]]
}

health() { ask_bridge -s --max-time 5 "$(ota_url)/health"; }

# Ready means: it answers, and sees those of its parts that run. True as well when it has died: waiting is over then.
bridge_is_ready() {
  local pid answer wanted=.
  pid=$(part_pid bridge) || return 0
  port_belongs_to "$HTTP_PORT" "$pid" || return 1
  answer=$(health) || return 1
  if [[ $POSTGRES_KIND == external ]] || postgres_is_alive; then wanted+=' | select(.status == "healthy")'; fi
  if [[ $BROKER_KIND == external ]] || broker_is_alive; then
    wanted+=' | select((.mqtt // "connected") == ("connected", "off"))'
  fi
  jq -e "$wanted" >/dev/null 2>&1 <<<"$answer"
}

stop_bridge() { stop_part bridge TERM 15; }
