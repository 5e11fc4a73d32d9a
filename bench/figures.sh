# One function for each figure of ./ota bench; `sample FIGURE SIDE` keeps what a program measured, as a line of JSON.
# shellcheck shell=bash

program() { "$(build_dir)/bench/$1" "${@:2}"; }

# ---- REST --------------------------------------------------------------------------------------

measure_rest_check() { in_turn pgbench_for_check bridge_rest_check; }
measure_rest_status() { in_turn pgbench_for_status bridge_rest_status; }

pgbench_for_check() { upsert_rows | sample rest_check reference; }
pgbench_for_status() { upsert_rows | sample rest_status reference; }

upsert_rows() {
  fresh_tables
  PGPASSWORD=$DB_OWNER_PASSWORD "$(postgres_bin)/pgbench" -h "$SOCKET_DIR" -p 5432 -U "$DB_OWNER" -n -M prepared \
    -c 8 -j 2 -D clients=8 -D ids=10000 -D i=0 -T "$BENCH_SECONDS" -f "$BENCH_SOURCES/upsert_device.sql" "$DB_NAME" \
    2>>"$STACK_DIR/logs/pgbench.log" |
    awk '/^latency average/ { latency = $4 } /^tps/ { printf "{\"rate\":%s,\"mean_ms\":%s}\n", $3, latency }'
}

bridge_rest_check() {
  fresh_tables
  program rest_load --url "$(ota_url)" --what check --seconds "$BENCH_SECONDS" | sample rest_check bridge
}

# Reports belong to devices that were offered the update.
bridge_rest_status() {
  fresh_tables
  program rest_load --url "$(ota_url)" --what check --requests 10000 >/dev/null
  program rest_load --url "$(ota_url)" --what status --seconds "$BENCH_SECONDS" | sample rest_status bridge
}

# ---- MQTT --------------------------------------------------------------------------------------

measure_mqtt_check() {
  local connections
  for connections in 500 50; do in_turn responder_plain responder_retained bridge_mqtt_check; done
}

responder_plain() { respond_with_paho reference; }
responder_retained() { respond_with_paho 'reference, retained' --retained; }

# respond_with_paho SIDE [OPTION…]
respond_with_paho() {
  local side=$1 ready responder
  shift
  ready=$STACK_DIR/responder.ready
  : >"$ready"
  MQTT_USERNAME=$MQTT_BRIDGE_USER MQTT_PASSWORD=$REFERENCE_BROKER_PASSWORD \
    "$(build_dir)/bench/paho_responder" --broker "127.0.0.1:$REFERENCE_BROKER_PORT" "$@" >"$ready" &
  responder=$!
  wait_until 10 grep -q ready "$ready" || die "the bare responder did not reach its broker"
  check_over_mqtt "$REFERENCE_PLAIN_PORT" "$side"
  kill "$responder"
  wait "$responder" || true
}

bridge_mqtt_check() {
  fresh_tables
  check_over_mqtt "$PLAIN_PORT" bridge
}

# Ids of their own in each round: the bridge remembers for a while which revision a device was sent last.
check_over_mqtt() {
  program mqtt_load --broker "127.0.0.1:$1" --connections "$connections" --seconds "$BENCH_SECONDS" \
    --prefix "mqtt-$BENCH_ROUND-$connections-" | sample "mqtt_check_$connections" "$2"
}

# ---- push --------------------------------------------------------------------------------------

measure_push() { in_turn publisher_push bridge_push; }

publisher_push() {
  MQTT_USERNAME=$MQTT_BRIDGE_USER MQTT_PASSWORD=$REFERENCE_BROKER_PASSWORD \
    program paho_publisher --broker "127.0.0.1:$REFERENCE_BROKER_PORT" --count "$BENCH_DEVICES" |
    sample push reference
}

