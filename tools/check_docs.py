"""Fail when the docs do not name what there is: every command and flag, every kind, every file they link to.

    python tools/check_docs.py [--write]

`docs/kinds.md` and the table of `docs/old-versions.md` are generated from the kinds' tables; `--write` writes them.
"""

import re
import sys
from collections.abc import Iterable
from pathlib import Path

import click

from knarr.app.cli import COMMANDS, root
from knarr.kinds.old.table import OLD, WARNINGS
from knarr.kinds.table import BUILTIN

ROOT = Path(__file__).resolve().parent.parent
COMMAND_LINE = ROOT / "docs/command-line.md"
KINDS = ROOT / "docs/kinds.md"
OLD_VERSIONS = ROOT / "docs/old-versions.md"
OLD_HEADER = """| version | kind | stored as | deprecated in | removed upstream in |
|---|---|---|---|---|
"""
INTRODUCTION = """# Kinds

Generated from `src/knarr/kinds/` by `python tools/check_docs.py --write`.

| kind | group and version | resource | short names | scope | subresources |
|---|---|---|---|---|---|
"""


def missing_flags() -> Iterable[str]:
    """Commands and flags that docs/command-line.md does not name in the command's own section."""
    text = COMMAND_LINE.read_text()
    sections = dict(re.findall(r"^## knarr (\w+)\n(.*?)(?=^## |\Z)", text, re.M | re.S))
    context = click.Context(root)
    for name in COMMANDS:
        if name not in sections:
            yield f"docs/command-line.md has no section on knarr {name}"
            continue
        command = root.get_command(context, name)
        for flag in sorted(set(flags(command))):
            if flag not in sections[name]:
                yield f"docs/command-line.md does not name {flag} of knarr {name}"


def flags(command: click.Command | None) -> Iterable[str]:
    if isinstance(command, click.Group):
        for child in command.commands.values():
            yield from flags(child)
    elif command is not None:
        for parameter in command.params:
            if isinstance(parameter, click.Option):
                yield max(parameter.opts, key=len)


def kinds_page() -> str:
    rows = []
    for kind in sorted(BUILTIN.all(), key=lambda k: (k.group, k.kind)):
        if (kind.group, kind.version, kind.plural) in WARNINGS:
            continue
        scope = "namespace" if kind.namespaced else "cluster"
        cells = (
            kind.kind,
            kind.api_version,
            kind.plural,
            ", ".join(kind.short_names),
            scope,
            ", ".join(sorted(kind.subresources)),
        )
        rows.append("| " + " | ".join(cells) + " |\n")
    return INTRODUCTION + "".join(rows)


def stale_kinds() -> Iterable[str]:
    if not KINDS.exists() or KINDS.read_text() != kinds_page():
        yield "docs/kinds.md is stale: run python tools/check_docs.py --write"


def old_versions_page() -> str:
    """The page as it ought to be: its own text around the table."""
    before, _, rest = OLD_VERSIONS.read_text().partition(OLD_HEADER)
    after = rest.partition("\n\n")[2]
    rows = [
        f"| {old.api_version} | {old.kind.kind} | {old.kind.api_version} | 1.{old.deprecated} | 1.{old.removed} |\n"
        for old in OLD
    ]
    return before + OLD_HEADER + "".join(rows) + "\n" + after


def stale_old_versions() -> Iterable[str]:
    if OLD_VERSIONS.read_text() != old_versions_page():
        yield "docs/old-versions.md is stale: run python tools/check_docs.py --write"


def broken_links() -> Iterable[str]:
    for page in [*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md"), *ROOT.glob("examples/**/*.md")]:
        for target in re.findall(r"\]\(([^)#]+)\)", page.read_text()):
            if "://" not in target and not (page.parent / target).exists():
                yield f"{page.relative_to(ROOT)} links to {target}, which is not there"


def main() -> None:
    if "--write" in sys.argv:
        KINDS.write_text(kinds_page())
        OLD_VERSIONS.write_text(old_versions_page())
    problems = [*missing_flags(), *stale_kinds(), *stale_old_versions(), *broken_links()]
    print("\n".join(problems), end="\n" if problems else "")
    sys.exit(bool(problems))


if __name__ == "__main__":
    main()
