"""Write the completion of the command line for a shell, made from the parsers of the commands themselves."""

from __future__ import annotations

from argparse import ArgumentParser
from collections.abc import Mapping

from gradtui.commands.command import Subcommand

SHELLS = ("bash", "zsh", "fish")

_BASH = """\
_gradtui() {{
    local word=${{COMP_WORDS[COMP_CWORD]}} before=${{COMP_WORDS[COMP_CWORD-1]}} words=
    if [[ $COMP_CWORD == 1 ]]; then
        words="{first}"
    else
        case "${{COMP_WORDS[1]}} $before" in
{values}
        *)
            case "${{COMP_WORDS[1]}}" in
{options}
            esac ;;
        esac
    fi
    COMPREPLY=($(compgen -W "$words" -- "$word"))
}}
complete -o default -F _gradtui gradtui
"""


def completion(shell: str, commands: Mapping[str, Subcommand], lab: Subcommand) -> str:
    """Return the script that teaches a shell the commands, their options and the values that these take."""
    parsers = {name: _parser(command) for name, command in commands.items()}
    first = [*parsers, *_presets(), *_options(_parser(lab)), "--version", "--completion"]
    if shell == "fish":
        return _fish(commands, parsers)
    values = [
        f'        "{name} {option}") words="{" ".join(choices)}" ;;'
        for name, parser in parsers.items()
        for option, choices in _choices(parser)
    ]
    options = [
        f'            {name}) words="{" ".join((*_options(parser), *_words_of(parser)))}" ;;'
        for name, parser in parsers.items()
    ]
    script = _BASH.format(first=" ".join(first), values="\n".join(values), options="\n".join(options))
    return script if shell == "bash" else f"autoload -U +X bashcompinit && bashcompinit\n{script}"


def _parser(command: Subcommand) -> ArgumentParser:
    parser = ArgumentParser(f"gradtui {command.name}")
    command.configure(parser)
    return parser


def _presets() -> list[str]:
    from gradtui.experiment.presets import names

    return list(names())


def _options(parser: ArgumentParser) -> list[str]:
    """Return the long options of a command."""
    return [
        option for action in parser._actions for option in action.option_strings if option.startswith("--")
    ]


def _choices(parser: ArgumentParser) -> list[tuple[str, list[str]]]:
    """Return each option that takes one word of a fixed list, with that list."""
    return [
        (option, [str(choice) for choice in action.choices])
        for action in parser._actions
        if action.choices
        for option in action.option_strings
    ]


def _words_of(parser: ArgumentParser) -> list[str]:
    """Return the names that a command takes: of the presets for an experiment, or of the lessons."""
    taken = {action.metavar for action in parser._actions}
    return [*(_presets() if "EXPERIMENT" in taken else []), *(_lessons() if "LESSON" in taken else [])]


def _lessons() -> list[str]:
    from gradtui.lessons.library import lessons

    return [entry.lesson.lesson for entry in lessons()]


def _fish(commands: Mapping[str, Subcommand], parsers: Mapping[str, ArgumentParser]) -> str:
    lines = [
        f"complete -c gradtui -n __fish_use_subcommand -a {name} -d {_quoted(commands[name].summary)}"
        for name in parsers
    ]
    lines.append(f"complete -c gradtui -n __fish_use_subcommand -a {_quoted(' '.join(_presets()))}")
    for name, parser in parsers.items():
        seen = f"complete -c gradtui -n '__fish_seen_subcommand_from {name}'"
        choices = dict(_choices(parser))
        for option in _options(parser):
            values = f" -x -a {_quoted(' '.join(choices[option]))}" if option in choices else ""
            lines.append(f"{seen} -l {option.removeprefix('--')}{values}")
        if words := _words_of(parser):
            lines.append(f"{seen} -a {_quoted(' '.join(words))}")
    return "\n".join(lines) + "\n"


def _quoted(text: str) -> str:
    """Return a text in the single quotes of fish."""
    escaped = text.replace("\\", "\\\\").replace("'", "\\'")
    return f"'{escaped}'"
