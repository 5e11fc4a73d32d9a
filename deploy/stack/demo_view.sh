# The demo's picture of the fleet: bars that are redrawn in place on a terminal, plain lines elsewhere.
# shellcheck shell=bash

VIEW_ROWS=("$DEMO_OLD" downloading downloaded installing failed "$DEMO_NEW")
VIEW_BAR_WIDTH=40
VIEW_DRAWN=0
VIEW_LAST=''
VIEW_BLOCK='#'
[[ ${LC_ALL:-${LC_CTYPE:-${LANG:-}}} != *[Uu][Tt][Ff]* ]] || VIEW_BLOCK='█'

view_is_live() { [[ -t 1 && ${TERM:-dumb} != dumb ]]; }

# A message between the pictures: the next one is drawn below it.
note() {
  VIEW_DRAWN=0
  say "$*"
}

# Which row a device's state belongs to.
view_row() {
  case $1 in
    "$DEMO_NEW" | "$DEMO_OLD" | downloaded | installing) printf '%s' "$1" ;;
    pending | downloading) printf downloading ;;
    failed | rolled_back) printf failed ;;
    success) printf installing ;; # its hello with the new version is still to come
    *) printf '%s' "$DEMO_OLD" ;;
  esac
}

draw_fleet() {
  local id row line
  local -A count=()
  for row in "${VIEW_ROWS[@]}"; do count[$row]=0; done
  for id in "${FLEET[@]}"; do
    [[ -n ${STATE[$id]:-} ]] || continue
    row=$(view_row "${STATE[$id]}")
    count[$row]=$((count[$row] + 1))
  done
  line="canary ${DEMO_PERCENTAGE:-0} %:"
  for row in "${VIEW_ROWS[@]}"; do line+=" $row ${count[$row]},"; done
  line=${line%,}
  if view_is_live; then
    draw_bars
  elif [[ $line != "$VIEW_LAST" ]]; then
    printf '%s\n' "$line"
  fi
  VIEW_LAST=$line
}

draw_bars() {
  local row bar
  if ((VIEW_DRAWN)); then printf '\e[%dA' "$((${#VIEW_ROWS[@]} + 1))"; fi
  printf '\e[2KCanary %s %%, %d s\n' "${DEMO_PERCENTAGE:-0}" "$SECONDS"
  for row in "${VIEW_ROWS[@]}"; do
    printf -v bar '%*s' "$((count[$row] * VIEW_BAR_WIDTH / ${#FLEET[@]}))" ''
    printf '\e[2K  %-12s %4d  %s%s\e[0m\n' "$row" "${count[$row]}" "$(view_colour "$row")" "${bar// /$VIEW_BLOCK}"
  done
  VIEW_DRAWN=1
}

view_colour() {
  [[ -z ${NO_COLOR:-} ]] || return 0
  case $1 in
    "$DEMO_NEW") printf '\e[32m' ;;
    failed) printf '\e[31m' ;;
    "$DEMO_OLD") printf '\e[90m' ;;
    *) printf '\e[33m' ;;
  esac
}
