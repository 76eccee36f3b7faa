"""Secret: configuration that is nobody's business, in base64 at rest and on the wire."""

import base64
import json
from collections.abc import Iterator, Sequence
from datetime import datetime

from knarr.kinds import cells, rules
from knarr.kinds.configmap import LARGEST, decoded_size, frozen, keys
from knarr.kinds.kind import AGE_COLUMN, NAME_COLUMN, Column, Kind, Tree
from knarr.kinds.trees import child, fill_zero
from knarr.kinds.types.core_v1 import Secret
from knarr.meta import field
from knarr.meta.field import FieldError, at_key

OF_ACCOUNT = "kubernetes.io/service-account-token"
ACCOUNT_NAME, ACCOUNT_UID = "kubernetes.io/service-account.name", "kubernetes.io/service-account.uid"
#: labels of Secrets that hold tokens, with a day (UTC) each: when the token was last used, and since when it is no good
LAST_USED, INVALID_SINCE = "kubernetes.io/legacy-token-last-used", "kubernetes.io/legacy-token-invalid-since"
DAY = "%Y-%m-%d"
TLS = "kubernetes.io/tls"
CERTIFICATE, PRIVATE_KEY = "tls.crt", "tls.key"
REQUIRED = {  # type -> the keys it must have
    "kubernetes.io/dockercfg": (".dockercfg",),
    "kubernetes.io/dockerconfigjson": (".dockerconfigjson",),
    "kubernetes.io/ssh-auth": ("ssh-privatekey",),
    TLS: (CERTIFICATE, PRIVATE_KEY),
}
EITHER = {"kubernetes.io/basic-auth": ("username", "password")}  # type -> the keys of which it must have one
JSON = (".dockercfg", ".dockerconfigjson")
PEM = b"-----BEGIN "


def defaults(tree: Tree) -> None:
    """Opaque, and what was written in clear moves to `data`."""
    fill_zero(tree, type="Opaque")
    if clear := tree.pop("stringData", None):
        child(tree, "data").update(
            {k: base64.b64encode(v.encode("utf-8", "replace")).decode() for k, v in clear.items()}
        )


def validate(secret: Secret) -> Iterator[FieldError]:
    yield from keys(secret.data, "data")
    if sum(decoded_size(value) for value in secret.data.values()) > LARGEST:
        yield field.too_long("data", LARGEST)
    if secret.type == OF_ACCOUNT and not secret.metadata.annotations.get(ACCOUNT_NAME):
        yield field.required(at_key("metadata.annotations", ACCOUNT_NAME))
    for key in REQUIRED.get(secret.type, ()):
        if key not in secret.data or (key == "ssh-privatekey" and not secret.data[key]):
            yield field.required(at_key("data", key))
        elif key in JSON:
            yield from json_object(secret.data[key], at_key("data", key))
    either = EITHER.get(secret.type, ())
    if not any(key in secret.data for key in either):
        for key in either:
            yield field.required(at_key("data", key))


def json_object(value: str, path: str) -> Iterator[FieldError]:
    """A registry's credentials; the message does not repeat them."""
    try:
        good = isinstance(json.loads(base64.b64decode(value)), dict)
    except (ValueError, RecursionError):
        good = False
    if not good:
        message = "invalid character in JSON" if value else "unexpected end of JSON input"
        yield field.wrong(path, "<secret contents redacted>", message)


def validate_update(new: Secret, old: Secret) -> Iterator[FieldError]:
    yield from rules.unchanged(new.type, old.type, "type")
    yield from frozen(new, old, "data")
    yield from validate(new)


def warnings(secret: Secret) -> Iterator[str]:
    """A certificate that nobody will be able to read."""
    if secret.type != TLS:
        return
    for key, what in ((CERTIFICATE, "certificate"), (PRIVATE_KEY, "key")):
        if PEM not in base64.b64decode(secret.data.get(key, "")):
            yield f"tls: failed to find any PEM data in {what} input"
            return


def row(secret: Secret, now: datetime) -> Sequence[object]:
    return secret.metadata.name, secret.type, len(secret.data), cells.age(secret, now)


KIND = Kind(
    type=Secret,
    group="",
    version="v1",
    kind="Secret",
    plural="secrets",
    singular="secret",
    defaults=defaults,
    validate=validate,
    validate_update=validate_update,
    warnings=warnings,
    columns=(NAME_COLUMN, Column("Type"), Column("Data"), AGE_COLUMN),
    row=row,
    selectable={"type": lambda secret: secret.type},
)
