# Bash completion for otactl; cmake --install lays it where bash looks. It asks otactl's own --help, so it knows what
# that build knows.
# shellcheck shell=bash

# _otactl_words HELP…: the options or, with "commands", the subcommands that a help text names.
_otactl_words() {
  case $1 in
    commands) sed -n '/^Subcommands:/,/^$/s/^  \([a-z-]\{1,\}\) .*/\1/p' <<<"$2" ;;
    options) grep -o -- '^  \(-[a-zA-Z],\)\{0,1\}--[a-z-]*' <<<"$2" | sed 's/.*--/--/' ;;
  esac
}

_otactl() {
  local current=${COMP_WORDS[COMP_CWORD]} previous=${COMP_WORDS[COMP_CWORD - 1]} word help
  local -a path=("${COMP_WORDS[0]}")
  help=$("${path[@]}" --help 2>/dev/null) || return
  for word in "${COMP_WORDS[@]:1:COMP_CWORD-1}"; do
    grep -qxF -- "$word" < <(_otactl_words commands "$help") || continue
    path+=("$word")
    help=$("${path[@]}" --help 2>/dev/null) || return
  done
  # An option that wants a value: a file where the help says so, anything otherwise.
  if [[ $previous == -* ]] && word=$(grep -- "^  .*$previous " <<<"$help"); then
    [[ $word != *"$previous "*TEXT:FILE* && $word != *"$previous "*PATH* ]] || mapfile -t COMPREPLY < <(compgen -f -- "$current")
    [[ $word != *"$previous "*TEXT* ]] || return
  fi
  mapfile -t COMPREPLY < <(compgen -W "$(_otactl_words commands "$help") $(_otactl_words options "$help")" -- "$current")
  [[ ${#COMPREPLY[@]} -gt 0 ]] || mapfile -t COMPREPLY < <(compgen -f -- "$current")
}

complete -o filenames -F _otactl otactl
