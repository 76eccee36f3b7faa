"""Lists and watches by their queries: which state is shown, what is refused, what ends."""

import json
from contextlib import asynccontextmanager

import pytest

from knarr.client.transport import Request, User
from knarr.testing import virtual_time
from knarr.testing.cluster import Cluster

PATH = "/api/v1/namespaces/default/configmaps"
JSON = {"content-type": "application/json"}


@asynccontextmanager
async def three():
    """Config maps a, b and c, written one after the other; `old` is the revision at which there was only a."""
    async with Cluster([]) as found:
        found.old = 0
        for name in "abc":
            body = json.dumps({"metadata": {"name": name}}).encode()
            made = await found.handler.handle(Request("POST", PATH, [], dict(JSON), body, User()))
            found.old = found.old or int(json.loads(made.body)["metadata"]["resourceVersion"])
        yield found


@pytest.fixture
async def cluster():
    async with three() as found:
        yield found


async def ask(cluster, query):
    at = {"OLD": str(cluster.old), "NOW": str(cluster.old + 2), "FUTURE": "9999"}
    items = [tuple(part.split("=")) for part in query.split("&") if part]
    return await cluster.handler.handle(Request("GET", PATH, [(k, at.get(v, v)) for k, v in items], {}, b"", User()))


async def listed(cluster, query):
    """The names of a list, or its code and the first cause or message."""
    answer = await ask(cluster, query)
    found = json.loads(answer.body)
    if answer.status == 200:
        return "".join(item["metadata"]["name"] for item in found["items"])
    causes = found.get("details", {}).get("causes")
    return answer.status, causes[0]["message"] if causes else found["message"]


def forbidden(why):
    return 422, f"Forbidden: {why}"


UNLESS = forbidden("resourceVersionMatch is forbidden unless resourceVersion is provided")
TOO_LARGE = 504, "Too large resource version"
#: upstream's table of the meaning of resourceVersion and resourceVersionMatch in a list
MATRIX = {
    "": "abc",
    "resourceVersionMatch=NotOlderThan": UNLESS,
    "resourceVersionMatch=Exact": UNLESS,
    "resourceVersion=0": "abc",
    "resourceVersion=0&resourceVersionMatch=NotOlderThan": "abc",
    "resourceVersion=0&resourceVersionMatch=Exact": forbidden(
        'resourceVersionMatch "exact" is forbidden for resourceVersion "0"'
    ),
    "resourceVersion=OLD": "abc",
    "resourceVersion=OLD&resourceVersionMatch=NotOlderThan": "abc",
    "resourceVersion=OLD&resourceVersionMatch=Exact": "a",
    "resourceVersion=NOW&resourceVersionMatch=Exact": "abc",
    "resourceVersion=FUTURE": TOO_LARGE,
    "resourceVersion=FUTURE&resourceVersionMatch=NotOlderThan": TOO_LARGE,
    "resourceVersion=FUTURE&resourceVersionMatch=Exact": TOO_LARGE,
    "limit=2": "ab",
    "limit=2&resourceVersion=0": "ab",
    "limit=2&resourceVersion=OLD": "a",
    "limit=2&resourceVersion=OLD&resourceVersionMatch=Exact": "a",
    "limit=2&resourceVersion=OLD&resourceVersionMatch=NotOlderThan": "ab",
    "limit=0": "abc",
    "sendInitialEvents=true": forbidden("sendInitialEvents is forbidden for list"),
}


@pytest.mark.parametrize(("query", "expected"), MATRIX.items(), ids=[query or "nothing" for query in MATRIX])
async def test_the_state_that_a_list_shows(cluster, query, expected):
    assert await listed(cluster, query) == expected


TOKENS = {
    "a revision": "resourceVersion=NOW",
    "a match": "resourceVersion=NOW&resourceVersionMatch=Exact",
}


