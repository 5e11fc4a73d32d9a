# apt with a configuration of its own: packages of another Debian release, fetched with apt's signature check, as any
# user, without touching the system's sources, lists or cache. The mirror is the one this machine already uses.
# shellcheck shell=bash

DEBIAN_KEYRING=/usr/share/keyrings/debian-archive-keyring.gpg

# apt itself reads every format of its sources for us. One line per configured source: "release codename URI"
# (sources may say "stable" or "bookworm" for the same release).
configured_sources() {
  # shellcheck disable=SC2016 # the $(…) are apt's
  apt-get indextargets --format '$(RELEASE) $(CODENAME) $(REPO_URI)' 'Created-By: Packages' 2>/dev/null | sort -u
}

# mirror_of RELEASE-SUFFIX: the URI that serves this Debian release ("" for the main archive, "-security").
mirror_of() {
  local id='' codename=''
  # shellcheck source=/dev/null
  id=$(. /etc/os-release && printf '%s' "$ID")
  # shellcheck source=/dev/null
  codename=$(. /etc/os-release && printf '%s' "${VERSION_CODENAME:-}")
  [[ $id == debian && -n $codename ]] || return 0
  configured_sources | awk -v release="$codename$1" '$1 == release || $2 == release { print $NF; exit }'
}

# The mirrors to try, best first, each as "archive security-archive"; no line twice.
debian_mirrors() {
  local archive security
  archive=$(mirror_of '')
  security=$(mirror_of '-security')
  [[ -z $archive ]] || printf '%s %s\n' "$archive" "${security:--}"
  [[ ${archive%/} == http://deb.debian.org/debian ]] ||
    printf '%s %s\n' http://deb.debian.org/debian http://deb.debian.org/debian-security
}

# private_apt_open DIRECTORY TYPE SUITE…: makes the configuration (TYPE deb or deb-src) and fetches the lists from
# the first mirror that has all suites; 1 when none has.
private_apt_open() {
  local directory=$1 archive security
  shift
  [[ -e $DEBIAN_KEYRING ]] || ensure_packages debian-archive-keyring
  mkdir -p "$directory/lists/partial" "$directory/cache/archives/partial"
  private_apt_configuration "$directory" >"$directory/apt.conf"
  while read -r archive security; do
    private_apt_sources "$archive" "$security" "$@" >"$directory/sources.list"
    private_apt "$directory" apt-get -q update --error-on=any >"$directory/log" 2>&1 && return
  done < <(debian_mirrors)
  return 1
}

private_apt() {
  local directory=$1
  shift
  APT_CONFIG=$directory/apt.conf "$@"
}

# Sandbox user root: the lists lie in a folder that apt's own user could not enter. Harmless for an ordinary user.
private_apt_configuration() {
  cat <<TEXT
Dir::Etc::SourceList "$1/sources.list";
Dir::Etc::SourceParts "/dev/null";
Dir::Etc::Preferences "/dev/null";
Dir::Etc::PreferencesParts "/dev/null";
Dir::State::Lists "$1/lists";
Dir::Cache "$1/cache";
Acquire::Languages "none";
Acquire::Retries "2";
Acquire::http::Timeout "20";
APT::Sandbox::User "root";
TEXT
}

private_apt_sources() {
  local archive=$1 security=$2 type=$3 suite
  shift 3
  for suite in "$@"; do
    if [[ $suite == *-security ]]; then
      [[ $security == - ]] || printf '%s [signed-by=%s] %s %s main\n' "$type" "$DEBIAN_KEYRING" "$security" "$suite"
    else
      printf '%s [signed-by=%s] %s %s main\n' "$type" "$DEBIAN_KEYRING" "$archive" "$suite"
    fi
  done
}
