_ntro() {
    # Bash splits the line at every character of COMP_WORDBREAKS, which has `:`, `=` and `@`, and
    # replaces only the part after the last one, $2. Put the words of `ntro` together again.
    local rest=${COMP_LINE:0:COMP_POINT} words=() part i
    for ((i = 0; i <= COMP_CWORD; i++)); do
        part=${COMP_WORDS[i]}
        if ((i == 0)) || [[ $rest == [[:space:]]* ]]; then
            rest=${rest#"${rest%%[![:space:]]*}"}
            words+=("")
        fi
        ((i < COMP_CWORD)) || part=$rest
        words[${#words[@]} - 1]+=${part//[\"\'\\]/}
        rest=${rest#"$part"}
    done

    local word=${words[${#words[@]} - 1]} candidate
    COMPREPLY=()
    while IFS= read -r candidate; do
        [[ -z $candidate ]] || COMPREPLY+=("${candidate#"${word%"$2"}"}")
    done <<<"$(COMPLETE=bash _CLAP_IFS=$'\n' _CLAP_COMPLETE_INDEX=$((${#words[@]} - 1)) \
        ntro -- "${words[@]}" 2>/dev/null)"

    # A folder or an option with a value goes on without a space.
    if [[ ${COMPREPLY-} != *[=/:] ]]; then
        compopt +o nospace 2>/dev/null
    fi
}
complete -o nospace -o bashdefault -o nosort -F _ntro ntro 2>/dev/null ||
    complete -o bashdefault -F _ntro ntro
