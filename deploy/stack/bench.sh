# ./ota bench: each figure beside its reference, measured in turn in the same run on a private stack.
# shellcheck shell=bash

# shellcheck source=deploy/stack/stack.sh
. "$STACK_SCRIPTS/stack.sh"
BENCH_SOURCES=$OTA_ROOT/bench
# shellcheck source=bench/ground.sh
. "$BENCH_SOURCES/ground.sh"
# shellcheck source=bench/figures.sh
. "$BENCH_SOURCES/figures.sh"

BENCH_FIGURES=(rest_check rest_status mqtt_check push download health memory)

help_bench() {
  cat <<'TEXT'
usage: ./ota bench [--only NAME,…] [--rounds N] [--quick] [--dir DIR]

Measures the bridge, each figure beside its reference in the same round and the order changing from round to round;
prints the medians, their ratio and the goal, and writes all samples to DIR/bench.json. The stack is a private one
and is gone afterwards. About a minute and a half per round; on a machine that does other work trust the ratios only.

  rest_check    checks with an update due, 64 connections    beside pgbench, single-row upserts into the same table
  rest_status   status reports, 64 connections               beside the same
  mqtt_check    check to offer, 500 and 50 connections       beside a responder of bare Paho
  push          a new rollout to 100 000 devices             beside a publisher of bare Paho
  download      a 1 MiB image, 16 connections                beside nginx with sendfile
  health        /health while 300 clients download at 2 kB/s beside /health with nobody else
  memory        resident memory: 100 000 devices more than none

  --only NAMES  just these (a comma list)
  --rounds N    how often (default 3)
  --quick       one short round, to see that it works
  --dir DIR     the folder of the stack and of bench.json (default build/bench)
TEXT
}

# shellcheck disable=SC2034 # read in bench/*.sh
verb_bench() {
  local only='' rounds='' directory=$OTA_ROOT/build/bench round
  BENCH_SECONDS=5 BENCH_DEVICES=100000
  while (($#)); do
    case $1 in
      --only) only=$(option_value "$1" $# "${2:-}") ;;
      --rounds) rounds=$(option_value "$1" $# "${2:-}") ;;
      --dir) directory=$(option_value "$1" $# "${2:-}") ;;
      --quick)
        BENCH_SECONDS=2 BENCH_DEVICES=20000 rounds=${rounds:-1}
        shift
        continue
        ;;
      *) usage_error "bench does not know '$1'; ./ota bench --help explains" ;;
    esac
    shift 2
  done
  rounds=${rounds:-3}
  [[ $rounds =~ ^[1-9][0-9]{0,2}$ ]] || usage_error "--rounds '$rounds' is not a number from 1 to 999"
  choose_figures "$only"
  prepare_ground "$directory"
  for ((round = 1; round <= rounds; round++)); do measure_round "$round" "$rounds"; done
  summarise
}

# choose_figures NAMES: sets BENCH_CHOSEN, in the order of the table.
choose_figures() {
  local name
  BENCH_CHOSEN=()
  for name in ${1//,/ }; do
    [[ " ${BENCH_FIGURES[*]} " == *" $name "* ]] ||
      usage_error "--only '$name' is no figure; there are ${BENCH_FIGURES[*]}"
  done
  for name in "${BENCH_FIGURES[@]}"; do
    if [[ -z $1 || ,$1, == *,$name,* ]]; then BENCH_CHOSEN+=("$name"); fi
  done
}

measure_round() {
  local figure
  BENCH_ROUND=$1
  for figure in "${BENCH_CHOSEN[@]}"; do
    say "round $1 of $2: $figure"
    "measure_$figure"
  done
}

# in_turn FUNCTION…: what comes first in one round comes last in the next, so that neither side gains by its place.
in_turn() {
  local -a sides=("$@")
  local i last=$(($# - 1))
  for i in "${!sides[@]}"; do
    if ((BENCH_ROUND % 2)); then "${sides[i]}"; else "${sides[last - i]}"; fi
  done
}

# sample FIGURE SIDE < {…}: keeps one measurement.
sample() {
  local figures
  figures=$(cat)
  [[ -n $figures ]] || die "$1 ($2) could not be measured; its message is above"
  jq -c --arg figure "$1" --arg side "$2" --argjson round "$BENCH_ROUND" \
    '{figure: $figure, side: $side, round: $round} + .' <<<"$figures" >>"$BENCH_DIR/samples.jsonl"
}

summarise() {
  local results=$BENCH_DIR/bench.json
  jq -s --arg measured_at "$(date -Is)" --argjson cores "$(nproc)" -f "$BENCH_SOURCES/summary.jq" \
    "$BENCH_DIR/samples.jsonl" | write_atomically "$results" 0644
  {
    printf 'figure\tbridge\treference\tratio\tgoal\t\n'
    jq -r '.figures[] | [.what, .bridge, .reference, .ratio, .goal, if .met == null then "" elif .met then "met" else "NOT MET" end] | @tsv' \
      "$results"
  } | awk -F'\t' '{ printf "%-42s %18s %18s %7s   %-12s %s\n", $1, $2, $3, $4, $5, $6 }'
  printf 'medians of %s rounds; all samples: %s\n' "$BENCH_ROUND" "$results"
}
