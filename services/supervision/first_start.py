"""What an empty installation gets: the demo city, the starter knowledge base, one account per role, and one for each
person whom the city names for tip-offs."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import knowledge_base
from knowledge_base import import_file
from services.accounts import service as accounts
from services.accounts.passwords import generated
from services.accounts.schemas import NewAccount
from services.appointments import service as appointments
from services.cases import service as cases
from services.citizens import service as citizens
from services.container import Container
from services.core.permissions import ROLES, account_roles, roles_with
from services.knowledge import service as knowledge
from services.menus import service as menus
from services.notifications import service as notifications
from services.retention import service as retention
from services.sla import service as sla

STARTER = Path(knowledge_base.__file__).resolve().parent / "starter"
ACTOR = "setup"


@dataclass(frozen=True)
class Account:
    """An account just made; its password is shown once and stored nowhere."""

    name: str
    role: str
    password: str


def prepare_data(container: Container, say: Callable[[str], None]) -> list[Account]:
    """Fill what is empty and leave the rest alone; returns the accounts that were made."""
    now = container.clock.now()
    with container.database.unit_of_work() as uow:
        if not sla.departments(uow):
            sla.apply_city(uow, container.city_dir, now)
            appointments.apply_city(uow, container.city_dir, now)
            citizens.apply_city(uow, container.city_dir, now)
            retention.apply_city(uow, container.city_dir, now)
            notifications.apply_city(uow, container.city_dir, now)
        if not menus.accounts(uow):
            menus.apply_menus(uow, container.city_dir, now)
        uow.commit()
    made = _make_accounts(container)
    with container.database.unit_of_work(read_only=True) as uow:
        problem = cases.tip_off_readers(uow).problem
        version = knowledge.active_version(uow)
        is_empty = not knowledge.find_entries(uow, "", None, 1, 0)[1]
    if problem is not None:
        say(problem)
    if is_empty:
        say("loading the starter knowledge base ...")
        _load_starter(container)
    # A version of an older release's format, or of another model, is of no use to this one.
    if version is None or not knowledge.is_usable(container.knowledge_root, version, container.embedder()):
        say("publishing the knowledge base (embeds every question and answer once) ...")
        container.publish_knowledge(actor=ACTOR)
    return made


def _make_accounts(container: Container) -> list[Account]:
    with container.database.unit_of_work(read_only=True) as uow:
        if accounts.has_accounts(uow):
            return []
        unable = cases.tip_off_readers(uow).unable
    made = [Account(role, role, generated()) for role in account_roles()]
    # Whoever the city names for tip-offs is there before the first one comes: with the narrowest role that can answer.
    roles = [role for role in roles_with("cases.work") if role in account_roles()]
    narrowest = min(roles, key=lambda role: len(ROLES[role].may))
    made += [Account(name, narrowest, generated()) for name in unable if name not in account_roles()]
    hashes = {one.name: container.passwords.made(one.password) for one in made}
    # All of them or none: a start that is broken off leaves no account whose password nobody has read.
    with container.database.unit_of_work() as uow:
        if accounts.has_accounts(uow):
            return []
        for account in made:
            new, now = NewAccount(account.name, account.role), container.clock.now()
            accounts.create_account(uow, new, hashes[account.name], actor=ACTOR, now=now)
        uow.commit()
    return made


def _load_starter(container: Container) -> None:
    for path in sorted(STARTER.glob("*.jsonl")):
        result = import_file(path)
        with container.database.unit_of_work() as uow:
            knowledge.store_import(uow, result, actor=ACTOR, now=container.clock.now())
            uow.commit()