# From the administrator's request until the database knows that the broker has acknowledged the last offer.
bridge_push() {
  local start_ms end_ms
  make_pushed_fleet
  start_ms=$(now_ms)
  create_rollout push "push $BENCH_ROUND"
  wait_for_push
  end_ms=$(now_ms)
  require_pushed
  jq -n --argjson devices "$BENCH_DEVICES" --argjson ms "$((end_ms - start_ms))" \
    '{rate: ($devices * 1000 / $ms), seconds: ($ms / 1000)}' | sample push bridge
}

make_pushed_fleet() {
  ((BENCH_ROUND > 1)) || upload_image push
  fresh_tables
  sql -c "DELETE FROM rollout_configurations WHERE device_model = 'push'"
  wait_for_push
  sql -c "INSERT INTO devices (device_id, device_model, current_firmware_version, seen_on_mqtt)
          SELECT 'push-' || n, 'push', '1.0.0', true FROM generate_series(0, $BENCH_DEVICES - 1) AS n"
  sql -c 'ANALYZE devices'
  run_psql postgres "$DB_SUPER_PASSWORD" "$DB_NAME" -c CHECKPOINT
}

# One session that looks every 20 ms; each look is one row of a small table and one of a partial index.
wait_for_push() {
  sql >/dev/null <<'TEXT'
DO $$
DECLARE deadline timestamptz := clock_timestamp() + interval '120 seconds';
BEGIN
    WHILE EXISTS (SELECT FROM push_requests WHERE done < requested)
          OR EXISTS (SELECT FROM offers WHERE wanted_revision <> published_revision) LOOP
        IF clock_timestamp() > deadline THEN RAISE 'the push did not end within 120 s'; END IF;
        COMMIT;
        PERFORM pg_sleep(0.02);
    END LOOP;
END
$$
TEXT
}

require_pushed() {
  local pushed
  pushed=$(sql -c "SELECT count(*) FROM offers
                   WHERE open AND NOT taken AND published_revision = wanted_revision AND wanted_revision > 0")
  ((pushed == BENCH_DEVICES)) || die "$pushed of $BENCH_DEVICES devices have an offer on the broker"
}

# ---- downloads ---------------------------------------------------------------------------------

measure_download() {
  [[ -n ${NGINX_PORT:-} ]] || start_nginx
  in_turn nginx_download bridge_download
}

nginx_download() {
  program download_load --url "127.0.0.1:$NGINX_PORT" --path /image.bin --seconds "$BENCH_SECONDS" |
    sample download reference
}

bridge_download() {
  program download_load --url "$(ota_url)" --path "$(image_path)" --seconds "$BENCH_SECONDS" | sample download bridge
}

image_path() { printf '/api/firmware/download/1.1.0?device_model=%s' "$BENCH_MODEL"; }

measure_health() { in_turn idle_health busy_health; }

idle_health() {
  program health_load --url "$(ota_url)" --path "$(image_path)" --seconds "$BENCH_SECONDS" --slow 0 |
    sample health reference
}

busy_health() {
  program health_load --url "$(ota_url)" --path "$(image_path)" --seconds "$BENCH_SECONDS" --slow 300 |
    sample health bridge
}

# ---- memory ------------------------------------------------------------------------------------

# A bridge that has just started knows no device; nothing is warmed up beforehand.
measure_memory() {
  local empty_kb full_kb
  stop_bridge
  fresh_tables
  start_bridge
  empty_kb=$(resident_kb)
  program rest_load --url "$(ota_url)" --prefix memory- --ids "$BENCH_DEVICES" --requests "$BENCH_DEVICES" \
    >/dev/null
  full_kb=$(resident_kb)
  jq -n --argjson empty "$empty_kb" --argjson full "$full_kb" \
    '{empty_mb: ($empty / 1024), full_mb: ($full / 1024), grown_mb: (($full - $empty) / 1024)}' |
    sample memory bridge
}

resident_kb() { awk '/^VmRSS:/ { print $2 }' "/proc/$(part_pid bridge)/status"; }
