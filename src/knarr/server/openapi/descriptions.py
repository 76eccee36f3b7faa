"""What types and fields mean, read from the docstrings of lightkube-models: nothing of those texts is copied here.

The files are read as text, not imported, the first time somebody asks; without the package there are no descriptions.
"""

import importlib.util
import re
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

CLASS = re.compile(r'^class (\w+)\([^)]*\):\n    r"""(.*?)"""', re.M | re.S)
FIELD = re.compile(r"^      \* \*\*(\S+?)\*\* ``[^`]*`` ?-? ?", re.M)
PARAMETERS = "**parameters**"


@dataclass(frozen=True, slots=True)
class Description:
    """The texts of one type."""

    text: str = ""
    fields: dict[str, str] = field(default_factory=dict)


NOTHING = Description()


def of(type_: str) -> Description:
    """The description of a type as schema.json names it: "core_v1.PodSpec"."""
    module, _, name = type_.partition(".")
    return _module(module).get(name, NOTHING)


@cache
def _module(name: str) -> dict[str, Description]:
    folder = _folder()
    file = folder / f"{name}.py" if folder else None
    if file is None or not file.is_file():
        return {}
    return {match[1]: parse(match[2]) for match in CLASS.finditer(file.read_text())}


@cache
def _folder() -> Path | None:
    try:
        spec = importlib.util.find_spec("lightkube.models")
    except ModuleNotFoundError:
        return None
    places = list(spec.submodule_search_locations or []) if spec else []
    return Path(places[0]) if places else None


def parse(docstring: str) -> Description:
    """Split a docstring into the type's text and its fields' texts."""
    text, _, rest = docstring.partition(PARAMETERS)
    pieces = FIELD.split(rest)
    fields = {name: _joined(body) for name, body in zip(pieces[1::2], pieces[2::2], strict=True)}
    return Description(_joined(text), fields)


def _joined(text: str) -> str:
    """Lines that were wrapped for the docstring, as one; paragraphs stay apart."""
    paragraphs = re.split(r"\n\s*\n", text.strip())
    return "\n\n".join(" ".join(line.strip() for line in paragraph.splitlines()) for paragraph in paragraphs)
