#!/usr/bin/env bash
# A small certificate authority (EC P-256) for the broker and its devices.
set -euo pipefail

usage() {
  cat <<'TEXT'
usage: ca.sh CA_DIR COMMAND

  init                        make the authority and its (empty) revocation list
  server [NAME…]              the broker's certificate for localhost, 127.0.0.1, this host's name and NAMEs
  device DEVICES_DIR ID…      a key and a certificate with CN = ID for each device: DEVICES_DIR/ID.key, ID.crt
  revoke CERTIFICATE…         put certificates on the revocation list
  crl                         write the revocation list anew

Everything is idempotent: what is there and good is left alone. Files appear whole or not at all, keys with mode 0600.
Exit status: 0 done, 1 failed, 2 wrong usage.
TEXT
}

CONFIGURATION=$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")/openssl.cnf
AUTHORITY_DAYS=7300
DEVICE_DAYS=3650
SERVER_DAYS=825
SERVER_RENEW_SECONDS=$((30 * 86400))

die() {
  printf 'ota: %s\n' "$1" >&2
  exit "${2:-1}"
}

# Same grammar as the server's ids (fleet/ids.cpp). It must hold here above all: the broker puts the CN into its
# ACL patterns, and a CN of '+' would read every device's topics.
require_device_id() {
  local LC_ALL=C
  if ! [[ $1 =~ ^[A-Za-z0-9._:-]{1,64}$ ]] || [[ $1 == . || $1 == .. ]]; then
    die "'$1' is not a device id; use 1 to 64 of A-Z a-z 0-9 . _ : - (and not . or ..)" 2
  fi
}

# run_openssl ARGUMENT…: quiet unless it fails.
run_openssl() {
  local message
  message=$(openssl "$@" 2>&1) || die "openssl $1 failed: $(tail -n 1 <<<"$message")"
}

# is_good CERTIFICATE KEY SECONDS: issued by our authority, belongs to the key, valid for that long.
is_good() {
  [[ -s $1 && -s $2 ]] &&
    openssl x509 -in "$1" -noout -checkend "$3" >/dev/null 2>&1 &&
    openssl verify -CAfile "$OTA_CA_DIR/ca.crt" "$1" >/dev/null 2>&1 &&
    [[ $(openssl x509 -in "$1" -noout -pubkey) == $(openssl pkey -in "$2" -pubout 2>/dev/null) ]]
}

# issue NAME SECTION DAYS DIRECTORY CN [MORE…]: the key first, then the certificate, each by rename.
issue() {
  local name=$1 section=$2 days=$3 directory=$4 common_name=$5 key certificate
  shift 5
  key=$(mktemp "$directory/.key.XXXXXX")
  certificate=$(mktemp "$directory/.crt.XXXXXX")
  run_openssl req -config "$CONFIGURATION" -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -noenc -sha256 \
    -subj "/CN=$common_name" -days "$days" -extensions "$section" -keyout "$key" -out "$certificate" "$@"
  chmod 0600 "$key"
  chmod 0644 "$certificate"
  mv -f "$key" "$directory/$name.key"
  mv -f "$certificate" "$directory/$name.crt"
}

make_authority() {
  if [[ ! -s $OTA_CA_DIR/ca.crt || ! -s $OTA_CA_DIR/ca.key ]]; then
    issue ca authority "$AUTHORITY_DAYS" "$OTA_CA_DIR" 'OTA Bridge devices and broker'
  fi
  [[ -e $OTA_CA_DIR/index.txt ]] || : >"$OTA_CA_DIR/index.txt"
  [[ -s $OTA_CA_DIR/crlnumber ]] || printf '01\n' >"$OTA_CA_DIR/crlnumber"
  [[ -s $OTA_CA_DIR/crl.pem ]] || write_revocation_list
}

# Mosquitto accepts every certificate when it is told to reload a broken list, so a list is proved before it counts.
write_revocation_list() {
  local list
  list=$(mktemp "$OTA_CA_DIR/.crl.XXXXXX")
  run_openssl ca -config "$CONFIGURATION" -gencrl -out "$list"
  openssl crl -in "$list" -noout -CAfile "$OTA_CA_DIR/ca.crt" 2>&1 | grep -q 'verify OK' ||
    die "the new revocation list does not verify; the old one stays"
  chmod 0644 "$list"
  mv -f "$list" "$OTA_CA_DIR/crl.pem"
}

require_authority() {
  [[ -s $OTA_CA_DIR/ca.crt && -s $OTA_CA_DIR/ca.key ]] || die "no certificate authority in $OTA_CA_DIR; run init first"
}

make_server_certificate() {
  local names='DNS:localhost,IP:127.0.0.1,IP:::1' name
  for name in "$(hostname)" "$@"; do
    if [[ $name =~ ^[0-9.]+$ || $name == *:* ]]; then names+=,IP:$name; else names+=,DNS:$name; fi
  done
  if is_good "$OTA_CA_DIR/server.crt" "$OTA_CA_DIR/server.key" "$SERVER_RENEW_SECONDS" &&
    [[ $(cat "$OTA_CA_DIR/server.names" 2>/dev/null) == "$names" ]]; then
    return
  fi
  issue server server "$SERVER_DAYS" "$OTA_CA_DIR" localhost \
    -CA "$OTA_CA_DIR/ca.crt" -CAkey "$OTA_CA_DIR/ca.key" -addext "subjectAltName=$names"
  printf '%s\n' "$names" >"$OTA_CA_DIR/server.names"
}

make_device_certificates() {
  local directory=$1 id
  shift
  (($#)) || die "device needs at least one id" 2
  for id in "$@"; do require_device_id "$id"; done
  mkdir -p "$directory"
  for id in "$@"; do
    is_good "$directory/$id.crt" "$directory/$id.key" 0 ||
      issue "$id" device "$DEVICE_DAYS" "$directory" "$id" -CA "$OTA_CA_DIR/ca.crt" -CAkey "$OTA_CA_DIR/ca.key"
  done
}

revoke() {
  local certificate serial
  (($#)) || die "revoke needs at least one certificate" 2
  for certificate in "$@"; do
    [[ -s $certificate ]] || die "there is no certificate $certificate"
    serial=$(openssl x509 -in "$certificate" -noout -serial) || die "$certificate is not a certificate"
    # index.txt: state, expiry, revocation time, serial …, by tabs; a second revocation of one is no error.
    cut -f 4 "$OTA_CA_DIR/index.txt" | grep -qxF "${serial#serial=}" && continue
    run_openssl ca -config "$CONFIGURATION" -revoke "$certificate"
  done
  write_revocation_list
}

main() {
  case ${1:-} in -h | --help) usage && return ;; esac
  (($# >= 2)) || die "usage: ca.sh CA_DIR init|server|device|revoke|crl; --help explains" 2
  export OTA_CA_DIR=$1
  local command=$2
  shift 2
  umask 077
  mkdir -p "$OTA_CA_DIR"
  # One writer at a time; the lock goes with the process.
  exec 8>>"$OTA_CA_DIR/lock"
  flock -w 60 8 || die "another ca.sh still works in $OTA_CA_DIR"
  [[ $command == init ]] || require_authority
  case $command in
    init) make_authority ;;
    server) make_server_certificate "$@" ;;
    device) (($# >= 1)) || die "device needs a folder and ids" 2 && make_device_certificates "$@" ;;
    revoke) revoke "$@" ;;
    crl) write_revocation_list ;;
    *) die "unknown command '$command'; ca.sh --help lists them" 2 ;;
  esac
}

main "$@"
