# ./ota setup: Debian packages, the few things the distribution's release is too old for, and the build.
# Every step looks first whether its result is there, so a second run costs a fraction of a second and no apt.
# shellcheck shell=bash

# shellcheck source=deploy/stack/private_apt.sh
. "$STACK_SCRIPTS/private_apt.sh"

PACKAGES=(
  build-essential cmake ninja-build ccache pkg-config
  libpaho-mqtt-dev libpaho-mqttpp-dev libmosquitto-dev libpqxx-dev libpq-dev
  libcurl4-openssl-dev libssl-dev libmbedtls-dev libexpected-dev libcli11-dev libspdlog-dev nlohmann-json3-dev
  libhowardhinnant-date-dev tzdata
  libgtest-dev libgmock-dev
  mosquitto mosquitto-clients postgresql postgresql-client curl jq openssl
)
# Older ones have known holes (unlimited chunked bodies and header lines).
HTTPLIB_VERSION_MIN=0.18.7
HTTPLIB_HEADER=$OTA_ROOT/third_party/cpp-httplib/httplib.h
# 2.0.11 sends retained messages to shared subscriptions, which the protocol forbids.
MOSQUITTO_VERSION_MIN=2.0.18
MOSQUITTO_PRIVATE=$OTA_ROOT/.deps/mosquitto
BUILD_PRESET=release
# Empty: everything, the tests and the bench too.
BUILD_TARGETS=()
# What a stack, its admin and its simulated devices need: the first demo does not wait for the tests to compile.
# shellcheck disable=SC2034
STACK_TARGETS=(ota-bridge ota-device otactl)

help_setup() {
  cat <<'TEXT'
usage: ./ota setup

Installs the Debian or Ubuntu packages that are missing (by apt, with sudo when you are not root), fetches
cpp-httplib where the distribution's is older than 0.18.7 and Mosquitto where a backport exists, and builds
the release preset. Every other verb does this when needed; a second run takes about a second.
TEXT
}

