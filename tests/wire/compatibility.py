"""The published table of what real clients do against knarr, kept true by the tests that show it.

A test says what it shows: `@pytest.mark.operation("lightkube", "watch")`. With the client `kubectl`, the version is the
one of the test's own `kubectl`. What the client itself cannot do is told by `lacks`. Results travel in the reports, so
they arrive from xdist's workers too.

    python -m pytest tests/wire -n 3 --dist loadfile --write-compatibility   # writes docs/compatibility.md

When the whole wire suite ran and passed, it fails if the committed table says otherwise than this run. Only the columns
of clients that are on this machine are compared, and no patch version is.
"""

import importlib.metadata
import json
import re
import subprocess
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import NoReturn

import pytest

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs/compatibility.md"
WHOLE = ROOT / "tests/wire"
SELECTIONS = ("keyword", "markexpr", "deselect", "lf", "ignore", "ignore_glob", "collectonly", "maxfail")
LACKING = "not in this client: "
WORKS, MISSING, FAILS = "yes", "n/a", "NO"
INTRODUCTION = """# Compatibility

What unchanged clients do against knarr. Every cell is a test in `tests/wire` that ran when this page was written, by
`python -m pytest tests/wire -n 3 --dist loadfile --write-compatibility`. A run of them fails when the page says
otherwise.
`n/a`: the client has no such command or call. Empty: no test shows it with this client.
"""
SECTIONS = {"kubectl": "kubectl", "helm": "Helm"}  #: by the client's first word; all others are libraries
LIBRARIES = "Libraries"

Table = dict[str, dict[str, str]]  #: operation -> client -> cell


def lacks(what: str) -> NoReturn:
    """End the test: this client, whatever the server, has no such command or call."""
    pytest.skip(LACKING + what)


@cache
def kubectl_version(binary: Path) -> str:
    """For example `1.27.16`."""
    out = subprocess.run([binary, "version", "--client", "-o", "json"], capture_output=True, check=True)
    return str(json.loads(out.stdout)["clientVersion"]["gitVersion"]).removeprefix("v").partition("-")[0]


def seen_version(client: str) -> str:
    """A client's version, from Python's or npm's installed packages; empty when neither knows it."""
    if client.startswith("@"):
        package = WHOLE / "node/node_modules" / client / "package.json"
        return str(json.loads(package.read_text())["version"]) if package.exists() else ""
    try:
        return importlib.metadata.version(client)
    except importlib.metadata.PackageNotFoundError:
        return ""


def shown(item: pytest.Item) -> Iterator[tuple[str, str, str]]:
    """Client, its version and the operation, for each mark of a test."""
    for mark in item.iter_markers("operation"):
        client, operation = mark.args
        if client == "kubectl":
            version = kubectl_version(item.callspec.params["kubectl"])  # type: ignore[attr-defined]
            yield "kubectl " + ".".join(version.split(".")[:2]), version, operation
        else:
            yield client, seen_version(client), operation


def outcome(report: pytest.TestReport) -> str | None:
    """The cell that a report stands for; None when it tells nothing of the client."""
    if report.skipped and not hasattr(report, "wasxfail"):
        reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else ""
        return MISSING if LACKING in reason else None
    if report.when == "call" or report.failed:
        return WORKS if report.passed and not hasattr(report, "wasxfail") else FAILS
    return None


class Results:
    """What this run showed, gathered where the reports come together."""

    def __init__(self, config: pytest.Config) -> None:
        self.config, self.table = config, Table()
        self.versions: dict[str, str] = {}
        self.complaints: list[str] = []

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        cell = outcome(report)
        for name, value in report.user_properties:
            if name == "operation" and cell:
                client, version, operation = value  # type: ignore[misc]
                self.versions[client] = version
                row = self.table.setdefault(operation, {})
                row[client] = max(row.get(client, ""), cell, key=["", MISSING, WORKS, FAILS].index)

    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        before, versions = read(PAGE.read_text()) if PAGE.exists() else (Table(), {})
        if self.config.getoption("--write-compatibility"):
            PAGE.write_text(page(merged(before, self.table), {**versions, **self.versions}))
        elif whole(self.config) and session.exitstatus == pytest.ExitCode.OK:
            self.complaints = list(differences(before, self.table))
            if self.complaints:
                session.exitstatus = pytest.ExitCode.TESTS_FAILED

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        if self.complaints:
            terminalreporter.section("docs/compatibility.md is stale", red=True)
            for line in self.complaints:
                terminalreporter.line(line)
            terminalreporter.line("write it: python -m pytest tests/wire -n 3 --dist loadfile --write-compatibility")


