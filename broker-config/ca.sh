#!/usr/bin/env bash
# A small certificate authority (EC P-256) for the broker and its devices: a root key that can be taken away, and an
# issuing authority below it that does the daily work.
set -euo pipefail

usage() {
  cat <<'TEXT'
usage: ca.sh CA_DIR COMMAND

  init                        make the root, the issuing authority and its (empty) revocation list
  server [NAME…]              the broker's certificate for localhost, 127.0.0.1, this host's name and NAMEs;
                              renewed when it ends within 30 days. OTA_CRL_URL in the environment: where its
                              clients may fetch the revocation list (the bridge's /api/pki/crl)
  renew-server [NAME…]        the same, renewed at once
  device DEVICES_DIR ID…      a key and a certificate with CN = ID for each device: DEVICES_DIR/ID.key, ID.crt
  revoke CERTIFICATE…         put certificates on the revocation list
  crl                         write the revocation list anew
  holds DEVICES_DIR ID        whether there is a valid certificate that is not revoked (exit status 0), or not (1)
  lists SERIAL                whether the revocation list has that serial number
  renew-issuing               a longer life for the issuing authority, same key: nothing else changes. Needs the root
  replace-issuing             a new issuing key, for when the old one was stolen: every certificate of the old one is
                              refused from then on, the broker's is made anew. Needs the root

What lies in CA_DIR: root/ with the root key (take the folder away; only the commands that say so need it),
ca.crt (the root's certificate, which devices trust), issuing.key and issuing.crt (which sign), chain.crt (both
certificates, for the broker's cafile and the bridge's DEVICE_CA_CERT), server.key and server.crt, crl.pem.
A CA_DIR made by an earlier version has one key for everything, ca.key; it goes on working as it is.

Everything is idempotent: what is there and good is left alone. Files appear whole or not at all, keys with mode 0600.
Exit status: 0 done, 1 failed, 2 wrong usage.
TEXT
}

CONFIGURATION=$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")/openssl.cnf
ROOT_DAYS=10950
ISSUING_DAYS=5475
DEVICE_DAYS=3650
SERVER_DAYS=825
SERVER_RENEW_SECONDS=$((30 * 86400))
# A list with less left is written anew at the next init: an expired one refuses every device.
LIST_RENEW_SECONDS=$((30 * 86400))

# What a failure leaves half made.
TEMPORARIES=()
trap 'rm -f "${TEMPORARIES[@]}"' EXIT

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
    openssl verify -CAfile "$OTA_CA_DIR/ca.crt" -untrusted "$ISSUING_CERT" "$1" >/dev/null 2>&1 &&
    [[ $(openssl x509 -in "$1" -noout -pubkey) == $(openssl pkey -in "$2" -pubout 2>/dev/null) ]]
}

# issue NAME SECTION DAYS DIRECTORY CN [MORE…]: the key first, then the certificate, each by rename.
issue() {
  local name=$1 section=$2 days=$3 directory=$4 common_name=$5 key certificate
  shift 5
  key=$(mktemp "$directory/.key.XXXXXX")
  certificate=$(mktemp "$directory/.crt.XXXXXX")
  TEMPORARIES+=("$key" "$certificate")
  run_openssl req -config "$CONFIGURATION" -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -noenc -sha256 \
    -subj "/CN=$common_name" -days "$days" -extensions "$section" -keyout "$key" -out "$certificate" "$@"
  # A server sends its chain: devices know the root alone.
  [[ $section != server || $ISSUING_CERT == "$OTA_CA_DIR/ca.crt" ]] || cat "$ISSUING_CERT" >>"$certificate"
  chmod 0600 "$key"
  chmod 0644 "$certificate"
  mv -f "$key" "$directory/$name.key"
  mv -f "$certificate" "$directory/$name.crt"
}

# Which certificate and key sign: the issuing ones, or the only ones of an earlier version's folder.
find_issuer() {
  ISSUING_CERT=$OTA_CA_DIR/issuing.crt
  ISSUING_KEY=$OTA_CA_DIR/issuing.key
  if [[ ! -s $ISSUING_CERT && -s $OTA_CA_DIR/ca.key ]]; then
    ISSUING_CERT=$OTA_CA_DIR/ca.crt
    ISSUING_KEY=$OTA_CA_DIR/ca.key
  fi
}

has_issuer() { [[ -s $OTA_CA_DIR/ca.crt && -s $ISSUING_CERT && -s $ISSUING_KEY ]]; }

make_authority() {
  if ! has_issuer; then
    make_root
    make_issuing
    find_issuer
  fi
  write_chain
  [[ -e $OTA_CA_DIR/index.txt ]] || : >"$OTA_CA_DIR/index.txt"
  [[ -s $OTA_CA_DIR/crlnumber ]] || printf '01\n' >"$OTA_CA_DIR/crlnumber"
  list_is_good || write_revocation_list
}

