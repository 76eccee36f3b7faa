"""CEL text to tokens, and the values that string literals stand for."""

import re
from collections.abc import Callable
from dataclasses import dataclass

from knarr.kinds.cel.tree import Malformed

RESERVED = frozenset(
    [
        "as",
        "break",
        "const",
        "continue",
        "else",
        "for",
        "function",
        "if",
        "import",
        "let",
        "loop",
        "package",
        "namespace",
        "return",
        "var",
        "void",
        "while",
    ]
)
_TOKEN = re.compile(
    r"""(?P<space>\s+|//[^\n]*)
    |(?P<float>\d+\.\d+(?:[eE][+-]?\d+)?|\d+[eE][+-]?\d+|\.\d+(?:[eE][+-]?\d+)?)
    |(?P<int>0[xX][0-9a-fA-F]+[uU]?|\d+[uU]?)
    |(?P<string>[rRbB]{0,2}(?:\"\"\"(?:\\.|[^\\])*?\"\"\"|'''(?:\\.|[^\\])*?'''|"(?:\\.|[^"\\\n])*"|'(?:\\.|[^'\\\n])*'))
    |(?P<name>[_a-zA-Z][_a-zA-Z0-9]*)
    |(?P<quoted>`[a-zA-Z0-9_.\-/ ]+`)
    |(?P<op>\.\?|\[\?|&&|\|\||==|!=|<=|>=|[-+*/%<>!?:.,()\[\]{}])""",
    re.VERBOSE | re.DOTALL,
)
_RAW = re.compile(r"([rRbB]{0,2})(\"\"\"|'''|\"|')(.*)\2", re.DOTALL)
_ESCAPE = re.compile(r"\\(x[0-9a-fA-F]{2}|X[0-9a-fA-F]{2}|u[0-9a-fA-F]{4}|U[0-9a-fA-F]{8}|[0-3][0-7]{2}|.)", re.DOTALL)
_SIMPLE = {"n": "\n", "t": "\t", "r": "\r", "b": "\b", "f": "\f", "a": "\a", "v": "\v"}


@dataclass(frozen=True, slots=True)
class Token:
    kind: str
    text: str
    at: int


def tokens(source: str) -> list[Token]:
    found, at = [], 0
    while at < len(source):
        match = _TOKEN.match(source, at)
        if match is None:
            raise Malformed(at, f"Syntax error: token recognition error at: '{source[at]}'")
        kind = match.lastgroup or ""
        if kind != "space":
            found.append(Token(kind, match[0], at))
        at = match.end()
    return [*found, Token("end", "<EOF>", len(source))]


def text_of(token: Token) -> str | bytes:
    """The value of a string or bytes literal."""
    found = _RAW.fullmatch(token.text)
    assert found is not None, "the tokenizer matched a string"
    prefix, text = found[1].lower(), found[3]
    if "b" in prefix:
        if "r" in prefix or "\\" not in text:
            return text.encode()
        return _ESCAPE.sub(_escaped(token, chr), text).encode("latin-1", "replace")
    return text if "r" in prefix else _ESCAPE.sub(_escaped(token, chr), text)


def _escaped(token: Token, character: Callable[[int], str]) -> Callable[[re.Match[str]], str]:
    def replace(match: re.Match[str]) -> str:
        code = match[1]
        if code[0] in "xXuU" and len(code) > 1:
            return character(int(code[1:], 16))
        if len(code) == 3:
            return character(int(code, 8))
        if code in _SIMPLE or code in "\\'\"`?":
            return _SIMPLE.get(code, code)
        raise Malformed(token.at, f"Syntax error: token recognition error at: '\\{code}'")

    return replace