def whole(config: pytest.Config) -> bool:
    """Whether the wire suite was asked for as a whole."""
    asked = [(config.invocation_params.dir / argument).resolve() for argument in config.args]
    chosen = any(config.getoption(name, default=None) for name in SELECTIONS)
    return not chosen and any(WHOLE.is_relative_to(path) for path in asked)


def clients(table: Table) -> set[str]:
    return {client for row in table.values() for client in row}


def gone(operation: str, client: str, run: Table) -> bool:
    """Whether a client that this run did not see loses a row: its siblings of other versions no longer show it."""
    name = client.split()[0]
    siblings = {other for other in clients(run) if other.split()[0] == name}
    return bool(siblings) and not siblings & run.get(operation, {}).keys()


def merged(before: Table, run: Table) -> Table:
    """This run's cells, and those of the clients that are not on this machine."""
    seen, result = clients(run), {operation: dict(row) for operation, row in run.items()}
    for operation, row in before.items():
        for client, cell in row.items():
            if client not in seen and not gone(operation, client, run):
                result.setdefault(operation, {})[client] = cell
    return result


def differences(before: Table, run: Table) -> Iterator[str]:
    """What the committed table says otherwise than this run."""
    after = merged(before, run)
    for operation in sorted(before.keys() | after.keys()):
        old, new = before.get(operation, {}), after.get(operation, {})
        for client in sorted(old.keys() | new.keys()):
            if old.get(client) != new.get(client):
                told, ran = old.get(client, "nothing"), new.get(client, "nothing")
                yield f"{operation} with {client}: the page says {told}, the run {ran}"


def order(client: str) -> list[tuple[int, str]]:
    """Numbers sort as numbers: kubectl 1.9 before 1.10."""
    return [(int(part), "") if part.isdigit() else (0, part) for part in re.split(r"(\d+)", client)]


def page(table: Table, versions: Mapping[str, str]) -> str:
    """The page in Markdown: a table for each section, and the versions as seen."""
    parts = [INTRODUCTION]
    for title in [*SECTIONS.values(), LIBRARIES]:
        mine = (client for client in clients(table) if SECTIONS.get(client.split()[0], LIBRARIES) == title)
        columns = sorted(mine, key=order)
        if columns:
            parts += [f"\n## {title}\n\n", *rows(table, columns)]
    parts.append("\n## Versions\n\n| client | version when written |\n|---|---|\n")
    parts += [f"| {client} | {versions.get(client, '')} |\n" for client in sorted(clients(table), key=order)]
    return "".join(parts)


def rows(table: Table, columns: list[str]) -> Iterator[str]:
    yield "| operation | " + " | ".join(columns) + " |\n" + "|---" * (len(columns) + 1) + "|\n"
    for operation, row in sorted(table.items()):
        cells = [row.get(client, "") for client in columns]
        if any(cells):
            yield f"| {operation} | " + " | ".join(cells) + " |\n"


def read(text: str) -> tuple[Table, dict[str, str]]:
    """The table and the versions of a page that `page` wrote."""
    table, versions, header = Table(), {}, list[str]()
    for line in text.splitlines():
        if not line.startswith("| "):
            header = header if line.startswith("|-") else []
            continue
        first, *cells = (cell.strip() for cell in line.strip("|").split("|"))
        if not header:
            header = [first, *cells]
        elif header[0] == "client":
            versions[first] = cells[0]
        else:
            table.setdefault(first, {}).update({c: cell for c, cell in zip(header[1:], cells, strict=True) if cell})
    return table, versions


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--write-compatibility", action="store_true", help="write docs/compatibility.md from this run")


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "operation(client, operation): what a wire test shows of a client")
    if not hasattr(config, "workerinput"):
        config.pluginmanager.register(Results(config), "compatibility-results")


def pytest_runtest_setup(item: pytest.Item) -> None:
    item.user_properties += [("operation", list(row)) for row in shown(item)]