make_root() {
  if [[ -s $OTA_CA_DIR/ca.crt ]]; then
    require_root
    return
  fi
  mkdir -p "$OTA_CA_DIR/root"
  issue root root "$ROOT_DAYS" "$OTA_CA_DIR/root" "OTA Bridge root $(random_name)"
  cp "$OTA_CA_DIR/root/root.crt" "$OTA_CA_DIR/.ca.crt"
  chmod 0644 "$OTA_CA_DIR/.ca.crt"
  mv -f "$OTA_CA_DIR/.ca.crt" "$OTA_CA_DIR/ca.crt"
}

# A name of its own for each, so that no two authorities are ever taken for each other.
random_name() { openssl rand -hex 4; }

require_root() {
  [[ -s $OTA_CA_DIR/root/root.key ]] ||
    die "this needs the root key; put the folder with root.key and root.crt back as $OTA_CA_DIR/root"
}

make_issuing() {
  issue issuing issuing "$ISSUING_DAYS" "$OTA_CA_DIR" "OTA Bridge issuing $(random_name)" \
    -CA "$OTA_CA_DIR/ca.crt" -CAkey "$OTA_CA_DIR/root/root.key"
}

write_chain() {
  local chain
  chain=$(mktemp "$OTA_CA_DIR/.chain.XXXXXX")
  cat "$ISSUING_CERT" >"$chain"
  [[ $ISSUING_CERT == "$OTA_CA_DIR/ca.crt" ]] || cat "$OTA_CA_DIR/ca.crt" >>"$chain"
  chmod 0644 "$chain"
  mv -f "$chain" "$OTA_CA_DIR/chain.crt"
}

require_two_keys() {
  [[ $ISSUING_CERT != "$OTA_CA_DIR/ca.crt" ]] ||
    die "$OTA_CA_DIR has one key for everything, made by an earlier version; only a new authority (init in a new folder) has an issuing key of its own"
  require_root
}

# The same key and name under a longer life: whatever it has signed stays valid.
renew_issuing() {
  local certificate name
  require_two_keys
  certificate=$(mktemp "$OTA_CA_DIR/.crt.XXXXXX")
  name=$(openssl x509 -in "$ISSUING_CERT" -noout -subject -nameopt RFC2253)
  run_openssl req -config "$CONFIGURATION" -x509 -key "$ISSUING_KEY" -sha256 -subj "/${name#subject=}" \
    -days "$ISSUING_DAYS" -extensions issuing -CA "$OTA_CA_DIR/ca.crt" -CAkey "$OTA_CA_DIR/root/root.key" -out "$certificate"
  chmod 0644 "$certificate"
  mv -f "$certificate" "$ISSUING_CERT"
  write_chain
  renew_server_certificate
}

replace_issuing() {
  require_two_keys
  make_issuing
  write_chain
  # The old list is the old key's: without one of its own the broker refuses everything that key has signed.
  : >"$OTA_CA_DIR/index.txt"
  write_revocation_list
  renew_server_certificate
}

list_is_good() {
  [[ -s $OTA_CA_DIR/crl.pem ]] && list_verifies "$OTA_CA_DIR/crl.pem" && list_lasts "$OTA_CA_DIR/crl.pem"
}

list_verifies() { openssl crl -in "$1" -noout -CAfile "$ISSUING_CERT" 2>&1 | grep -q 'verify OK'; }

list_lasts() {
  local end
  end=$(openssl crl -in "$1" -noout -nextupdate) || return 1
  (($(date -d "${end#nextUpdate=}" +%s) > $(date +%s) + LIST_RENEW_SECONDS))
}

# The bridge writes the same file. What it has put there is taken over, so that nothing ever leaves the list.
adopt_listed_serials() {
  local serial date
  [[ -s $OTA_CA_DIR/crl.pem ]] && list_verifies "$OTA_CA_DIR/crl.pem" || return 0
  while IFS=$'\t' read -r serial date; do
    is_listed "$serial" && continue
    # State, expiry (not known, so never), revocation time, serial, file, name.
    printf 'R\t491231235959Z\t%s\t%s\tunknown\t/CN=unknown\n' "$(date -u -d "$date" +%y%m%d%H%M%SZ)" "$serial" \
      >>"$OTA_CA_DIR/index.txt"
  done < <(openssl crl -in "$OTA_CA_DIR/crl.pem" -noout -text |
    sed -n -e '/Serial Number: /{s/.*: //;h;}' -e '/Revocation Date: /{s/.*Date: //;H;x;s/\n/\t/;p;}')
}

# index.txt has the serial in its fourth column.
is_listed() { cut -f 4 "$OTA_CA_DIR/index.txt" | grep -qixF "$1"; }

# Mosquitto accepts every certificate when it is told to reload a broken list, so a list is proved before it counts.
write_revocation_list() {
  local list
  adopt_listed_serials
  # Higher than any number of either writer: the bridge's are milliseconds since 1970, too.
  printf '%X\n' "$(date +%s%3N)" | sed 's/^\(.\(..\)*\)$/0\1/' >"$OTA_CA_DIR/crlnumber"
  list=$(mktemp "$OTA_CA_DIR/.crl.XXXXXX")
  run_openssl ca -config "$CONFIGURATION" -gencrl -cert "$ISSUING_CERT" -keyfile "$ISSUING_KEY" -out "$list"
  list_verifies "$list" || die "the new revocation list does not verify; the old one stays"
  chmod 0644 "$list"
  mv -f "$list" "$OTA_CA_DIR/crl.pem"
}

