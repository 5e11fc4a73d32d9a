# Bash completion for ./ota:  . deploy/ota-completion.bash
# shellcheck shell=bash

_ota_options() {
  case $1 in
    up) printf '%s' '--dir --http-port --mqtts-port --host --any-ports --https --http --only --help' ;;
    down) printf '%s' '--dir --purge --help' ;;
    demo) printf '%s' '--exit --dir --devices --https --help' ;;
    test) printf '%s' '--preset -R -j --help' ;;
    logs) printf '%s' 'bridge mosquitto postgres --dir -f -n --help' ;;
    device) printf '%s' 'add revoke --dir --help' ;;
    help) printf '%s' 'setup demo test up down device logs bench fuzz lint' ;;
    fuzz) printf '%s' '--seconds --help' ;;
    bench | setup | lint) printf '%s' '--help' ;;
  esac
}

_ota() {
  local current=${COMP_WORDS[COMP_CWORD]} previous=${COMP_WORDS[COMP_CWORD - 1]} words=''
  case $previous in
    --dir) mapfile -t COMPREPLY < <(compgen -d -- "$current") && return ;;
    --preset) words='release dev asan tsan' ;;
    --only) words='postgres mosquitto bridge postgres,mosquitto postgres,bridge' ;;
    *)
      if ((COMP_CWORD == 1)); then
        words='setup demo test up down device logs bench fuzz lint help --help'
      else
        words=$(_ota_options "${COMP_WORDS[1]}")
      fi
      ;;
  esac
  mapfile -t COMPREPLY < <(compgen -W "$words" -- "$current")
}

complete -F _ota ota ./ota
