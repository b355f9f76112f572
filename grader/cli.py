"""The command line. Starts the worker first: it loads while the judge does."""

from __future__ import annotations

import io
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from grader import cli_desk
from grader.cli_common import (
    COMMAND_WRONG,
    GRADER_FAILED,
    INTERRUPTED,
    fail,
    need_solutions,
    resolve,
    started_worker,
    teachers_only,
    told_when_slow,
)
from grader.interview.command import interview

if TYPE_CHECKING:
    from grader.exercise import Exercise
    from grader.verdict import Verdict

_GRADES = "runs your functions against hidden tests and names the mistake"


class _Group(click.Group):
    """Commands, and every exercise's name as a command that grades it."""

    def get_command(self, ctx: click.Context, name: str) -> click.Command | None:
        """Return a command; an exercise's name becomes `grade NAME`."""
        found = super().get_command(ctx, name)
        if found is not None or name.startswith("-"):
            return found
        return _grade_command(name)

    def list_commands(self, ctx: click.Context) -> list[str]:
        """List commands as they are used: grading first."""
        return ["exercise_NN", *self.commands]

    def format_help_text(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Say what the tests are here: the learners' edition has none that are hidden."""
        from grader import registry

        does = "runs your functions on public examples" if registry.in_edition() else _GRADES
        formatter.write_paragraph()
        with formatter.indentation():
            formatter.write_text("Grade exercises on attention and Transformers.")
            formatter.write_paragraph()
            formatter.write_text(f"`python -m grader exercise_03` {does}.")

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """List the commands with their one-line help."""
        rows = [("exercise_NN", "Grade exercises/exercise_NN.py (also: 3, 03).")]
        rows += [
            (name, command.get_short_help_str(80))
            for name, command in self.commands.items()
            if not command.hidden
        ]
        with formatter.section("Commands"):
            formatter.write_dl(rows)


def _submission_path(exercise_name: str, file: str | None, solution: bool) -> Path:
    from grader import registry

    if file and solution:
        fail("give --file or --solution, not both")
    if solution:
        need_solutions()
    path = registry.exercise_file(exercise_name)
    if file:
        path = Path(file)
    elif solution:
        path = registry.solution_file(exercise_name)
    if path.is_file():
        if path.suffix.lower() not in (".py", ".ipynb"):
            fail(f"{path}: expected a .py or .ipynb file")
        return path
    if path.exists():
        fail(f"{path} is not a file")
    restore = f" `python -m grader reset {exercise_name}` restores it." if not file and not solution else ""
    fail(f"no such file: {path}.{restore}")
    raise AssertionError


def _grade_command(name: str) -> click.Command:
    @click.command(name=name, help="Grade an exercise.")
    @click.option("--file", type=click.Path(), help="A .py or .ipynb file elsewhere.")
    @click.option("--solution", is_flag=True, help="Grade the reference solution.")
    @click.option("--seed", type=click.IntRange(min=0), help="Draw the same inputs again.")
    @click.option("--json", "as_json", is_flag=True, help="Print one JSON object and nothing else.")
    def command(file: str | None, solution: bool, seed: int | None, as_json: bool) -> None:
        number = resolve(name)
        path = _submission_path(f"exercise_{number:02d}", file, solution)
        with started_worker() as worker, told_when_slow() as came:
            from grader import judging, registry

            exercise = registry.load(number)
            if not as_json:  # imported while the worker loads, not when its answer is there
                from grader import terminal
            verdict = judging.grade(exercise, path, worker, seed, lambda _: came.set())
            came.set()  # without a check where the file cannot be graded
            if as_json:
                click.echo(verdict.to_json())
            else:
                terminal.show_verdict(verdict, exercise)
        if not file and not solution:
            _remember(verdict, path)
        sys.exit(verdict.exit_code)

    return command


def _remember(verdict: Verdict, path: Path) -> None:
    """Note an attempt; a note that fails is told, and changes nothing else."""
    from grader import progress

    trouble = progress.remember(verdict, path.read_bytes())
    if trouble:
        click.echo(trouble, err=True)


@click.group(cls=_Group, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="attention-dojo", prog_name="Attention Dojo")
def cli() -> None:
    """Grade exercises on attention and Transformers."""


@cli.command("all")
@click.option("--solution", is_flag=True, help="Grade the reference solutions.")
@click.option("--seed", type=click.IntRange(min=0), help="Draw the same inputs again.")
def grade_all(solution: bool, seed: int | None) -> None:
    """Grade everything, one table."""
    if solution:
        need_solutions()
    with started_worker() as worker:
        from grader import judging, registry, terminal

        rows: list[tuple[Exercise, Verdict]] = []
        for exercise in judging.all_exercises():
            path = (registry.solution_file if solution else registry.exercise_file)(exercise.name)
            if path.is_file():
                verdict = judging.grade(exercise, path, worker, seed)
                rows.append((exercise, verdict))
                if not solution:
                    _remember(verdict, path)
        terminal.show_table(rows)
    verdicts = [verdict for _, verdict in rows]
    if any(verdict.fault for verdict in verdicts):
        sys.exit(GRADER_FAILED)
    sys.exit(0 if verdicts and all(verdict.passed for verdict in verdicts) else 1)


@cli.command("list")
def list_exercises() -> None:
    """Show the curriculum."""
    from grader import judging, terminal

    terminal.show_list(judging.all_exercises())


@cli.command()
def doctor() -> None:
    """Show what is installed, devices and confinement."""
    from grader import doctor as checks

    sys.exit(0 if checks.report() else GRADER_FAILED)


def _teachers_commands() -> list[click.Command]:
    """The teacher's commands. The learners' edition comes without their code, and says so."""
    from grader import registry

    if registry.in_edition():
        return [teachers_only("class"), teachers_only("release")]
    from grader.cli_class import grade_class
    from grader.cli_release import release

    return [grade_class, release]


for _command in (*cli_desk.COMMANDS, interview, *_teachers_commands()):
    cli.add_command(_command)


def main(arguments: list[str] | None = None) -> Any:
    """Run the command line; Ctrl-C ends it with a word, not a traceback."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")
    try:
        cli.main(arguments, prog_name="python -m grader", standalone_mode=False)
    except click.exceptions.Abort:
        click.echo("\nInterrupted; nothing was changed.", err=True)
        sys.exit(INTERRUPTED)
    except KeyboardInterrupt:
        click.echo("\nInterrupted; nothing was changed.", err=True)
        sys.exit(INTERRUPTED)
    except click.ClickException as error:
        error.show()
        sys.exit(COMMAND_WRONG)
    except BrokenPipeError:
        sys.exit(COMMAND_WRONG)
    except Exception:
        import traceback

        traceback.print_exc()
        fail("the grader itself failed; this says nothing about your code", GRADER_FAILED)