require_authority() {
  has_issuer || die "no certificate authority in $OTA_CA_DIR; run init first"
}

# The names of the present certificate, renewed at once.
renew_server_certificate() {
  local -a present=()
  [[ ! -s $OTA_CA_DIR/server.names ]] || mapfile -t present < <(tr ',' '\n' <"$OTA_CA_DIR/server.names" | sed 's/^[^:]*://')
  ((${#present[@]})) || return 0
  rm -f "$OTA_CA_DIR/server.names"
  OTA_CRL_URL=${OTA_CRL_URL:-$(crl_url_of_server)} make_server_certificate "${present[@]}"
}

# Where the present certificate says that the revocation list is.
crl_url_of_server() {
  openssl x509 -in "$OTA_CA_DIR/server.crt" -noout -ext crlDistributionPoints 2>/dev/null |
    sed -n 's/^ *URI:\(http.*\)$/\1/p'
}

make_server_certificate() {
  local names='DNS:localhost,IP:127.0.0.1,IP:::1' name
  for name in "$(hostname)" "$@"; do
    if [[ $name =~ ^[0-9.]+$ || $name == *:* ]]; then name=IP:$name; else name=DNS:$name; fi
    [[ ,$names, == *,$name,* ]] || names+=,$name
  done
  if is_good "$OTA_CA_DIR/server.crt" "$OTA_CA_DIR/server.key" "$SERVER_RENEW_SECONDS" &&
    [[ $(cat "$OTA_CA_DIR/server.names" 2>/dev/null) == "$names" ]] &&
    [[ -z ${OTA_CRL_URL:-} || $(crl_url_of_server) == "$OTA_CRL_URL" ]]; then
    return
  fi
  local -a more=(-addext "subjectAltName=$names")
  [[ -z ${OTA_CRL_URL:-} ]] || more+=(-addext "crlDistributionPoints=URI:$OTA_CRL_URL")
  issue server server "$SERVER_DAYS" "$OTA_CA_DIR" localhost \
    -CA "$ISSUING_CERT" -CAkey "$ISSUING_KEY" "${more[@]}"
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
      issue "$id" device "$DEVICE_DAYS" "$directory" "$id" -CA "$ISSUING_CERT" -CAkey "$ISSUING_KEY"
  done
}

# holds DEVICES_DIR ID
holds() {
  local serial
  require_device_id "$2"
  is_good "$1/$2.crt" "$1/$2.key" 0 && serial=$(openssl x509 -in "$1/$2.crt" -noout -serial) &&
    ! is_on_list "${serial#serial=}"
}

is_on_list() { openssl crl -in "$OTA_CA_DIR/crl.pem" -noout -text | grep -qix " *serial number: $1"; }

revoke() {
  local certificate serial
  (($#)) || die "revoke needs at least one certificate" 2
  for certificate in "$@"; do
    [[ -s $certificate ]] || die "there is no certificate $certificate"
    serial=$(openssl x509 -in "$certificate" -noout -serial) || die "$certificate is not a certificate"
    is_listed "${serial#serial=}" && continue # a second revocation of one is no error
    run_openssl ca -config "$CONFIGURATION" -cert "$ISSUING_CERT" -keyfile "$ISSUING_KEY" -revoke "$certificate"
  done
  write_revocation_list
}

main() {
  case ${1:-} in -h | --help) usage && return ;; esac
  (($# >= 2)) || die "usage: ca.sh CA_DIR COMMAND; --help explains" 2
  export OTA_CA_DIR=$1
  local command=$2
  shift 2
  umask 077
  mkdir -p "$OTA_CA_DIR"
  # One writer at a time; the lock goes with the process.
  exec 8>>"$OTA_CA_DIR/lock"
  flock -w 60 8 || die "another ca.sh still works in $OTA_CA_DIR"
  find_issuer
  [[ $command == init ]] || require_authority
  case $command in
    init) make_authority ;;
    server) make_server_certificate "$@" ;;
    device) (($# >= 1)) || die "device needs a folder and ids" 2 && make_device_certificates "$@" ;;
    revoke) revoke "$@" ;;
    crl) write_revocation_list ;;
    renew-server)
      rm -f "$OTA_CA_DIR/server.names"
      make_server_certificate "$@"
      ;;
    holds) (($# == 2)) || die "holds needs a folder and an id" 2 && holds "$@" ;;
    lists) (($# == 1)) || die "lists needs a serial number" 2 && is_on_list "$1" ;;
    renew-issuing) renew_issuing ;;
    replace-issuing) replace_issuing ;;
    *) die "unknown command '$command'; ca.sh --help lists them" 2 ;;
  esac
}

main "$@"
