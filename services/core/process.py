"""What every process of an installation does first: files for its owner only, room for many connections."""

import contextlib
import os
import resource
from pathlib import Path

UMASK = 0o077
# One of these says that a folder is an installation's own. What is made under the umask needs no more; a folder of
# somebody else (an operator may name `/` or a home) keeps its mode, or others are shut out of what is theirs.
OWN_FILES = ("secret.key", "huiying.db", "running.lock")


def prepare(var_dir: Path) -> int:
    """Keep the data from other accounts of the machine and raise the limit of open files to what is allowed.

    Folders and files made by an earlier release are covered by the mode of `var_dir`. Returns how many files may be
    open.
    """
    os.umask(UMASK)
    var_dir.mkdir(parents=True, exist_ok=True)
    if any((var_dir / name).is_file() for name in OWN_FILES):
        with contextlib.suppress(PermissionError):  # a volume of somebody else's: its owner says who may read it
            var_dir.chmod(0o700)
    _soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    with contextlib.suppress(ValueError, OSError):
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    return resource.getrlimit(resource.RLIMIT_NOFILE)[0]