@pytest.mark.parametrize("query", TOKENS.values(), ids=TOKENS)
async def test_a_list_that_is_continued_names_no(cluster, query):
    token = json.loads((await ask(cluster, "limit=1")).body)["metadata"]["continue"]
    items = [("limit", "1"), ("continue", token), *(tuple(part.split("=")) for part in query.split("&"))]
    items = [(key, value.replace("NOW", str(cluster.old + 2))) for key, value in items]
    answer = await cluster.handler.handle(Request("GET", PATH, items, {}, b"", User()))
    assert answer.status in (400, 422)


async def test_a_list_of_old_is_continued_as_of_old(cluster):
    first = json.loads((await ask(cluster, "limit=1")).body)
    await cluster.handler.handle(Request("DELETE", f"{PATH}/b", user=User()))
    items = [("limit", "5"), ("continue", first["metadata"]["continue"])]
    rest = json.loads((await cluster.handler.handle(Request("GET", PATH, items, {}, b"", User()))).body)
    assert [item["metadata"]["name"] for item in rest["items"]] == ["b", "c"]
    assert rest["metadata"]["resourceVersion"] == first["metadata"]["resourceVersion"]
    assert await listed(cluster, "") == "ac"


MATCHED = "resourceVersionMatch=NotOlderThan"
#: upstream's table of a watch's beginning; what it tells in the end, "BOOKMARK!" ends the initial events
WATCHES = {
    "": ["ADDED a", "ADDED b", "ADDED c"],
    "resourceVersion=0": ["ADDED a", "ADDED b", "ADDED c"],
    "resourceVersion=OLD": ["ADDED b", "ADDED c"],
    "resourceVersion=NOW": [],
    "resourceVersion=NOW&allowWatchBookmarks=true": ["BOOKMARK"],
    f"sendInitialEvents=true&{MATCHED}": ["ADDED a", "ADDED b", "ADDED c"],
    f"sendInitialEvents=true&allowWatchBookmarks=true&{MATCHED}": [
        "ADDED a",
        "ADDED b",
        "ADDED c",
        "BOOKMARK!",
        "BOOKMARK",
    ],
    f"sendInitialEvents=true&allowWatchBookmarks=true&resourceVersion=OLD&{MATCHED}": [
        "ADDED a",
        "ADDED b",
        "ADDED c",
        "BOOKMARK!",
        "BOOKMARK",
    ],
    f"sendInitialEvents=false&{MATCHED}": [],
}


async def told(query):
    """What a watch tells until its time is over."""
    async with three() as cluster:
        answer = await ask(cluster, "&".join(filter(None, ["watch=true", "timeoutSeconds=60", query])))
        assert answer.status == 200, answer.body
        lines = [line async for piece in answer.stream for line in piece.splitlines()]
    for event in map(json.loads, lines):
        metadata = event["object"]["metadata"]
        marked = "!" if "k8s.io/initial-events-end" in metadata.get("annotations", {}) else ""
        yield f"{event['type']}{marked} {metadata.get('name', '')}".strip()


@pytest.mark.parametrize("query", WATCHES)
def test_a_watch_tells_until_its_time_is_over(query):
    async def events():
        return [event async for event in told(query)]

    assert virtual_time.run(events()) == WATCHES[query]


NO_WATCH = {
    "a match alone": (
        "resourceVersion=NOW&resourceVersionMatch=NotOlderThan",
        "resourceVersionMatch is forbidden for watch unless sendInitialEvents is provided",
    ),
    "initial events without a match": (
        "sendInitialEvents=true",
        "sendInitialEvents requires setting resourceVersionMatch to NotOlderThan",
    ),
}


@pytest.mark.parametrize(("query", "why"), NO_WATCH.values(), ids=NO_WATCH)
async def test_a_watch_is_refused_for(cluster, query, why):
    answer = await ask(cluster, f"watch=true&{query}")
    assert (answer.status, json.loads(answer.body)["details"]["causes"][0]["message"]) == forbidden(why)
