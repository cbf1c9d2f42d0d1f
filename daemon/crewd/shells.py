"""Completion in bash, zsh and fish: the scripts that both command lines print. click makes them, and completes.

Only bash's is our own: bash breaks words at ``=`` and ``:``, and names of ours have both, as in ``tier=front``. So the
words are put together again, and what stands before the break is taken off each answer.
"""

from collections.abc import Mapping
from typing import ClassVar

import click
from click.shell_completion import BashComplete, FishComplete, ShellComplete, ZshComplete

_BASH = r"""%(complete_func)s() {
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
    before=${word%%"$raw"}
    [[ $word == "$raw" || $raw != [=:]* ]] || before=$word

    while IFS=, read -r type value; do
        case $type in
            dir) compopt -o dirnames ;;
            file) compopt -o default ;;
            plain)
                value=${value#"$before"}
                printf -v value %%q "$value"
                COMPREPLY+=("$value") ;;
        esac
    done < <(COMP_WORDS=$(printf '%%s\n' "${words[@]}") COMP_CWORD=$((${#words[@]} - 1)) \
        %(complete_var)s=bash_complete "$1" 2>/dev/null)
}

complete -o nosort -F %(complete_func)s %(prog_name)s
"""


class _Bash(BashComplete):
    source_template: ClassVar[str] = _BASH

    @staticmethod
    def _check_version() -> None:
        """The script may be printed where there is no bash."""


SHELLS: Mapping[str, type[ShellComplete]] = {"bash": _Bash, "zsh": ZshComplete, "fish": FishComplete}


def script(command: click.Command, program: str, shell: str) -> str:
    """Return the script that has the shell complete a program's command line."""
    variable = f"_{program.upper()}_COMPLETE"
    return SHELLS[shell](command, {}, program, variable).source().rstrip() + "\n"
