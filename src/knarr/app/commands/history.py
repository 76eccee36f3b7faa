"""`knarr history KIND/NAME`."""

import json
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
    link = readiness.connect(lookup.running(name), timeout=30)
    try:
        link.request(
            "GET", f"/knarr/v1/history/{quote(kind)}/{quote(object_name)}?{urlencode({'namespace': namespace})}"
        )
        answer = link.getresponse()
        found = json.loads(answer.read())
    except OSError as error:
        raise ConfigError(f"the API server of cluster {name!r} does not answer: {error}") from error
    finally:
        link.close()
    if answer.status != 200:
        raise ConfigError(found.get("message", f"the API server answered {answer.status}"))
    if output == "json":
        click.echo(history.as_json(found["items"]))
    else:
        for text in history.diffs(found["items"]) if output == "diff" else history.documents(found["items"]):
            click.echo(text, nl=output == "diff")
    click.echo(f"history begins after resourceVersion {found['compacted']}: {LIMITS}", err=True)
