"""`/healthz`, `/livez` and `/readyz`: plain `ok`, or a line for each check with `?verbose` or when one fails."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

from knarr.client.transport import Response
from knarr.server.queries import Query, one
from knarr.server.status import no_such_path, plain

PATHS = ("/healthz", "/livez", "/readyz")


@dataclass(frozen=True, slots=True)
class Check:
    """A named condition of health; `problem` gives what is wrong, "" when nothing is."""

    name: str
    problem: Callable[[], Awaitable[str]]


async def nothing() -> str:
    return ""


PING = Check("ping", nothing)


async def answer(path: str, query: Query, checks: Sequence[Check]) -> Response:
    """Answer one of the health paths or one check below it: `/readyz/ping`."""
    root, _, single = path.strip("/").partition("/")
    excluded = {value for key, value in query if key == "exclude"}
    chosen = [check for check in (PING, *checks) if check.name not in excluded and single in ("", check.name)]
    if not chosen:
        return no_such_path()
    lines, failed = [], False
    for check in chosen:
        problem = await check.problem()
        failed = failed or bool(problem)
        lines.append(f"[-]{check.name} failed: reason withheld" if problem else f"[+]{check.name} ok")
    if failed:
        return plain(500, "\n".join([*lines, f"{root} check failed\n"]))
    if one(query, "verbose") is None:
        return plain(200, "ok")
    return plain(200, "\n".join([*lines, f"{root} check passed\n"]))
