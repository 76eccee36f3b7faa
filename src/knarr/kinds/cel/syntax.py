"""CEL text to a tree of expressions. Macros (`has`, `all`, `map`, ...) become nodes of their own.

Grammar: https://github.com/google/cel-spec/blob/master/doc/langdef.md, with the optional syntax `a.?b`, `a[?k]`.
"""

from typing import NoReturn

from knarr.kinds.cel.tokens import RESERVED, Token, text_of, tokens
from knarr.kinds.cel.tree import Call, ListOf, Literal, Macro, Malformed, MapOf, Message, Name, Node, Select, Uint

DEEPEST = 250  #: nested expressions
LONGEST = 100_000  #: characters

#: macros by name: the numbers of arguments that they take, and how many of those name variables
MACROS: dict[str, dict[int, int]] = {
    "all": {2: 1, 3: 2},
    "exists": {2: 1, 3: 2},
    "exists_one": {2: 1},
    "existsOne": {2: 1, 3: 2},
    "map": {2: 1, 3: 1},
    "filter": {2: 1},
    "transformList": {3: 2, 4: 2},
    "transformMap": {3: 2, 4: 2},
    "optMap": {2: 1},
    "optFlatMap": {2: 1},
}
BINARY = ("||", "&&", ("==", "!=", "<=", ">=", "<", ">", "in"), ("+", "-"), ("*", "/", "%"))


def parse(source: str) -> Node:
    """The expression of a text; raises Malformed."""
    if len(source) > LONGEST:
        raise Malformed(0, f"expression code point size exceeds limit: size: {len(source)}, limit {LONGEST}")
    return _Parser(source).whole()


