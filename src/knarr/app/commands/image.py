"""`knarr image build|load|ls`."""

from pathlib import Path

import click

from knarr.app import images, lookup


@click.group("image")
def command() -> None:
    """Build, load and list the images of a cluster."""


cluster_option = click.option("--name", "cluster_name", default="knarr", show_default=True, help="The cluster.")


@command.command("build")
@cluster_option
@click.option("-t", "--tag", required=True, help="The image's name.")
@click.option("-f", "--file", type=click.Path(path_type=Path), help="The Dockerfile; by default DIR/Dockerfile.")
@click.argument("directory", type=click.Path(exists=True, file_okay=False, path_type=Path))
def build(cluster_name: str, tag: str, file: Path | None, directory: Path) -> None:
    """Build an image from DIRECTORY."""
    store = images.open_store(lookup.existing(cluster_name))
    with images.one_line_errors():
        image = images.build(store, tag, directory, file)
    click.echo(f"{tag} built: {image.id}")


@command.command("load")
@cluster_option
@click.argument("archive", type=click.Path(exists=True, dir_okay=False, path_type=Path))
def load(cluster_name: str, archive: Path) -> None:
    """Load the images of ARCHIVE, an OCI or docker-archive tar."""
    store = images.open_store(lookup.existing(cluster_name))
    with images.one_line_errors():
        loaded = images.load(store, archive)
    for image in loaded:
        click.echo(f"{':'.join(image.familiar)} loaded: {image.id}")


@command.command("ls")
@cluster_option
def ls(cluster_name: str) -> None:
    """List the images, one line for each of their names."""
    rows = [("REPOSITORY", "TAG", "IMAGE ID", "SIZE")]
    for image in images.open_store(lookup.existing(cluster_name)).ls():
        about = (image.id.removeprefix("sha256:")[:12], f"{image.size / 1e6:.1f}MB")
        rows += [(*name, *about) for name in image.all_familiar]
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    for row in rows:
        click.echo("   ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())
