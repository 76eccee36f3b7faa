"""Expressions in CEL: what they give, what they may not say, and what they may cost."""

import pytest

from knarr.kinds.cel.program import compiled
from knarr.kinds.cel.scope import OverLimit
from knarr.kinds.cel.tree import Malformed
from knarr.kinds.cel.types import DYN, of_schema, value_of
from knarr.kinds.cel.values import Failed

SCHEMA = {
    "type": "object",
    "properties": {
        "n": {"type": "integer"},
        "f": {"type": "number"},
        "s": {"type": "string"},
        "b": {"type": "boolean"},
        "l": {"type": "array", "items": {"type": "string"}},
        "m": {"type": "object", "additionalProperties": {"type": "integer"}},
        "o": {"type": "object", "properties": {"x-y": {"type": "string"}, "in": {"type": "integer"}}},
        "when": {"type": "string", "format": "date-time"},
        "either": {"x-kubernetes-int-or-string": True},
    },
}
SELF = {
    "n": 3,
    "f": 1,
    "s": "abc",
    "b": True,
    "l": ["a", "b", "c"],
    "m": {"k": 1, "j": 2},
    "o": {"x-y": "z", "in": 4},
    "when": "2026-01-02T03:04:05Z",
    "either": "50%",
}


def value(text, self=None):
    type_ = of_schema(SCHEMA, resource=True)
    program = compiled(text, {"self": type_, "any": DYN})
    return program.evaluate({"self": value_of(self or SELF, SCHEMA), "any": self or SELF})[0]


VALUES = {
    "self.n + 2 == 5 && self.f == 1.0": True,
    "self.n > 2 ? 'more' : 'less'": "more",
    "has(self.s) && !has(self.metadata)": True,
    "self.l.all(x, x in ['a', 'b', 'c'])": True,
    "self.l.exists_one(x, x == 'a')": True,
    "self.l.map(x, x + '!').join(',')": "a!,b!,c!",
    "self.l.filter(x, x != 'a').size()": 2,
    "self.m.all(k, self.m[k] > 0)": True,
    "self.m.exists(k, v, k == 'j' && v == 2)": True,
    "self.o.x__dash__y + string(self.o.__in__)": "z4",
    "self.when > timestamp('2026-01-01T00:00:00Z') && self.when.getFullYear() == 2026": True,
    "self.when - duration('1h') < self.when": True,
    "type(self.either) == string ? self.either.endsWith('%') : self.either > 0": True,
    "self.?o.?nope.orValue('none')": Malformed,
    "any.?o.?nope.orValue('none')": "none",
    "any[?'s'].hasValue()": True,
    "optional.of(3).optMap(x, x + 1).value()": 4,
    "1 / 0": Failed,
    "1 / 0 == 1 || true": True,
    "-7 / 2 == -3 && -7 % 2 == -1": True,
    "9223372036854775807 + 1": Failed,
    "1u + 2u == 3u": True,
    "'a' + 1": Malformed,
    "self.nope": Malformed,
    "nope": Malformed,
    "self.s.nope()": Malformed,
    "self.n == 'x'": Malformed,
    "size([1, 2, 3]) + size('äbc')": 6,
    "'%s is %d'.format(['x', 3])": "x is 3",
    "'abc'.matches('^a.c$') && !'abc'.matches('^b')": True,
    "'a,b,c'.split(',')": ["a", "b", "c"],
    "'abcabc'.replace('b', 'x', 1)": "axcabc",
    "'abc'.substring(1) + 'abc'.charAt(0) + 'ABC'.lowerAscii()": "bcaabc",
    "'abc123'.find('[0-9]+')": "123",
    "[3, 1, 2].max() == 3 && [3, 1, 2].sum() == 6 && [1, 2].isSorted()": True,
    "['a', 'b'].indexOf('b')": 1,
    "sets.contains([1, 2, 3], [2])": True,
    "quantity('1Gi').isGreaterThan(quantity('1G')) && isQuantity('10m') && !isQuantity('x')": True,
    "quantity('1500m').add(quantity('500m')).compareTo(quantity('2'))": 0,
    "url('https://u@example.com:80/p?q=1').getHost()": "example.com:80",
    "isURL('https://example.com') && !isURL('no url')": True,
    "ip('10.0.0.1').family() == 4 && cidr('10.0.0.0/8').containsIP('10.1.2.3')": True,
    "semver('1.2.3').isLessThan(semver('1.10.0'))": True,
    "format.dns1123Label().validate('not ok').hasValue()": True,
    "cel.bind(x, self.n, x * x)": 9,
    "{'a': 1}['a'] + {'b': 2}.b": 3,
    "[1, 2].exists(x, x == 2) && 2 in [1, 2] && 'k' in self.m": True,
    "r'a\\b' == 'a\\\\b' && b'abc' == bytes('abc')": True,
    "[[1, 2], [3]].map(l, l.size() > 1, l[0])": [1],
    "true || self.nope": Malformed,
    "dyn(1) == dyn('x')": False,
    "1 +": Malformed,
    "'open": Malformed,
    "(" * 300 + "1": Malformed,
}


@pytest.mark.parametrize("text", VALUES)
def test_values(text):
    wanted = VALUES[text]
    if wanted in (Malformed, Failed):
        with pytest.raises(wanted):
            value(text)
    else:
        assert value(text) == wanted


def test_a_complaint_shows_the_place():
    with pytest.raises(Malformed) as refused:
        value("self.nope > 1")
    assert refused.value.text("self.nope > 1") == (
        "ERROR: <input>:1:5: undefined field 'nope'\n | self.nope > 1\n | ....^"
    )


def test_a_loop_over_a_loop_is_cut_short():
    many = {**SELF, "l": ["x"] * 2000}
    with pytest.raises(OverLimit):
        value("self.l.all(a, self.l.all(b, self.l.all(c, a == b && b == c)))", many)


@pytest.mark.parametrize(
    "source",
    ["self.s.replace('', self.s)", "self.s.split('').join(self.s)", "'%.2000000000f'.format([1.5]) == ''"],
    ids=["replace", "join", "format"],
)
def test_a_call_takes_no_more_memory_than_a_request_may(source):
    with pytest.raises(OverLimit):
        value(source, {**SELF, "s": "x" * 20_000})