verb_setup() {
  (($# == 0)) || usage_error "setup takes no argument, got '$1'"
  rm -f "$MOSQUITTO_PRIVATE.unavailable"
  ensure_setup
  say "ready: $(build_dir)"
}

# The folder whose binaries the stack runs. OTA_BUILD_DIR names another one (the tests of each preset do
# that); then nothing is installed or built here.
build_dir() { printf '%s' "${OTA_BUILD_DIR:-$OTA_ROOT/build/$BUILD_PRESET}"; }

ensure_setup() {
  [[ -z ${OTA_BUILD_DIR:-} ]] || return 0
  mkdir -p "$OTA_ROOT/.deps"
  [[ -w $OTA_ROOT/.deps ]] ||
    die "$OTA_ROOT/.deps is not yours (root may have run ./ota here); have it given to you: chown -R $(id -un) $OTA_ROOT"
  lock "$OTA_ROOT/.deps/lock" 3600
  ensure_packages "${PACKAGES[@]}"
  ensure_httplib
  ensure_mosquitto
  ensure_built
  unlock
}

# ---- packages ----------------------------------------------------------------------------------

# Prints those of the packages that are not installed, a line each.
missing_packages() {
  dpkg-query -W -f='${db:Status-Status} ${Package}\n' "$@" 2>/dev/null |
    awk -v wanted="$*" '
      $1 == "installed" { have[$2] = 1 }
      END { n = split(wanted, name, " "); for (i = 1; i <= n; i++) if (!(name[i] in have)) print name[i] }'
}

ensure_packages() {
  local -a missing
  command -v dpkg-query >/dev/null ||
    die "this system has no dpkg; ./ota setup knows Debian and Ubuntu (needed: $*)"
  mapfile -t missing < <(missing_packages "$@")
  ((${#missing[@]})) || return 0
  say "installing ${missing[*]}"
  as_root apt-get -q update || say "apt-get update failed; trying with the package lists at hand"
  as_root env DEBIAN_FRONTEND=noninteractive apt-get -q -y --no-install-recommends \
    -o DPkg::Lock::Timeout=300 install "${missing[@]}" ||
    die "apt could not install ${missing[*]}; its message is above"
}

# The progress of what runs as root goes to stderr: stdout of the verbs is for their results.
as_root() {
  if ((EUID == 0)); then
    "$@" >&2
  elif command -v sudo >/dev/null; then
    sudo "$@" >&2
  else
    die "this needs root and there is no sudo; have root run '$*', then try again"
  fi
}

# ---- cpp-httplib -------------------------------------------------------------------------------

version_at_least() { dpkg --compare-versions "$1" ge "$2"; }

httplib_header_version() {
  [[ ! -e $1 ]] || sed -n 's/^#define CPPHTTPLIB_VERSION "\([0-9.]*\)".*/\1/p' "$1"
}

ensure_httplib() {
  local version
  version=$(httplib_header_version "$HTTPLIB_HEADER")
  [[ -n $version ]] && version_at_least "$version" "$HTTPLIB_VERSION_MIN" && return
  version=$(dpkg-query -W -f='${Version}' libcpp-httplib-dev 2>/dev/null) || version=
  [[ -n $version ]] && version_at_least "$version" "$HTTPLIB_VERSION_MIN" && return
  version=$(apt-cache policy libcpp-httplib-dev 2>/dev/null | awk '$1 == "Candidate:" { print $2 }')
  if [[ -n $version && $version != "(none)" ]] && version_at_least "$version" "$HTTPLIB_VERSION_MIN"; then
    ensure_packages libcpp-httplib-dev
  else
    fetch_httplib_source
  fi
}

# Only the header is kept; it replaces an older one in one step after everything has succeeded.
# In a shell of its own, so that however it ends its working folder goes with it.
fetch_httplib_source() (
  say "fetching cpp-httplib (this release's is older than $HTTPLIB_VERSION_MIN) from Debian 13's source package"
  work=$(mktemp -d)
  trap 'rm -rf "$work"' EXIT
  private_apt_open "$work/apt" deb-src trixie trixie-security ||
    die "cpp-httplib's source package is not reachable: no Debian mirror answered (tried: $(debian_mirrors | tr '\n' ' '))"
  (cd "$work" && private_apt "$work/apt" apt-get -q source --download-only cpp-httplib) >"$work/log" 2>&1 ||
    die "cpp-httplib's source package could not be fetched: $(tail -n 1 "$work/log")"
  # apt has checked the archive's signature over these files; the maintainer's own key is not at hand here.
  dpkg-source --no-check -x "$work"/cpp-httplib_*.dsc "$work/source" >"$work/log" 2>&1 ||
    die "cpp-httplib's source package could not be unpacked: $(tail -n 1 "$work/log")"
  version=$(httplib_header_version "$work/source/httplib.h")
  version_at_least "${version:-0}" "$HTTPLIB_VERSION_MIN" ||
    die "the mirror's cpp-httplib is ${version:-unreadable}, $HTTPLIB_VERSION_MIN or newer is needed"
  mkdir -p "${HTTPLIB_HEADER%/*}"
  write_atomically "$HTTPLIB_HEADER" 0644 <"$work/source/httplib.h"
)

# ---- Mosquitto ---------------------------------------------------------------------------------

mosquitto_package_version() { dpkg-query -W -f='${Version}' mosquitto 2>/dev/null; }

# A newer Mosquitto is a comfort, not a need: where it cannot be had the system's is used, and that is remembered
# until the next explicit ./ota setup, so that no start of a stack waits for a mirror.
ensure_mosquitto() {
  local codename
  [[ ! -x $MOSQUITTO_PRIVATE/usr/sbin/mosquitto && ! -e $MOSQUITTO_PRIVATE.unavailable ]] || return 0
  version_at_least "$(mosquitto_package_version)" "$MOSQUITTO_VERSION_MIN" && return
  codename=$(. /etc/os-release && printf '%s' "${VERSION_CODENAME:-}")
  [[ $codename == bookworm ]] || return 0
  if ! fetch_mosquitto_backport; then
    say "no Mosquitto backport on this mirror; using the system's $(mosquitto_package_version)"
    : >"$MOSQUITTO_PRIVATE.unavailable"
  fi
}

fetch_mosquitto_backport() (
  packages=(mosquitto mosquitto-clients libmosquitto1 libwebsockets17)
  work=$(mktemp -d)
  trap 'rm -rf "$work" "$MOSQUITTO_PRIVATE.new"' EXIT
  private_apt_open "$work/apt" deb bookworm bookworm-backports || exit 1
  for package in "${packages[@]}"; do
    (cd "$work" && private_apt "$work/apt" apt-get -q download "$package/bookworm-backports" ||
      private_apt "$work/apt" apt-get -q download "$package") >"$work/log" 2>&1 || true
  done
  compgen -G "$work/mosquitto_*.deb" >/dev/null || exit 1
  rm -rf "$MOSQUITTO_PRIVATE.new"
  for package in "$work"/*.deb; do dpkg -x "$package" "$MOSQUITTO_PRIVATE.new" || exit 1; done
  # Proof that every library it needs is there: it prints its version (and exits with a status of its own).
  version=$(LD_LIBRARY_PATH=$(mosquitto_library_path "$MOSQUITTO_PRIVATE.new") \
    "$MOSQUITTO_PRIVATE.new/usr/sbin/mosquitto" -h 2>&1 | head -n 1) || true
  [[ $version == 'mosquitto version 2'* ]] || exit 1
  rm -rf "$MOSQUITTO_PRIVATE"
  mv "$MOSQUITTO_PRIVATE.new" "$MOSQUITTO_PRIVATE"
)

mosquitto_library_path() { printf '%s' "$1/usr/lib/$(dpkg-architecture -qDEB_HOST_MULTIARCH 2>/dev/null || gcc -print-multiarch)"; }

# ---- build -------------------------------------------------------------------------------------

ensure_built() {
  local directory=$OTA_ROOT/build/$BUILD_PRESET
  if [[ ! -e $directory/build.ninja ]]; then
    say "configuring the $BUILD_PRESET preset"
    configure_preset "$directory"
  fi
  ninja -C "$directory" -j "$(build_jobs)" "${BUILD_TARGETS[@]}" 2>&1 | show_build_progress ||
    die "the build failed; the compiler's message is above"
}

# A demo, a benchmark and the tests stand on parts of their own, whatever database, broker, folder or rules the
# caller's shell points to. The bridge knows the names of all its variables.
forget_callers_settings() {
  local name
  unset "${!PG@}"
  while read -r name; do
    [[ $name == LOG_LEVEL ]] || unset "$name"
  done < <("$(build_dir)/bridge/ota-bridge" --help | sed -n '/^Environment/,$ s/^  \([A-Z][A-Z0-9_]*\)[ :].*/\1/p')
}

# Ninja's steps on one line of a terminal, line by line elsewhere; nothing at all when there was nothing to do.
show_build_progress() {
  local line live=0 steps=0
  [[ ! -t 2 || ${TERM:-dumb} == dumb ]] || live=1
  while IFS= read -r line; do
    case $line in
      *'Re-checking globbed'* | *'Re-running CMake'* | 'ninja: Entering'* | 'ninja: no work'* | '-- '*) ;;
      '['*/*'] '*)
        if ((steps++ == 0)); then say "building ${BUILD_TARGETS[*]:-everything} ($BUILD_PRESET preset)"; fi
        if ((live)); then printf '\r\e[K%.*s' "$((${COLUMNS:-80} - 1))" "$line" >&2; else printf '%s\n' "$line" >&2; fi
        ;;
      *) printf '%s%s\n' "$( ((live)) && printf '\r\e[K')" "$line" >&2 ;;
    esac
  done
  if ((live && steps)); then printf '\r\e[K' >&2; fi
}

# build.ninja appears only when the configuration went through, so a failed one is tried again.
configure_preset() {
  mkdir -p "$1"
  if ! (cd "$OTA_ROOT" && cmake --preset "$BUILD_PRESET") >"$1/configure.log" 2>&1; then
    tail -n 25 "$1/configure.log" >&2
    rm -f "$1/build.ninja"
    die "cmake could not configure the $BUILD_PRESET preset; its message is above"
  fi
}

# A compiler process takes up to about 1 GiB here: more jobs than memory would make the machine swap.
build_jobs() {
  local cores memory_gib
  cores=$(nproc)
  memory_gib=$(awk '/^MemAvailable/ { print int($2 / 1048576) }' /proc/meminfo)
  printf '%s' $((memory_gib < 1 ? 1 : memory_gib < cores ? memory_gib : cores))
}
