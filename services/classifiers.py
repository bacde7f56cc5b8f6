"""The classifiers of this installation: those that come with the project, or fitted for its own embedding model.

`huiying train` and `huiying up` fit them where the shipped ones are for another model (supervision/training.py);
every process reads them once, when it is composed.
"""

from collections.abc import Callable
from pathlib import Path

import structlog

from services.cases import subjects
from services.understanding.classifier.model import Classifier, ModelDamaged
from services.understanding.danger import judge

log = structlog.get_logger(__name__)

FOLDER = "classifiers"


def fitted(var_dir: Path, file: str, read: Callable[[bytes], Classifier]) -> Classifier | None:
    """The classifier that was fitted here, None without one; a damaged file counts as none."""
    try:
        return read((var_dir / FOLDER / file).read_bytes())
    except FileNotFoundError:
        return None
    except (OSError, ModelDamaged) as error:
        log.error("classifier not readable", file=file, kind=type(error).__name__)
        return None


def subjects_of(var_dir: Path) -> Classifier:
    """What tells the subjects of cases for who has learned none of its own."""
    return fitted(var_dir, subjects.FILE, subjects.read) or subjects.shipped()


def use_danger(var_dir: Path) -> None:
    """Judge danger by what was fitted here, if anything was."""
    judge.use(fitted(var_dir, judge.FILE, judge.read))
