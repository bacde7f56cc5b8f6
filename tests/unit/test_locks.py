"""Both runtimes are what their locks say, made from one Python 3.11, and every package in them finds what it asks for.

The locks are installed without pip's resolver, so nobody but these tests compares what the packages ask of each other.
"""

import subprocess
import tomllib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from importlib.metadata import Distribution, distributions
from pathlib import Path

import pytest
from packaging.markers import Marker, default_environment
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.tags import parse_tag, sys_tags
from packaging.utils import canonicalize_name

ROOT = Path(__file__).resolve().parents[2]
# Debian 12's, the oldest 3.11 in use; redis 4.6 asks for more there than on a later one.
PYTHON = "3.11.2"
# Their metadata end at 3.10. What they need is asked as under 3.10, or their conditions would ask for nothing.
DENY_PYTHON = {"rasa", "rasa-sdk"}
# bot/requirements.in says why.
AGAINST_THEIR_WORD = {"rasa: matplotlib", "sanic: multidict"}


@dataclass(frozen=True)
class Runtime:
    """An environment, the locks that it is made from and what they were made from."""

    folder: str
    locks: tuple[str, ...]
    roots: tuple[str, ...]
    deny_python: frozenset[str] = frozenset()
    against_their_word: frozenset[str] = frozenset()

    def installed(self) -> dict[str, Distribution]:
        """What the locks pin; what else a developer has put beside it is his own affair."""
        (site,) = (ROOT / self.folder / "lib").glob("python*/site-packages")
        found = {canonicalize_name(each.metadata["Name"]): each for each in distributions(path=[str(site)])}
        return {name: each for name, each in found.items() if name in self.pins()}

    def pins(self) -> dict[str, str]:
        lines = [line for lock in self.locks for line in wanted_lines(ROOT / lock)]
        return {canonicalize_name(name): version for name, _, version in (line.partition("==") for line in lines)}


def wanted_lines(file: Path) -> Iterator[str]:
    for line in file.read_text(encoding="utf-8").splitlines():
        wanted = line.split("#")[0].strip()
        if wanted:
            yield wanted


def our_own_wants() -> tuple[str, ...]:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    return (*project["dependencies"], *project["optional-dependencies"]["dev"])


SERVICE = Runtime(".venv", ("requirements.lock", "requirements-dev.lock"), our_own_wants())
BOT = Runtime(
    "bot/.venv",
    ("bot/requirements.lock",),
    tuple(wanted_lines(ROOT / "bot" / "requirements.in")),
    frozenset(DENY_PYTHON),
    frozenset(AGAINST_THEIR_WORD),
)
both = pytest.mark.parametrize("runtime", [SERVICE, BOT], ids=lambda runtime: runtime.folder)


def asked(distribution: Distribution, extra: str, python: str) -> Iterator[Requirement]:
    environment = default_environment()
    environment |= {"python_version": python.rpartition(".")[0], "python_full_version": python, "extra": extra}
    for text in distribution.requires or []:
        requirement = Requirement(text)
        marker: Marker | None = requirement.marker
        if marker is None or marker.evaluate({key: str(value) for key, value in environment.items()}):
            yield requirement


def unmet(
    installed: dict[str, Distribution], roots: Iterable[str], deny_python: frozenset[str]
) -> tuple[dict[str, str], set[str]]:
    """What is asked for and not there, as {"who: whom": why}, and the names that nobody asks for, from the roots on."""
    complaints: dict[str, str] = {}
    reached: set[tuple[str, str]] = set()
    waiting = [("the roots", Requirement(root)) for root in roots]
    while waiting:
        asker, requirement = waiting.pop()
        name = canonicalize_name(requirement.name)
        found = installed.get(name)
        if found is None or not requirement.specifier.contains(found.version, prereleases=True):
            complaints[f"{asker}: {name}"] = f"asks for {requirement}, has {found.version if found else 'none'}"
        if found is None:
            continue
        for extra in {"", *requirement.extras}:
            if (name, extra) not in reached:
                reached.add((name, extra))
                python = "3.10.13" if name in deny_python else PYTHON
                waiting += [(name, each) for each in asked(found, extra, python)]
    return complaints, set(installed) - {name for name, _ in reached}


