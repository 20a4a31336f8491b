"""Define `ganstrata plugins new`: write a distribution with one plugin that passes its own tests."""

from __future__ import annotations

import builtins
import importlib.util
import keyword
import re
import shutil
import tempfile
from pathlib import Path
from typing import NamedTuple, cast

import click

from .. import __all__ as exported
from .. import __version__
from ..core.errors import UserError
from ..core.messages import visible
from ..core.plugins.plugin_info import KINDS, RESERVED, Kind
from ..core.plugins.registry import registry
from .errors import reported
from .options import PATH
from .streams import say

LEARNER = "learner"  # another word for the kind "boundary"
UNLABELLED = "--without-labels"
TAKEN = {*exported, *dir(builtins), "Field"}  # what a module of a plugin may want to use
NAME = re.compile(r"[a-z][a-z0-9]*(_[a-z0-9]+)*")


class Words(NamedTuple):
    """Hold what differs between the kinds.

    Attributes:
        noun: what it is called.
        hook: end of the name of its hook.
        module: its module.
        template: template of its module.
        summary: what the class computes, as its docstring and the hook say.
        options: options of it in a small run.
    """

    noun: str
    hook: str
    module: str
    template: str
    summary: str
    options: str = ""


EXTREMES = "positives: 0.2, negatives: 0.2"
WORDS: dict[Kind, Words] = {
    "generator": Words(
        "generator", "generators", "generator", "generator.py.j2", "patterns that two layers of code weigh"
    ),
    "scorer": Words("scorer", "scorers", "scorer", "scorer.py.j2", "how warm and how dark a picture is"),
    "boundary": Words(
        "boundary learner",
        "boundaries",
        "learner",
        "boundary.py.j2",
        "from the mean of the lowest scores to that of the highest",
        EXTREMES,
    ),
}
INVERTER: Kind = "inverter"
WORDS[INVERTER] = Words(
    "inverter", "inverters", "inverter", "inverter.py.j2", "codes moved against the gradient of the distance"
)
WITHOUT_LABELS = WORDS["boundary"]._replace(
    noun="learner of directions without labels",
    template="directions.py.j2",
    summary="directions in which codes vary most",
    options="directions: 4",
)


@click.command()
@click.argument("kind", type=click.Choice((*KINDS, LEARNER, INVERTER)))
@click.argument("name")
@click.option(
    UNLABELLED, is_flag=True, help="A learner that finds directions of its own, and uses no scores."
)
@click.option("--out", type=PATH, metavar="FOLDER", help="The folder to write.  [default: ganstrata-NAME]")
def new(kind: str, name: str, without_labels: bool, out: Path | None) -> None:
    """Write a distribution with a plugin of KIND called NAME: class, hook, tests, README, run and CI file.

    KIND is generator, scorer, boundary (or learner, the same) or inverter; others have no such beginning.
    What is written passes its own tests as it is: replace what it computes by your own, step by step.

    \b
    Examples:
      ganstrata plugins new scorer smile
      ganstrata plugins new learner quickest --without-labels
    """
    chosen = cast("Kind", "boundary" if kind == LEARNER else kind)
    if without_labels and chosen != "boundary":
        raise click.UsageError(f"{UNLABELLED} is for learners, and '{kind}' is not one")
    with reported():
        _check_name(chosen, name)
        folder = out or Path(f"ganstrata-{name.replace('_', '-')}")
        if folder.exists() or folder.is_symlink():
            raise UserError(f"{folder} exists; give another --out, or remove it first")
        _write(folder, files_of(chosen, name, without_labels=without_labels))
    say(f"Wrote {folder}. Next: cd {folder} && pip install -e '.[test]' && pytest")


def files_of(kind: Kind, name: str, *, without_labels: bool = False) -> dict[str, str]:
    """Return the files of the distribution, path -> text.

    Args:
        kind: kind of the plugin.
        name: its name.
        without_labels: of a learner, whether it finds directions of its own and uses no scores.
    """
    from jinja2 import Environment, PackageLoader, StrictUndefined

    environment = Environment(
        loader=PackageLoader(__package__, "templates"),
        undefined=StrictUndefined,
        keep_trailing_newline=True,
        trim_blocks=True,
    )
    package = f"ganstrata_{name}"
    words = WITHOUT_LABELS if without_labels else WORDS[kind]
    values = {
        **words._asdict(),
        "kind": kind,
        "name": name,
        "package": package,
        "distribution": f"ganstrata-{name.replace('_', '-')}",
        "class_name": _class_name(name),
        "version": __version__,
    }
    templates = {
        "pyproject.toml": "pyproject.toml.j2",
        "README.md": "README.md.j2",
        "run.yaml": "run.yaml.j2",
        f"{package}/__init__.py": "__init__.py.j2",
        f"{package}/{words.module}.py": words.template,
        f"tests/test_{name}.py": "test.py.j2",
        ".github/workflows/test.yml": "test.yml.j2",
    }
    if kind == INVERTER:  # which no run uses
        del templates["run.yaml"]
    return {path: environment.get_template(file).render(values) for path, file in templates.items()}


def _class_name(name: str) -> str:
    """Return the name of the class; one that has a meaning already gets an ending, so that it keeps that.

    >>> _class_name("two_words"), _class_name("state"), _class_name("none")
    ('TwoWords', 'StatePlugin', 'NonePlugin')
    """
    words = "".join(part.capitalize() for part in name.split("_"))
    taken = {each.casefold() for each in TAKEN}
    return f"{words}Plugin" if words.casefold() in taken else words


def _check_name(kind: Kind, name: str) -> None:
    """Refuse names that no module, distribution or plugin can have.

    Raises:
        UserError: the message says what is allowed.
    """
    if not NAME.fullmatch(name) or keyword.iskeyword(name) or len(name) > 40:
        raise UserError(
            f"'{visible(name, 60)}' cannot be the name of a plugin: use up to 40 small letters, digits and "
            "single underscores, beginning with a letter, such as smile or places_365"
        )
    if name in RESERVED.get(kind, ()):
        raise UserError(
            f"no {WORDS[kind].noun} can be called '{name}', which leaves the choice to the checkpoint"
        )
    taken = [info for info in registry().infos(kind) if info.name == name]
    if taken:
        raise UserError(
            f"{taken[0].distribution} has a {WORDS[kind].noun} '{name}' already; choose another name"
        )
    if importlib.util.find_spec(f"ganstrata_{name}") is not None:
        raise UserError(f"a package ganstrata_{name} is installed already; choose another name")


def _write(folder: Path, files: dict[str, str]) -> None:
    """Write all files or none: into a folder beside the target, which is then renamed."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    part = Path(tempfile.mkdtemp(prefix=f".{folder.name}-", dir=folder.parent))
    try:
        for name, text in files.items():
            path = part / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8", newline="\n")
        part.chmod(0o755)
        part.rename(folder)
    finally:
        shutil.rmtree(part, ignore_errors=True)
