"""The teacher's command that writes the learners' edition."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import click

from grader.cli_common import GRADER_FAILED, fail, resolve, started_worker


@click.command()
@click.argument("folder", metavar="DIR", type=click.Path(path_type=Path))
@click.option("--exercise", "names", multiple=True, help="Only this exercise; repeatable.")
@click.option(
    "--hints",
    type=click.IntRange(1, 3),
    default=2,
    show_default=True,
    help="How many hints of each exercise; the third is nearly the answer.",
)
def release(folder: Path, names: Sequence[str], hints: int) -> None:
    """Write the learners' edition: no hidden tests, no solutions.

    It grades by public examples. DIR is new, empty, or an edition nobody worked in, which is replaced.
    """
    from grader import registry, release

    numbers = sorted({resolve(name) for name in names}) or registry.numbers()
    try:
        release.check_target(folder)
        with started_worker() as worker:
            files = release.compose(numbers, hints, worker, lambda told: click.echo(told, err=True))
        release.write(folder, files)
    except release.ReleaseError as error:
        fail(str(error))
    except release.HiddenContentError as error:
        fail(str(error), GRADER_FAILED)
    except OSError as error:
        fail(f"{folder} cannot be written: {error}")
    exercises = "1 exercise" if len(numbers) == 1 else f"{len(numbers)} exercises"
    click.echo(f"{folder}: {exercises}, {len(files)} files. Nothing hidden was found in it.")
