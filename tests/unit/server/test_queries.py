"""Queries that cannot be, in upstream's words."""

import pytest

from knarr.meta.errors import ApiError
from knarr.server import queries

WRONG = {
    "a limit that is no number": (
        lambda: queries.list_options([("limit", "x")]),
        (400, 'strconv.ParseInt: parsing "x": invalid syntax'),
    ),
    "a limit only Python would read": (
        lambda: queries.list_options([("limit", "1_000")]),
        (400, 'strconv.ParseInt: parsing "1_000": invalid syntax'),
    ),
    "a limit beyond 64 bits": (
        lambda: queries.list_options([("limit", str(1 << 63))]),
        (400, 'strconv.ParseInt: parsing "9223372036854775808": value out of range'),
    ),
    "a timeout beyond all numbers": (
        lambda: queries.list_options([("timeoutSeconds", "9" * 500)]),
        (400, f'strconv.ParseInt: parsing "{"9" * 500}": value out of range'),
    ),
    "an unknown match": (
        lambda: queries.list_options([("resourceVersionMatch", "Bogus"), ("resourceVersion", "1")]),
        (
            422,
            'ListOptions.meta.k8s.io "" is invalid: resourceVersionMatch: Unsupported value: "Bogus": '
            'supported values: "Exact", "NotOlderThan", ""',
        ),
    ),
    "an unknown dry run": (
        lambda: queries.write_options([("dryRun", "Some")], "CreateOptions"),
        (422, 'CreateOptions.meta.k8s.io "" is invalid: dryRun: Unsupported value: ["Some"]: supported values: "All"'),
    ),
    "an unknown field validation": (
        lambda: queries.write_options([("fieldValidation", "Bogus")], "CreateOptions"),
        (
            422,
            'CreateOptions.meta.k8s.io "" is invalid: fieldValidation: Unsupported value: "Bogus": '
            'supported values: "", "Ignore", "Strict", "Warn"',
        ),
    ),
    "a field manager that is too long": (
        lambda: queries.write_options([("fieldManager", "m" * 129)], "CreateOptions"),
        (422, 'CreateOptions.meta.k8s.io "" is invalid: fieldManager: Too long: may not be more than 128 bytes'),
    ),
    "force without apply": (
        lambda: queries.write_options([("force", "true")], "PatchOptions"),
        (422, 'PatchOptions.meta.k8s.io "" is invalid: force: Forbidden: may not be specified for non-apply patch'),
    ),
}


@pytest.mark.parametrize(("ask", "wanted"), WRONG.values(), ids=WRONG)
def test_refusals(ask, wanted):
    with pytest.raises(ApiError) as raised:
        ask()
    assert (raised.value.code, raised.value.message) == wanted


def test_what_is_said_is_read():
    options = queries.list_options([("limit", "5"), ("labelSelector", "a=b"), ("allowWatchBookmarks", "true")])
    assert (options.limit, options.labels, options.bookmarks, options.watch) == (5, "a=b", True, False)


PRETTY = {
    "a program gets it short": ([], "kubectl/v1.37.0", False),
    "a program may ask for it": ([("pretty", "true")], "kubectl/v1.37.0", True),
    "curl is read by people": ([], "curl/8.5.0", True),
    "so is wget": ([], "Wget/1.21", True),
    "and a browser": ([], "Mozilla/5.0 (X11; Linux x86_64)", True),
    "people may want it short": ([("pretty", "false")], "curl/8.5.0", False),
    "nobody in particular": ([], "", False),
}


@pytest.mark.parametrize("query, agent, expected", PRETTY.values(), ids=PRETTY)
def test_whether_an_answer_is_indented(query, agent, expected):
    assert queries.pretty(query, {"user-agent": agent} if agent else {}) is expected
