# Mosquitto of a private stack: certificates, generated configuration, start and stop.
# shellcheck shell=bash

BROKER_CONFIG=$OTA_ROOT/broker-config
# '@' is outside the grammar of device ids: no certificate that the authority issues can carry these names.
MQTT_BRIDGE_USER=bridge@internal
MQTT_MONITOR_USER=monitor@internal

broker_conf() { printf '%s' "$STACK_DIR/mosquitto/mosquitto.conf"; }

run_ca() { "$BROKER_CONFIG/ca.sh" "$STACK_DIR/ca" "$@"; }

broker_is_alive() { part_pid mosquitto >/dev/null; }

start_broker() {
  broker_is_alive && return
  install -d -m 0700 "$STACK_DIR/mosquitto" "$STACK_DIR/mosquitto/data"
  make_server_certificate
  choose_port MQTTS_PORT 8883
  choose_port MQTT_INTERNAL_PORT 11883
  write_broker_configuration
  launch_broker
  # A port that was free a moment ago may be taken now; those that nobody asked for may be chosen anew.
  if ! wait_until 10 broker_listens; then
    show_log_tail mosquitto
    die "mosquitto did not listen on ports $MQTTS_PORT and $MQTT_INTERNAL_PORT within 10 s"
  fi
  broker_is_alive && return
  retry_with_new_ports mosquitto MQTTS_PORT MQTT_INTERNAL_PORT || {
    show_log_tail mosquitto
    die "mosquitto ended at once; its log says why"
  }
  start_broker
}

# True as well when it has died: then waiting is over, too.
broker_listens() {
  local pid
  pid=$(part_pid mosquitto) || return 0
  port_belongs_to "$MQTTS_PORT" "$pid" && port_belongs_to "$MQTT_INTERNAL_PORT" "$pid"
}

launch_broker() {
  local binary library=''
  binary=$(command -v mosquitto || printf /usr/sbin/mosquitto)
  if [[ -x $MOSQUITTO_PRIVATE/usr/sbin/mosquitto ]]; then
    binary=$MOSQUITTO_PRIVATE/usr/sbin/mosquitto
    library=$(mosquitto_library_path "$MOSQUITTO_PRIVATE")
  fi
  launch mosquitto "$(broker_conf)" env ${library:+"LD_LIBRARY_PATH=$library"} "$binary" -c "$(broker_conf)"
}

# fill_template FILE: the @NAME@ marks of a template, by the shell. In quotes no character of a value is special.
fill_template() {
  local text
  text=$(cat "$1")
  text=${text//@USER@/"$(id -un)"}
  text=${text//@HOST@/"$BIND_HOST"}
  text=${text//@ROOT@/"$MQTT_ROOT"}
  text=${text//@CA_DIR@/"$STACK_DIR/ca"}
  text=${text//@CONF_DIR@/"$STACK_DIR/mosquitto"}
  text=${text//@DATA_DIR@/"$STACK_DIR/mosquitto/data"}
  text=${text//@MQTTS_PORT@/"$MQTTS_PORT"}
  text=${text//@MQTT_INTERNAL_PORT@/"$MQTT_INTERNAL_PORT"}
  printf '%s\n' "$text"
}

write_broker_configuration() {
  fill_template "$BROKER_CONFIG/mosquitto.conf.in" | write_atomically "$(broker_conf)" 0600
  fill_template "$BROKER_CONFIG/device.acl.in" | write_atomically "$STACK_DIR/mosquitto/device.acl" 0600
  fill_template "$BROKER_CONFIG/internal.acl.in" | write_atomically "$STACK_DIR/mosquitto/internal.acl" 0600
  write_broker_passwords
}

# The plain file is hashed in place under another name; passwords never stand on a command line.
write_broker_passwords() {
  local plain=$STACK_DIR/mosquitto/.passwords
  printf '%s:%s\n' "$MQTT_BRIDGE_USER" "$MQTT_BRIDGE_PASSWORD" "$MQTT_MONITOR_USER" "$MQTT_MONITOR_PASSWORD" |
    write_atomically "$plain" 0600
  mosquitto_passwd -U "$plain" || die "mosquitto_passwd could not hash the broker's passwords"
  chmod 0600 "$plain"
  mv -f "$plain" "$STACK_DIR/mosquitto/passwords"
}

# Makes Mosquitto read the ACLs, the passwords and the revocation list again.
reload_broker() {
  local pid
  pid=$(part_pid mosquitto) && kill -s HUP "$pid"
}

stop_broker() { stop_part mosquitto TERM 10; }
