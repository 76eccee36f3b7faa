"""`knarr history KIND/NAME`."""

import json
from collections.abc import Iterator
from itertools import chain
from urllib.parse import quote, urlencode

import click

from knarr.app import history, lookup, readiness
from knarr.app.config import ConfigError

LIMITS = "what is older is compacted"


@click.command("history")
@click.argument("target", metavar="KIND/NAME")
@click.option("-n", "--namespace", default="default", show_default=True, help="The object's namespace, if it has one.")
@click.option("-o", "--output", type=click.Choice(["diff", "yaml", "json"]), default="diff", show_default=True)
@click.option("--name", default="knarr", show_default=True, help="The cluster.")
def command(target: str, namespace: str, output: str, name: str) -> None:
    """Print every revision of an object that is still stored: what was written, when and by whom.

    History is kept for some minutes; deleted objects have one too.
    """
    kind, slash, object_name = target.partition("/")
    if not (kind and slash and object_name):
        raise ConfigError(f"{target}: must be KIND/NAME, as in deployment/web")
    pages = asked(name, f"/knarr/v1/history/{quote(kind)}/{quote(object_name)}", namespace)
    compacted, items = next(pages)
    every = chain(items, chain.from_iterable(more for _, more in pages))
    if output == "json":
        click.echo(history.as_json(list(every)))
    else:
        for text in history.diffs(every) if output == "diff" else history.documents(every):
            click.echo(text, nl=output == "diff")
    click.echo(f"history begins after resourceVersion {compacted}: {LIMITS}", err=True)


def asked(cluster: str, path: str, namespace: str) -> Iterator[tuple[str, list[history.Item]]]:
    """The pages of a history, each with up to where history is compacted; ConfigError when there is none."""
    link = readiness.connect(lookup.running(cluster), timeout=30)
    token = ""
    try:
        while True:
            link.request("GET", f"{path}?{urlencode({'namespace': namespace, 'continue': token})}")
            answer = link.getresponse()
            found = json.loads(answer.read())
            if answer.status != 200:
                raise ConfigError(found.get("message", f"the API server answered {answer.status}"))
            yield found["compacted"], found["items"]
            if not (token := found["metadata"].get("continue", "")):
                return
    except OSError as error:
        raise ConfigError(f"the API server of cluster {cluster!r} does not answer: {error}") from error
    finally:
        link.close()
