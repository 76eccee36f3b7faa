"""A .dockerignore: what of a directory a build does not see. Pure; the last matching line decides."""

import re
from collections.abc import Callable


def ignored(text: str) -> Callable[[str], bool]:
    """A predicate over paths relative to the directory, with `/`."""
    rules = []
    for line in text.splitlines():
        pattern = line.strip()
        if pattern and not pattern.startswith("#"):
            negated = pattern.startswith("!")
            rules.append((_pattern(pattern.removeprefix("!")), not negated))

    def predicate(path: str) -> bool:
        verdict = False
        for rule, says in rules:
            if rule.fullmatch(path):
                verdict = says
        return verdict

    return predicate


def _pattern(text: str) -> re.Pattern[str]:
    """`*` within a name, `?`, `[...]`, `**` across; what lies below a match is matched too."""
    out = []
    rest = text.strip("/")
    while rest:
        if match := re.match(r"\*\*/?|\*|\?|\[[^]]*\]|\\(.)|.", rest, re.DOTALL):
            piece, rest = match[0], rest[match.end() :]
            if piece.startswith("**"):
                out.append("(?:.*/)?" if piece.endswith("/") else ".*")
            elif piece == "*":
                out.append("[^/]*")
            elif piece == "?":
                out.append("[^/]")
            elif piece.startswith("[") and len(piece) > 1:
                out.append(piece.replace("[!", "[^"))
            else:
                out.append(re.escape(match[1] or piece))
    return re.compile("".join(out) + "(?:/.*)?", re.DOTALL)
