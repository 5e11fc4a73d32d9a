#!/usr/bin/env bash
# reload-crl.sh NEW CHAIN TARGET: puts a proven revocation list where Mosquitto reads it, and lets it read it.
#
# Mosquitto accepts every certificate when it is told to reload a broken list, and none when it has expired. So a list
# counts only when one of the authorities in CHAIN has signed it and it has not ended; else the old one stays.
set -euo pipefail

die() {
  printf 'reload-crl: %s\n' "$1" >&2
  exit 1
}

(($# == 3)) || die 'usage: reload-crl.sh NEW CHAIN TARGET'
new=$1 chain=$2 target=$3
[[ -s $new ]] || die "there is no list in $new; $target stays as it is"

proven=$(mktemp "$target.XXXXXX")
trap 'rm -f "$proven"' EXIT
cp -- "$new" "$proven" # looked at and used are the same bytes, whatever happens to NEW meanwhile
openssl crl -in "$proven" -noout -CAfile "$chain" 2>&1 | grep -q 'verify OK' ||
  die "$new is not signed by an authority in $chain; $target stays as it is"
ends=$(openssl crl -in "$proven" -noout -nextupdate)
(($(date -d "${ends#nextUpdate=}" +%s) > $(date +%s))) || die "$new has ended (${ends#nextUpdate=}); $target stays as it is"

chown --reference="$(dirname "$target")" "$proven"
chmod 0640 "$proven"
mv -f "$proven" "$target"
systemctl reload mosquitto.service
