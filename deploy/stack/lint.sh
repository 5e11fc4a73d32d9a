# ./ota lint: the formatting, a build by the second compiler, and clang-tidy.
# shellcheck shell=bash

# shellcheck source=deploy/stack/setup.sh
. "$STACK_SCRIPTS/setup.sh"

LINT_FOLDERS='fleet|topics|sql|http|bridge|otactl|esp-client'

help_lint() {
  cat <<'TEXT'
usage: ./ota lint [FILE...]

Tests that every C++ file (or the given ones) is formatted by clang-format, that clang takes the whole tree, and that
clang-tidy finds nothing (.clang-tidy). Installs the three when they are missing. `clang-format -i FILE` mends the first.
TEXT
}

verb_lint() {
  local -a files=("$@")
  PACKAGES+=(clang clang-tidy clang-format)
  BUILD_PRESET=clang
  unset OTA_BUILD_DIR
  ensure_setup
  cd "$OTA_ROOT" || die "the folder $OTA_ROOT is gone"
  ((${#files[@]} > 0)) || mapfile -t files < <(git ls-files '*.cpp' '*.hpp')
  clang-format --dry-run -Werror "${files[@]}" || die "not formatted as .clang-format says; run clang-format -i on those files"
  local -a sources=()
  local file
  for file in "${files[@]}"; do
    [[ $file =~ ^($LINT_FOLDERS)/.*\.cpp$ ]] && sources+=("$OTA_ROOT/$file")
  done
  ((${#sources[@]} == 0)) || run-clang-tidy -p "$(build_dir)" -j "$(nproc)" -quiet "${sources[@]}" >"$(build_dir)/lint.log" 2>&1 || {
    grep -E '(error|warning): ' "$(build_dir)/lint.log" | sort -u >&2
    die "clang-tidy found something; all of it is in $(build_dir)/lint.log"
  }
  echo "nothing found in ${#files[@]} files"
}