@both
def test_a_runtime_runs_on_python_3_11_and_on_the_same_one_as_the_other(runtime: Runtime) -> None:
    asks = "import os, sys; print('%d.%d' % sys.version_info[:2], os.path.realpath(sys._base_executable))"
    this, service = (
        subprocess.run([ROOT / folder / "bin/python", "-c", asks], capture_output=True, text=True, check=True).stdout
        for folder in (runtime.folder, SERVICE.folder)
    )
    assert this.startswith("3.11 ")
    assert this == service


@both
def test_what_the_locks_pin_is_what_is_installed(runtime: Runtime) -> None:
    installed = {name: each.version.partition("+")[0] for name, each in runtime.installed().items()}
    assert installed == runtime.pins()


@both
def test_every_package_finds_what_it_asks_for_and_none_is_there_for_nothing(runtime: Runtime) -> None:
    complaints, idle = unmet(runtime.installed(), runtime.roots, runtime.deny_python)
    assert {who: why for who, why in complaints.items() if who not in runtime.against_their_word} == {}
    assert set(complaints) == runtime.against_their_word, "an exception that is none any more"
    assert idle == set()


@both
def test_every_package_agrees_with_python_3_11_but_those_that_are_named(runtime: Runtime) -> None:
    denying = {
        name
        for name, each in runtime.installed().items()
        if not SpecifierSet(each.metadata["Requires-Python"] or "").contains(PYTHON)
    }
    assert denying == runtime.deny_python


@both
def test_every_package_comes_as_a_wheel_for_this_python_and_none_needs_a_compiler(runtime: Runtime) -> None:
    here = set(sys_tags())
    for name, each in runtime.installed().items():
        tags = [line.removeprefix("Tag: ") for line in (each.read_text("WHEEL") or "").splitlines() if "Tag: " in line]
        assert any(parse_tag(tag) & here for tag in tags), f"{name} is no wheel for this Python: {tags}"
        # A wheel that a registry gives away names the oldest C library it runs with; one compiled here names none.
        assert not any(tag.endswith(("-linux_x86_64", "-linux_aarch64")) for tag in tags), f"{name} was compiled here"


def test_the_comparison_notices_a_package_that_is_missing_too_old_or_asked_for_by_nobody(tmp_path: Path) -> None:
    def record(name: str, version: str, *requires: str) -> None:
        folder = tmp_path / f"{name}-{version}.dist-info"
        folder.mkdir()
        lines = [f"Name: {name}", f"Version: {version}", *(f"Requires-Dist: {each}" for each in requires)]
        (folder / "METADATA").write_text("\n".join(["Metadata-Version: 2.1", *lines, ""]))

    record("plotter", "1.0", "drawing<2", 'arrays>=2; python_version < "3.11"', 'paper; extra == "print"')
    record("drawing", "2.5", 'lines; python_full_version <= "3.11.2"', 'ink; python_version < "3.11"')
    record("arrays", "1.9")
    record("forgotten", "3")
    installed = {each.metadata["Name"]: each for each in distributions(path=[str(tmp_path)])}

    complaints, idle = unmet(installed, ["plotter"], frozenset())
    assert set(complaints) == {"plotter: drawing", "drawing: lines"}
    assert idle == {"arrays", "forgotten"}

    complaints, idle = unmet(installed, ["plotter[print]==2.*"], frozenset({"plotter"}))
    wanted = {"the roots: plotter", "plotter: drawing", "plotter: arrays", "plotter: paper", "drawing: lines"}
    assert set(complaints) == wanted
    assert idle == {"forgotten"}