class _Parser:
    def __init__(self, source: str) -> None:
        self._tokens = tokens(source)
        self._at = 0
        self._depth = 0

    @property
    def _next(self) -> Token:
        return self._tokens[self._at]

    def _take(self) -> Token:
        token = self._next
        self._at += 1
        return token

    def _is(self, *texts: str) -> bool:
        token = self._next
        return token.text in texts and token.kind in ("op", "name")

    def _expect(self, text: str) -> Token:
        if not self._is(text):
            self._fail(f"missing '{text}' at")
        return self._take()

    def _fail(self, why: str = "mismatched input") -> NoReturn:
        raise Malformed(self._next.at, f"Syntax error: {why} '{self._next.text}'")

    def whole(self) -> Node:
        found = self.expression()
        if self._next.kind != "end":
            self._fail()
        return found

    def expression(self) -> Node:
        self._depth += 1
        if self._depth > DEEPEST:
            raise Malformed(self._next.at, f"expression recursion limit exceeded: {DEEPEST}")
        found = self._binary(0)
        if self._is("?"):
            mark = self._take()
            yes = self._binary(0)
            self._expect(":")
            found = Call(mark.at, "_?_:_", (found, yes, self.expression()))
        self._depth -= 1
        return found

    def _binary(self, level: int) -> Node:
        if level == len(BINARY):
            return self._unary()
        found = self._binary(level + 1)
        operators = BINARY[level]
        while self._is(*((operators,) if isinstance(operators, str) else operators)):
            mark = self._take()
            name = "@in" if mark.text == "in" else f"_{mark.text}_"
            found = Call(mark.at, name, (found, self._binary(level + 1)))
        return found

    def _unary(self) -> Node:
        if self._is("!", "-"):
            mark = self._take()
            if mark.text == "-" and self._next.kind in ("int", "float"):
                return self._member(self._number(self._take(), "-"))
            self._depth += 1
            if self._depth > DEEPEST:
                raise Malformed(mark.at, f"expression recursion limit exceeded: {DEEPEST}")
            inner = self._unary()
            self._depth -= 1
            return Call(mark.at, f"{mark.text}_", (inner,))
        return self._member(self._primary())

    def _member(self, found: Node) -> Node:
        while self._is(".", ".?", "[", "[?", "{"):
            if self._is("{"):
                found = self._message(found)
                continue
            mark = self._take()
            if mark.text in ("[", "[?"):
                index = self.expression()
                self._expect("]")
                found = Call(mark.at, "_[_]" if mark.text == "[" else "_[?_]", (found, index))
                continue
            name = self._take()
            if name.kind not in ("name", "quoted"):
                self._at -= 1
                self._fail()
            field = name.text.strip("`")
            if mark.text == "." and self._is("("):
                found = self._method(found, field, name)
            else:
                found = Select(mark.at, found, field, optional=mark.text == ".?")
        return found

    def _method(self, target: Node, name: str, token: Token) -> Node:
        opened = self._take()
        args = self._arguments(")")
        if isinstance(target, Name) and (target.name, name, len(args)) == ("cel", "bind", 3):
            return Macro(opened.at, "bind", args[1], (_variable(args[0]),), (args[2],))
        if name in MACROS and len(args) in MACROS[name]:
            count = MACROS[name][len(args)]
            names = tuple(_variable(arg) for arg in args[:count])
            return Macro(opened.at, name, target, names, tuple(args[count:]))
        return Call(opened.at, name, (target, *args), method=True)

    def _arguments(self, end: str) -> list[Node]:
        found: list[Node] = []
        while not self._is(end):
            found.append(self.expression())
            if not self._is(","):
                break
            self._take()
        self._expect(end)
        return found

    def _primary(self) -> Node:
        token = self._take()
        if token.kind in ("int", "float"):
            return self._number(token)
        if token.kind == "string":
            return Literal(token.at, text_of(token))
        if token.kind == "name":
            return self._named(token)
        if token.kind == "op":
            if token.text == "(":
                found = self.expression()
                self._expect(")")
                return found
            if token.text == "[":
                return self._list(token)
            if token.text == "[?":
                self._at -= 1
                return self._list(self._take(), first=True)
            if token.text == "{":
                return self._map(token)
            if token.text == "." and self._next.kind == "name":
                return self._named(self._take())
        raise Malformed(token.at, f"Syntax error: mismatched input '{token.text}'")

    def _named(self, token: Token) -> Node:
        if token.text in ("true", "false", "null"):
            return Literal(token.at, {"true": True, "false": False, "null": None}[token.text])
        if token.text in RESERVED or token.text == "in":
            raise Malformed(token.at, f"reserved identifier: {token.text}")
        if not self._is("("):
            return Name(token.at, token.text)
        opened = self._take()
        args = self._arguments(")")
        if token.text == "has" and len(args) == 1:
            inner = args[0]
            if not isinstance(inner, Select):
                raise Malformed(opened.at, "invalid argument to has() macro")
            return Select(opened.at, inner.of, inner.field, test=True)
        return Call(opened.at, token.text, tuple(args))

    def _list(self, token: Token, *, first: bool = False) -> Node:
        items: list[Node] = []
        optional: set[int] = set()
        while not self._is("]"):
            if first or self._is("?"):
                if not first:
                    self._take()
                first = False
                optional.add(len(items))
            items.append(self.expression())
            if not self._is(","):
                break
            self._take()
        self._expect("]")
        return ListOf(token.at, tuple(items), frozenset(optional))

    def _map(self, token: Token) -> Node:
        entries: list[tuple[Node, Node, bool]] = []
        while not self._is("}"):
            optional = self._is("?")
            if optional:
                self._take()
            key = self.expression()
            self._expect(":")
            entries.append((key, self.expression(), optional))
            if not self._is(","):
                break
            self._take()
        self._expect("}")
        return MapOf(token.at, tuple(entries))

    def _message(self, named: Node) -> Node:
        mark, name = self._next, _dotted(named)
        if not name:
            self._fail()
        self._take()
        entries: list[tuple[str, Node, bool]] = []
        while not self._is("}"):
            optional = self._is("?")
            if optional:
                self._take()
            field = self._take()
            if field.kind not in ("name", "quoted"):
                self._at -= 1
                self._fail()
            self._expect(":")
            entries.append((field.text.strip("`"), self.expression(), optional))
            if not self._is(","):
                break
            self._take()
        self._expect("}")
        return Message(mark.at, name, tuple(entries))

    def _number(self, token: Token, sign: str = "") -> Literal:
        text = token.text
        if token.kind == "float":
            return Literal(token.at, float(sign + text))
        unsigned = text[-1] in "uU"
        value = int(sign + (text.rstrip("uU")), 0 if text[:2] in ("0x", "0X") else 10)
        if unsigned:
            if not 0 <= value < 1 << 64:
                raise Malformed(token.at, "invalid uint literal")
            return Literal(token.at, Uint(value))
        if not -(1 << 63) <= value < 1 << 63:
            raise Malformed(token.at, "invalid int literal")
        return Literal(token.at, value)


def _variable(node: Node) -> str:
    if not isinstance(node, Name):
        raise Malformed(node.at, "argument must be a simple name")
    return node.name


def _dotted(node: Node) -> str:
    """A name with dots; "" when it is something else."""
    if isinstance(node, Name):
        return node.name
    if isinstance(node, Select) and not node.test and not node.optional and (before := _dotted(node.of)):
        return f"{before}.{node.field}"
    return ""
