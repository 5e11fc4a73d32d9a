# ./ota fuzz: the fuzzers of tests/fuzz with libFuzzer and sanitizers.
# shellcheck shell=bash

# shellcheck source=deploy/stack/setup.sh
. "$STACK_SCRIPTS/setup.sh"

FUZZ_DIR=$OTA_ROOT/.fuzz
FUZZ_AT_ONCE=2

help_fuzz() {
  cat <<'TEXT'
usage: ./ota fuzz [NAME...] [--seconds N]

Builds the fuzzers of tests/fuzz with clang, libFuzzer and the address and undefined-behaviour sanitizers (both are
installed when missing) and runs all of them, or the named ones, two at a time.
  --seconds N   so long each (default 60)

Inputs that reach new code gather in .fuzz/corpus/NAME and are the start of the next run. A finding lies in
.fuzz/findings; how to run it again is said at the end. Exit status 1 when there is one. docs/fuzzing.md says more.
TEXT
}

verb_fuzz() {
  local seconds=60 failed=0 name
  local -a names=() all
  while (($#)); do
    case $1 in
      --seconds) seconds=$(option_value "$1" $# "${2:-}") && shift ;;
      -*) usage_error "fuzz does not know '$1'; ./ota fuzz --help explains" ;;
      *) names+=("$1") ;;
    esac
    shift
  done
  [[ $seconds =~ ^[1-9][0-9]{0,5}$ ]] || usage_error "--seconds '$seconds' is not a number of seconds"
  mapfile -t all < <(fuzzer_names)
  for name in "${names[@]}"; do
    [[ " ${all[*]} " == *" $name "* ]] || usage_error "there is no fuzzer '$name'; there are ${all[*]}"
  done
  ((${#names[@]})) || names=("${all[@]}")
  build_fuzzers
  mkdir -p "$FUZZ_DIR/findings" "$FUZZ_DIR/logs"
  run_fuzzers "$seconds" "${names[@]}" || failed=1
  print_fuzz_results "${names[@]}"
  return "$failed"
}

fuzzer_names() {
  local file
  for file in "$OTA_ROOT"/tests/fuzz/*_fuzz.cpp; do
    file=${file##*/}
    printf '%s\n' "${file%_fuzz.cpp}"
  done
}

# libFuzzer and the sanitizers come with clang's runtime library, which is a package of its own.
build_fuzzers() {
  ensure_packages clang
  ensure_packages "libclang-rt-$(clang -dumpversion | cut -d. -f1)-dev"
  BUILD_PRESET=fuzz
  # shellcheck disable=SC2034 # ensure_built reads it
  BUILD_TARGETS=(fuzzers)
  unset OTA_BUILD_DIR
  ensure_setup
}

run_fuzzers() {
  local seconds=$1 name failed=0 running=0
  shift
  for name in "$@"; do
    if ((running == FUZZ_AT_ONCE)); then
      wait -n || failed=1
      running=$((running - 1))
    fi
    run_fuzzer "$name" "$seconds" &
    running=$((running + 1))
  done
  while ((running > 0)); do
    wait -n || failed=1
    running=$((running - 1))
  done
  return "$failed"
}

run_fuzzer() {
  local name=$1 seconds=$2 corpus=$FUZZ_DIR/corpus/$1
  mkdir -p "$corpus"
  say "fuzzing $name for $seconds s"
  ASAN_OPTIONS=detect_stack_use_after_return=1 UBSAN_OPTIONS=halt_on_error=1:print_stacktrace=1 \
    LSAN_OPTIONS="suppressions=$OTA_ROOT/tests/lsan.supp:print_suppressions=0" \
    "$(fuzzer_program "$name")" -max_total_time="$seconds" -timeout=20 -rss_limit_mb=2048 -print_final_stats=1 \
    -artifact_prefix="$FUZZ_DIR/findings/$name-" "$corpus" "$OTA_ROOT/tests/fuzz/corpus/$name" \
    >"$FUZZ_DIR/logs/$name.log" 2>&1
}

fuzzer_program() { printf '%s/tests/fuzz/%s_fuzz' "$(build_dir)" "$1"; }

# What each log says at its end: executions, edges reached, new inputs; then the findings.
print_fuzz_results() {
  local name log found=0 file
  printf '%-20s %12s %10s %8s %8s\n' fuzzer executions per-second edges inputs
  for name in "$@"; do
    log=$FUZZ_DIR/logs/$name.log
    printf '%-20s %12s %10s %8s %8s\n' "$name" "$(fuzz_stat number_of_executed_units "$log")" \
      "$(fuzz_stat average_exec_per_sec "$log")" "$(sed -n 's/.* cov: \([0-9]*\) .*/\1/p' "$log" | tail -n 1)" \
      "$(find "$FUZZ_DIR/corpus/$name" -type f | wc -l)"
  done
  for name in "$@"; do
    for file in "$FUZZ_DIR/findings/$name-"*; do
      [[ -e $file ]] || continue
      found=1
      printf 'FOUND by %s: %s\n  again:  %s %s\n  mended: keep it as tests/fuzz/corpus/%s/REASON\n' "$name" "$file" \
        "$(fuzzer_program "$name")" "$file" "$name"
    done
  done
  ((found)) || echo "nothing found"
}

fuzz_stat() { sed -n "s/^stat::$1: *//p" "$2" | tail -n 1; }
