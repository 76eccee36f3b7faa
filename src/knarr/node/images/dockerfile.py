"""Reading a Dockerfile: lines into instructions, variables, the two forms of commands. Pure.

What knarr can't do is refused with its line number: a build that silently leaves something out is worse.
"""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field

KNOWN = (
    "FROM", "COPY", "ADD", "ENV", "WORKDIR", "EXPOSE", "CMD", "ENTRYPOINT", "USER", "LABEL", "ARG", "STOPSIGNAL",
)  # fmt: skip
VARIABLE = re.compile(r"\\(.)|\$(?:\{(\w+)(?:(:?[-+])((?:[^{}]|\{[^{}]*\})*))?\}|(\w+))")
WORD = re.compile(r"""(?:'[^']*'|"(?:\\.|[^"\\])*"|\\.|[^\s'"\\])+""")
FLAG = re.compile(r"--([a-z]+)(?:=(\S*))?")


class DockerfileError(Exception):
    """What is wrong, with the line it stands on."""

    def __init__(self, line: int, message: str) -> None:
        super().__init__(f"Dockerfile line {line}: {message}")
        self.line = line


@dataclass(frozen=True, slots=True)
class Instruction:
    """One instruction; `line` is where it begins, `value` its text without flags, continuations joined."""

    line: int
    name: str
    value: str
    flags: dict[str, str] = field(default_factory=dict)


def parse(text: str) -> list[Instruction]:
    """The instructions of a Dockerfile. DockerfileError for anything not in KNOWN."""
    found = []
    escape = _escape(text)
    pending: list[str] = []
    start = 0
    for number, line in enumerate(text.splitlines(), 1):
        if line.lstrip().startswith("#") or (pending and not line.strip()):
            continue
        if not line.strip():
            continue
        start = start if pending else number
        stripped = line.rstrip()
        if stripped.endswith(escape):
            pending.append(stripped[: -len(escape)])
            continue
        found.append(_instruction(start, "".join((*pending, line)).strip()))
        pending = []
    if pending:
        found.append(_instruction(start, "".join(pending).strip()))
    if not found:
        raise DockerfileError(1, "the file has no instruction")
    return found


def _escape(text: str) -> str:
    first = text.splitlines()[:1]
    match = re.fullmatch(r"#\s*escape\s*=\s*(\S)\s*", first[0]) if first else None
    return match[1] if match else "\\"


def _instruction(line: int, text: str) -> Instruction:
    word, _, value = text.partition(" ") if " " in text else text.partition("\t")
    name, value = word.upper(), value.strip()
    if name not in KNOWN:
        raise DockerfileError(line, f"can't do {name}: knarr builds images from {', '.join(KNOWN)} only")
    flags = {}
    while match := FLAG.match(value):
        flags[match[1]] = match[2] or ""
        value = value[match.end() :].lstrip()
    if not value:
        raise DockerfileError(line, f"{name} requires at least one argument")
    return Instruction(line, name, value, flags)


def expand(text: str, variables: Mapping[str, str]) -> str:
    """Replace $name, ${name}, ${name:-default} and ${name:+instead}."""

    def value(match: re.Match[str]) -> str:
        if match[1] is not None:
            return f"\\{match[1]}" if match[1] != "$" else "$"
        name, operator, word = match[2] or match[5], match[3], match[4]
        found = variables.get(name)
        there = bool(found) if operator and operator.startswith(":") else found is not None
        if operator and operator.endswith("-"):
            return (found or "") if there else expand(word, variables)
        if operator:
            return expand(word, variables) if there else ""
        return found or ""

    return VARIABLE.sub(value, text)


def command(instruction: Instruction) -> tuple[str, ...]:
    """CMD or ENTRYPOINT: the exec form as it stands, the shell form for /bin/sh."""
    if instruction.value.startswith("["):
        try:
            words = json.loads(instruction.value)
        except ValueError:
            words = None
        if isinstance(words, list) and all(isinstance(word, str) for word in words):
            return tuple(words)
    return ("/bin/sh", "-c", instruction.value)


def pairs(instruction: Instruction, variables: Mapping[str, str]) -> list[tuple[str, str]]:
    """ENV and LABEL: `key=value ...` with quotes, or the old `key value`."""
    first = instruction.value.split(maxsplit=1)[0]
    if "=" not in first:
        key, _, value = instruction.value.partition(" ")
        if not value.strip():
            raise DockerfileError(instruction.line, f"{instruction.name} must have two arguments")
        return [(key, expand(value.strip(), variables))]
    found = []
    for word in split(instruction, variables):
        key, equals, value = word.partition("=")
        if not equals or not key:
            message = f"Syntax error - can't find = in {word!r}. Must be of the form: name=value"
            raise DockerfileError(instruction.line, message)
        found.append((key, value))
    return found


def split(instruction: Instruction, variables: Mapping[str, str]) -> list[str]:
    """Words, quotes removed and variables replaced (not within single quotes)."""
    if WORD.sub("", instruction.value).strip():
        raise DockerfileError(instruction.line, f"{instruction.name}: a quote is not closed in {instruction.value}")
    return [_unquoted(word, variables) for word in WORD.findall(instruction.value)]


def _unquoted(word: str, variables: Mapping[str, str]) -> str:
    out = []
    for part in re.findall(r"'[^']*'|\"(?:\\.|[^\"\\])*\"|(?:\\.|[^'\"\\])+", word):
        if part.startswith("'"):
            out.append(part[1:-1])
        else:
            bare = part[1:-1] if part.startswith('"') else part
            out.append(re.sub(r"\\(.)", r"\1", expand(bare, variables)))
    return "".join(out)


def paths(instruction: Instruction, variables: Mapping[str, str]) -> list[str]:
    """COPY and ADD: words, or a JSON list for names with spaces."""
    if instruction.value.startswith("["):
        try:
            words = json.loads(instruction.value)
        except ValueError as error:
            raise DockerfileError(instruction.line, f"{instruction.name}: {error}") from error
        return [expand(str(word), variables) for word in words]
    return split(instruction, variables)
