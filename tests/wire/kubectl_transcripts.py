"""Transcripts of kubectl: what is typed and what must be printed, as data.

A file `kubectl_*.yaml` maps a story's sentence to

    operations: [what the table of compatibility calls them]
    needs: [features of kubectl, from FEATURES; an older kubectl is not asked]
    chief: true      # told by every version; the other stories by the oldest and the newest
    files: {name: text, written into the folder in which the commands run}
    transcript: |
      $ kubectl get service a < stdin.yaml
      NAME   TYPE        CLUSTER-IP   EXTERNAL-IP   PORT(S)   AGE
      a      ClusterIP   <IP>         <none>        80/TCP    <AGE>
      $ kubectl get service b
      Error from server (NotFound): services "b" not found
      [exit 1]

stdout and stderr are compared together, line for line. A run of blanks counts as one, save where a line begins; empty
lines do not count. `~` in place of `$` repeats the command until it prints that. `&` lets it run on: its
lines must have come by the story's end, and what follows is typed when it has begun to speak; with `>` at once.
`...` alone stands for any number of lines, the words of PLACEHOLDERS for what differs from run to run. `[1.25+]` or
`[-1.24]` before a line keeps it for these versions of kubectl; before a command, for its output too. `$NS` is the
story's own namespace. A command may begin with `VARIABLE=value`.
"""

import re
import shlex
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import yaml

Version = tuple[int, int]

#: the kubectl that brought what not all have, by its release notes
FEATURES: Mapping[str, Version] = {
    "create token": (1, 24),
    "delete --interactive": (1, 28),
    "auth whoami": (1, 28),
    "events": (1, 26),
    "debug --profile": (1, 27),
    "wait --for=jsonpath": (1, 23),
    "wait --for=create": (1, 31),
    "--subresource": (1, 24),
    "--validate=warn": (1, 25),
    "explain --output": (1, 27),
    "applyset": (1, 27),
    "prune-allowlist": (1, 26),
    "api-resources --categories": (1, 23),
    "jsonpath without a value": (1, 31),
    "the columns of all services": (1, 21),
}

PLACEHOLDERS: Mapping[str, str] = {
    "<AGE>": r"(\d+[smhd])+",
    "<SECONDS>": r"\d+(\.\d+)?s",
    "<IP>": r"\d+\.\d+\.\d+\.\d+",
    "<NUMBER>": r"\d+",
    "<ID>": r"[a-z0-9]+",
    "<UID>": r"[0-9a-f]{8}-[0-9a-f-]{27}",
    "<TIME>": r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z",
    "<DATE>": r"[A-Z][a-z]{2}, \d\d [A-Z][a-z]{2} \d{4} \d\d:\d\d:\d\d [+-]\d{4}",
    "<ANY>": r".*",
}
_PLACE = re.compile("|".join(map(re.escape, PLACEHOLDERS)))
_VERSIONS = re.compile(r"\[(?:(?P<from>1\.\d+)\+|-(?P<to>1\.\d+))\] ")
_EXIT = re.compile(r"\[exit (\d+)\]")


@dataclass(frozen=True)
class Command:
    """One line that is typed, and the lines that must be printed."""

    how: str  #: `$` once, `~` until it prints that, `&` or `>` beside what follows
    words: tuple[str, ...]
    environment: Mapping[str, str]
    stdin: str  #: a file's name, or ""
    prints: tuple[str, ...]
    exit: int

    def __str__(self) -> str:
        return shlex.join(self.words)


@dataclass(frozen=True)
class Story:
    """What one test types."""

    sentence: str
    operations: tuple[str, ...]
    transcript: str
    needs: tuple[str, ...] = ()
    chief: bool = False
    files: Mapping[str, str] = field(default_factory=dict)

    @property
    def since(self) -> Version:
        """The oldest kubectl that can tell it."""
        return max((FEATURES[name] for name in self.needs), default=(1, 0))

    def commands(self, version: Version, namespace: str) -> list[Command]:
        """What this version of kubectl is asked and must print, in this namespace."""
        return [_command(block) for block in _blocks(self.transcript.replace("$NS", namespace), version)]


def load(path: Path) -> list[Story]:
    """Every story of a file; KeyError when one needs a feature that is not in the table."""
    stories = [Story(sentence, **told) for sentence, told in yaml.safe_load(path.read_text()).items()]
    assert all(story.since for story in stories)
    return stories


def difference(command: Command, code: int, output: str) -> str:
    """What is wrong with what was printed; empty when nothing is."""
    if code == command.exit and _pattern(command.prints).fullmatch(_squeezed(output)):
        return ""
    wanted = "\n".join(command.prints) + (f"\n[exit {command.exit}]" if command.exit else "")
    return f"$ {command}\n{output}[exit {code}]\nwanted:\n{wanted}"


def begins(command: Command, output: str) -> bool:
    """Whether a command that runs on has printed what it must."""
    return bool(_pattern((*command.prints, "...")).fullmatch(_squeezed(output)))


def _squeezed(output: str) -> str:
    return "".join(f"{_squeeze(line)}\n" for line in output.splitlines() if line.strip())


def _squeeze(line: str) -> str:
    text = line.rstrip().lstrip(" \t")
    return line[: len(line) - len(line.lstrip(" \t"))].expandtabs(8) + " ".join(text.split()) if text else ""


def _pattern(lines: tuple[str, ...]) -> re.Pattern[str]:
    return re.compile("".join("(?:.*\n)*" if line == "..." else f"{_line_pattern(line)}\n" for line in lines))


def _line_pattern(line: str) -> str:
    line, pattern, at = _squeeze(line), "", 0
    for place in _PLACE.finditer(line):
        pattern += re.escape(line[at : place.start()]) + PLACEHOLDERS[place[0]]
        at = place.end()
    return pattern + re.escape(line[at:])


def _blocks(transcript: str, version: Version) -> Iterator[list[str]]:
    """Each command with its lines, of what this version is asked."""
    block: list[str] = []
    asked = True
    for line in transcript.splitlines():
        mark = _VERSIONS.match(line)
        kept, text = (_kept(mark, version), line[mark.end() :]) if mark else (True, line)
        if text[:2] in {"$ ", "~ ", "& ", "> "}:
            if block:
                yield block
            asked, block = kept, [text] if kept else []
        elif kept and asked:
            block.append(text)
    if block:
        yield block


def _kept(mark: re.Match[str], version: Version) -> bool:
    if mark["from"]:
        return version >= parsed(mark["from"])
    return version <= parsed(mark["to"])


def parsed(version: str) -> Version:
    """`1.27` as numbers."""
    major, minor = version.split(".")[:2]
    return int(major), int(re.match(r"\d+", minor)[0])  # type: ignore[index]


def _command(block: list[str]) -> Command:
    words, prints = shlex.split(block[0][2:]), [line for line in block[1:] if line.strip()]
    environment: dict[str, str] = {}
    while "=" in words[0]:
        name, _, environment[name] = words.pop(0).partition("=")
    assert words.pop(0) == "kubectl", block[0]
    stdin = words.pop() if len(words) > 1 and words[-2] == "<" else ""
    code = 0
    if prints and (ended := _EXIT.fullmatch(prints[-1])):
        code, prints = int(ended[1]), prints[:-1]
    if stdin:
        words.pop()
    return Command(block[0][0], tuple(words), environment, stdin, tuple(prints), code)
