# ./ota test: build a preset, run every test, count the single cases.
# shellcheck shell=bash

# shellcheck source=deploy/stack/setup.sh
. "$STACK_SCRIPTS/setup.sh"

help_test() {
  cat <<'TEXT'
usage: ./ota test [--preset release|dev|asan|tsan] [-R REGEX] [-j JOBS]

Installs and builds what is needed, runs all tests and ends with one line: N passed, N failed[, N skipped].
  --preset P   build and test this preset (default release; asan and tsan find memory errors and data races)
  -R REGEX     just the test programs whose names match
  -j JOBS      so many at once (default 4)

Exit status 1 when a test failed or none ran. Every case's result lies as XML in build/PRESET/test-results.
TEXT
}

verb_test() {
  local jobs=4 regex='' failed=0 directory results
  while (($#)); do
    case $1 in
      --preset) BUILD_PRESET=$(option_value "$1" $# "${2:-}") ;;
      -R) regex=$(option_value "$1" $# "${2:-}") ;;
      -j) jobs=$(option_value "$1" $# "${2:-}") ;;
      *) usage_error "test does not know '$1'; ./ota test --help explains" ;;
    esac
    shift 2
  done
  [[ $BUILD_PRESET =~ ^(release|dev|asan|tsan)$ ]] || usage_error "there is no preset '$BUILD_PRESET'; take release, dev, asan or tsan"
  PACKAGES+=(systemd) # systemd-analyze reads the units
  [[ $jobs =~ ^[1-9][0-9]{0,2}$ ]] || usage_error "-j '$jobs' is not a number of jobs"
  unset OTA_BUILD_DIR
  ensure_setup
  forget_callers_settings
  directory=$(build_dir)
  results=$directory/test-results
  rm -rf "$results"
  mkdir -p "$results"
  run_ctest || failed=1
  print_verdict "$results" || failed=1
  return "$failed"
}

# The sanitizers' findings must fail a test, also in the programs that a test starts. ctest's colour and progress
# are left to it; GTEST_OUTPUT makes each program list its cases.
run_ctest() {
  ASAN_OPTIONS=${ASAN_OPTIONS:-detect_stack_use_after_return=1} \
    LSAN_OPTIONS="suppressions=$OTA_ROOT/tests/lsan.supp:print_suppressions=0:${LSAN_OPTIONS:-}" \
    UBSAN_OPTIONS=${UBSAN_OPTIONS:-halt_on_error=1:print_stacktrace=1} \
    TSAN_OPTIONS="halt_on_error=1:second_deadlock_stack=1:suppressions=$OTA_ROOT/tests/tsan.supp:${TSAN_OPTIONS:-}" \
    GTEST_OUTPUT="xml:$results/" \
    ctest --test-dir "$directory" --output-on-failure --no-tests=error -j "$jobs" \
    --output-junit "$results/ctest.junit" ${regex:+-R "$regex"}
}

# One line per ctest test: "name passed|failed|skipped".
ctest_outcomes() {
  sed -n 's/.*<testcase name="\([^"]*\)".* status="\([^"]*\)".*/\1 \2/p' "$1/ctest.junit" 2>/dev/null |
    awk '{ print $1, ($2 == "run" ? "passed" : $2 == "fail" ? "failed" : "skipped") }'
}

# gtest_counts FILE: "tests failures skipped" of a GoogleTest program; disabled cases count as skipped.
gtest_counts() {
  awk '
    function value(name,   part) {
      if (!match($0, " " name "=\"[0-9]+\"")) return 0
      part = substr($0, RSTART, RLENGTH); gsub(/[^0-9]/, "", part); return part + 0
    }
    /<testsuites / { tests = value("tests"); failures = value("failures") + value("errors"); disabled = value("disabled") }
    /<testsuite / { skipped += value("skipped") }
    END { print tests + 0, failures + 0, skipped + disabled }' "$1"
}

# A GoogleTest program counts by its cases; a program that writes none, or that failed although its cases passed
# (it crashed, leaked, ran out of time), counts as one.
print_verdict() {
  local results=$1 name outcome tests failures skips
  local -A count=([passed]=0 [failed]=0 [skipped]=0)
  while read -r name outcome; do
    tests=0 failures=0 skips=0
    if [[ -s $results/$name.xml ]]; then read -r tests failures skips < <(gtest_counts "$results/$name.xml"); fi
    if ((tests == 0)) || [[ $outcome == failed && $failures == 0 ]]; then count[$outcome]=$((count[$outcome] + 1)); fi
    count[passed]=$((count[passed] + tests - failures - skips))
    count[failed]=$((count[failed] + failures))
    count[skipped]=$((count[skipped] + skips))
  done < <(ctest_outcomes "$results")
  printf '%d passed, %d failed' "${count[passed]}" "${count[failed]}"
  ((count[skipped] == 0)) || printf ', %d skipped' "${count[skipped]}"
  printf '\n'
  ((count[failed] == 0 && count[passed] > 0))
}
