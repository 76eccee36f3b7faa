"""`knarr sim`."""

import logging
import os
import shlex
import sys
from collections.abc import Collection, Iterator
from pathlib import Path

import click

from knarr.app.config import ConfigError
from knarr.meta import clock
from knarr.testing.sim.life import Life, live
from knarr.testing.sim.many import Choice, many, shortest
from knarr.testing.sim.schedule import FAULTS, ScheduleError, parse, printed
from knarr.testing.workloads.objects import TYPES
from knarr.testing.workloads.operations import OPERATIONS

EVERY = 10.0  #: seconds between two lines that tell how far it is
SHOWN = 30  #: writes before a breach that are shown


@click.command("sim")
@click.option("--seeds", type=click.IntRange(1), default=100, show_default=True, help="How many lives.")
@click.option("--first", type=click.IntRange(0), default=0, show_default=True, help="The first seed.")
@click.option("--seed", type=click.IntRange(0), help="Live this one seed, and show its schedule.")
@click.option("--schedule", type=click.Path(exists=True, dir_okay=False, path_type=Path), help="Live this schedule.")
@click.option("--workloads", default="", help="Only these, by commas: " + ", ".join(TYPES) + ".")
@click.option("--faults", default=",".join(FAULTS), show_default=True, help="Only these, by commas; none for none.")
@click.option("--jobs", type=click.IntRange(1), default=os.cpu_count() or 1, help="Processes. Default: one a core.")
@click.option("--shrink/--no-shrink", default=True, help="Look for the shortest history of a breach.")
def command(
    seeds: int,
    first: int,
    seed: int | None,
    schedule: Path | None,
    workloads: str,
    faults: str,
    jobs: int,
    shrink: bool,
) -> None:
    """Live through random workloads and faults, seed by seed, on virtual time; exit 1 at the first broken invariant."""
    logging.getLogger("knarr").propagate = False
    choice = Choice(chosen(workloads, TYPES, "workload"), chosen("" if faults == "none" else faults, FAULTS, "fault"))
    if schedule is not None:
        sys.exit(report_one(scheduled(schedule, seed or 0)))
    wanted = [seed] if seed is not None else range(first, first + seeds)
    began, broken = clock.unix(), None
    for life in followed(many(wanted, choice, min(jobs, len(wanted))), len(wanted)):
        if life.breach is not None:
            broken = life
            break
    if broken is None:
        click.echo(f"{len(wanted)} lives, every invariant held  [{clock.unix() - began:.1f} s]")
        return
    report(shortest(broken) if shrink else broken, shrunk=shrink)
    sys.exit(1)


def followed(lives: Iterator[Life], count: int) -> Iterator[Life]:
    """The lives as they come, told of on stderr: by a bar on a terminal, else by a line every `EVERY` seconds."""
    if sys.stderr.isatty():
        with click.progressbar(lives, length=count, label="lives", file=sys.stderr) as bar:
            yield from bar
        return
    told = clock.unix()
    for number, life in enumerate(lives, 1):
        if clock.unix() - told >= EVERY:
            told = clock.unix()
            click.echo(f"{number} of {count} lives", err=True)
        yield life


def chosen(text: str, known: Collection[str], what: str) -> tuple[str, ...]:
    """The names in a list by commas; raises ConfigError for one that is none."""
    names = tuple(filter(None, (name.strip() for name in text.split(","))))
    for name in names:
        if name not in known:
            raise ConfigError(f"{name!r} is no {what}; there are {', '.join(known)}")
    return names


def scheduled(path: Path, seed: int) -> Life:
    try:
        acts = parse(path.read_text(), {**FAULTS, **OPERATIONS})
    except ScheduleError as error:
        raise ConfigError(f"{path}: {error}") from error
    return live(seed, acts)


def report_one(life: Life) -> int:
    if life.breach is None:
        click.echo(f"every invariant held: {life.revisions} writes in {life.virtual:.0f} s of virtual time")
        return 0
    report(life, shrunk=False)
    return 1


def report(life: Life, *, shrunk: bool) -> None:
    """The broken invariant, its history, and how to see it again."""
    assert life.breach is not None, "only what broke is reported"
    click.echo(f"\nseed {life.seed} breaks an invariant\n{life.breach}\n")
    click.echo("its last writes:")
    click.echo("".join(f"    {line}\n" for line in life.writes[-SHOWN:]))
    file = Path(f"knarr-sim-{life.seed}.txt")
    file.write_text(printed(life.acts))
    click.echo("its schedule" + (", as short as it was found to break:" if shrunk else ":"))
    click.echo(printed(life.acts))
    click.echo(f"again: knarr sim --seed {life.seed} --schedule {shlex.quote(str(file))}")
