"""Links that lead back through a proxy."""

import pytest

from knarr.client.transport import Response
from knarr.server import links
from knarr.server.links import Through, led, page

PREFIX = "/api/v1/namespaces/a/pods/b/proxy"
THROUGH = Through(PREFIX, "10.244.0.7:80", "127.0.0.1:6443")
URLS = {
    "a path": ("/login?to=x#y", f"{PREFIX}/login?to=x#y"),
    "a directory": ("/x/", f"{PREFIX}/x/"),
    "the root": ("/", f"{PREFIX}/"),
    "the host behind": ("http://10.244.0.7:80/login", f"{PREFIX}/login"),
    "the host behind, without a path": ("http://10.244.0.7:80", "http://10.244.0.7:80"),
    "the host that was asked": ("https://127.0.0.1:6443/login", f"https://127.0.0.1:6443{PREFIX}/login"),
    "a path that is led already": (f"{PREFIX}/login", f"{PREFIX}/login"),
    "another host": ("https://example.com/login", "https://example.com/login"),
    "another host by its name alone": ("//example.com/login", "//example.com/login"),
    "a relative path": ("login", "login"),
    "what is no URL": ("http://[x/", "http://[x/"),
}
PAGES = {
    "a link": ('<a href="/x">', f'<a href="{PREFIX}/x">'),
    "each of several, and what is between": (
        '<p>\n<img src=/a.png><A class=b HREF=/x disabled>\n</p><img src="/b">',
        f'<p>\n<img src="{PREFIX}/a.png"><a class="b" href="{PREFIX}/x" disabled>\n</p><img src="{PREFIX}/b">',
    ),
    "an empty element": ('<link href="/a.css"/>', f'<link href="{PREFIX}/a.css"/>'),
    "references in it": ('<a href="/x?a=1&amp;b=&quot;">', f'<a href="{PREFIX}/x?a=1&amp;b=&quot;">'),
    "letters beyond the page's": ('<a href="/&#8364;">\xe9', f'<a href="{PREFIX}/&#8364;">\xe9'),
    "an attribute that holds none": ('<a name="/x">', '<a name="/x">'),
    "a relative link, as it was written": ("<a  HREF = 'x'>", "<a  HREF = 'x'>"),
    "a comment": ('<!-- <a href="/x"> -->', '<!-- <a href="/x"> -->'),
    "a script's own text": ('<script>"<a href=/x>"</script>', '<script>"<a href=/x>"</script>'),
    "half a tag": ('<b>x</b><a href="/x', '<b>x</b><a href="/x'),
    "a declaration that is none": ('<![foo <a href="/x">', '<![foo <a href="/x">'),
}


@pytest.mark.parametrize(("url", "wanted"), URLS.values(), ids=URLS)
def test_where_a_url_leads(url, wanted):
    assert THROUGH.lead(url) == wanted


@pytest.mark.parametrize(("text", "wanted"), PAGES.values(), ids=PAGES)
def test_links_of_a_page(text, wanted):
    assert page(text.encode("latin-1"), THROUGH.lead) == wanted.encode("latin-1")


def test_bytes_of_another_encoding_stay_as_they_are():
    text = '<a href="/é">日本</a>'.encode()
    assert page(text, THROUGH.lead).decode() == f'<a href="{PREFIX}/é">日本</a>'


def test_a_hostile_page_is_read_in_one_pass():
    text = b"<!--" * 500_000 + b"<a '" * 1000
    assert page(text, THROUGH.lead) == text


async def streamed(*pieces):
    for piece in pieces:
        yield piece


ANSWERS = {
    "a page": ({"content-type": "text/html; charset=utf-8"}, True),
    "another type": ({"content-type": "text/plain"}, False),
    "no type": ({}, False),
    "a packed page": ({"content-type": "text/html", "content-encoding": "gzip"}, False),
    "a page that leads elsewhere": ({"content-type": "text/html", "location": "/x"}, False),
}


@pytest.mark.parametrize(("headers", "changed"), ANSWERS.values(), ids=ANSWERS)
async def test_which_answers_have_their_links_led(headers, changed):
    answer = await led(Response(200, dict(headers), stream=streamed(b"<a hre", b'f="/x">')), THROUGH)
    body = answer.body if answer.stream is None else b"".join([piece async for piece in answer.stream])
    assert (PREFIX.encode() in body) is changed


async def test_a_page_that_is_too_large_goes_on_as_it_is(monkeypatch):
    monkeypatch.setattr(links, "MOST", 8)
    answer = await led(Response(200, {"content-type": "text/html"}, stream=streamed(b"<a href=", b"/x", b">")), THROUGH)
    assert [piece async for piece in answer.stream] == [b"<a href=/x", b">"]


async def test_a_page_that_nobody_reads_on_is_not_read_on(monkeypatch):
    monkeypatch.setattr(links, "MOST", 8)
    stream = streamed(b"<a href=/x", b">")
    answer = await led(Response(200, {"content-type": "text/html"}, stream=stream), THROUGH)
    await anext(answer.stream)
    await answer.close()
    assert [piece async for piece in stream] == []


async def test_what_is_behind_a_proxy_opens_it_to_no_other_origin():
    headers = {"access-control-allow-origin": "*", "access-control-allow-credentials": "true", "etag": "1"}
    assert (await led(Response(200, headers), THROUGH)).headers == {"etag": "1"}
