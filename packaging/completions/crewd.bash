_crewd_completion() {
    local at raw word="" words=() type value before

    for ((at = 0; at <= COMP_CWORD; at++)); do
        raw=${COMP_WORDS[at]}
        if ((at > 1)) && [[ $word == *[=:] || $raw == [=:]* ]]; then
            word+=$raw
            words[${#words[@]}-1]=$word
        else
            word=$raw
            words+=("$word")
        fi
    done
    before=${word%"$raw"}
    [[ $word == "$raw" || $raw != [=:]* ]] || before=$word

    while IFS=, read -r type value; do
        case $type in
            dir) compopt -o dirnames ;;
            file) compopt -o default ;;
            plain)
                value=${value#"$before"}
                printf -v value %q "$value"
                COMPREPLY+=("$value") ;;
        esac
    done < <(COMP_WORDS=$(printf '%s\n' "${words[@]}") COMP_CWORD=$((${#words[@]} - 1)) \
        _CREWD_COMPLETE=bash_complete "$1" 2>/dev/null)
}

complete -o nosort -F _crewd_completion crewd
