"""Static bearer tokens from a file: lines of `token,user,uid,"group1,group2"`, as upstream's --token-auth-file."""

import csv
import hmac
from pathlib import Path

from knarr.client.transport import User


class StaticTokens:
    """The tokens of one file, read once."""

    def __init__(self, users: dict[str, User]) -> None:
        self._users = {token.encode(): user for token, user in users.items()}

    async def user(self, token: str) -> User | None:
        given = token.encode(errors="surrogateescape")  # a header may hold bytes that are no text
        found = None
        for known, user in self._users.items():
            if hmac.compare_digest(known, given):
                found = user
        return found


def read(file: Path) -> StaticTokens:
    """Read a token file; raise ValueError naming the line that is wrong."""
    users = {}
    with file.open(newline="") as lines:
        for number, row in enumerate(csv.reader(lines), 1):
            if not any(cell.strip() for cell in row):
                continue
            if len(row) < 3:
                raise ValueError(f"{file}, line {number}: wants token,user,uid and optionally the groups")
            token, name, uid, *groups = (cell.strip() for cell in row)
            if not token or not name:
                raise ValueError(f"{file}, line {number}: the token and the user may not be empty")
            listed = groups[0].split(",") if groups else []
            users[token] = User(name, uid, tuple(group.strip() for group in listed if group.strip()))
    return StaticTokens(users)
