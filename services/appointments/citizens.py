"""What a citizen does in a conversation, each step a transaction of its own; for the dialogue's actions."""

from collections.abc import Callable
from datetime import datetime

from services.appointments import service
from services.appointments.plan import load_plan
from services.appointments.schemas import AppointmentOut, AppointmentsFile, Opening, Person, WaitingOut
from services.citizens import service as citizens
from services.core.clock import Clock
from services.core.crypto import Secrets
from services.core.database import Database

Resolve = Callable[[str, str], str | None]


class CitizenDesk:
    """Books for the citizen of a conversation. `resolve` turns a placeholder of it back; all is synchronous.

    `seq` is the message's number in the conversation: the same message again has the same effect once.
    """

    def __init__(self, database: Database, secrets: Secrets, clock: Clock, resolve: Resolve) -> None:
        self._database = database
        self._secrets = secrets
        self._clock = clock
        self._resolve = resolve

    def rules(self) -> AppointmentsFile | None:
        """What can be booked; None where the city has no appointments."""
        with self._database.unit_of_work(read_only=True) as uow:
            plan = load_plan(uow)
        return plan.rules if plan else None

    def openings(self, name: str, hall: str) -> list[Opening]:
        with self._database.unit_of_work(read_only=True) as uow:
            return service.openings(uow, service=name, hall=hall, now=self._clock.now())

    def person(self, conversation_id: str, placeholder: str) -> Person | None:
        """The person whose mobile number the placeholder stands for; None when it is no mobile number."""
        number = self._resolve(conversation_id, placeholder) or ""
        is_mobile = len(number) == 11 and number.isascii() and number.isdigit() and number.startswith("1")
        return Person("phone", number) if is_mobile else None

    def mine(self, conversation_id: str) -> list[AppointmentOut]:
        with self._database.unit_of_work(read_only=True) as uow:
            return service.of_conversation(uow, self._secrets, conversation_id)

    def my_waiting(self, conversation_id: str) -> list[WaitingOut]:
        with self._database.unit_of_work(read_only=True) as uow:
            return service.waiting_of_conversation(uow, conversation_id)

    def needs_code(self, conversation_id: str, person: Person, name: str) -> bool:
        """Whether the phone has to be verified by a one-time code first."""
        with self._database.unit_of_work(read_only=True) as uow:
            return service.needs_code(
                uow,
                self._secrets,
                conversation_id=conversation_id,
                person=person,
                service=name,
                now=self._clock.now(),
            )

    def is_reminded(self, conversation_id: str) -> bool:
        """Whether this citizen asked to be reminded of appointments."""
        with self._database.unit_of_work(read_only=True) as uow:
            return "appointment" in citizens.choices(uow, conversation_id)

    def book(
        self, conversation_id: str, seq: int, person: Person, name: str, hall: str, start_at: datetime
    ) -> AppointmentOut:
        """Raises Refused."""
        return self._database.write(
            lambda uow: service.book(
                uow,
                self._secrets,
                key=f"chat:{conversation_id}:{seq}:book",
                person=person,
                service=name,
                hall=hall,
                start_at=start_at,
                now=self._clock.now(),
                conversation_id=conversation_id,
            )
        )

    def move(self, conversation_id: str, seq: int, no: str, start_at: datetime) -> AppointmentOut:
        """Raises Refused and NotFound."""
        return self._database.write(
            lambda uow: service.reschedule(
                uow,
                self._secrets,
                key=f"chat:{conversation_id}:{seq}:move",
                no=no,
                start_at=start_at,
                now=self._clock.now(),
                conversation_id=conversation_id,
            )
        )

    def cancel(self, conversation_id: str, seq: int, no: str) -> AppointmentOut:
        """Raises Refused and NotFound."""
        key = f"chat:{conversation_id}:{seq}:cancel"
        now = self._clock.now()
        return self._database.write(
            lambda uow: service.cancel(uow, self._secrets, key=key, no=no, now=now, conversation_id=conversation_id)
        )

    def wait(
        self, conversation_id: str, seq: int, person: Person, name: str, hall: str, first: datetime, last: datetime
    ) -> WaitingOut:
        """Stand in line for an hour that begins in [first, last). Raises Refused."""
        return self._database.write(
            lambda uow: service.join_waiting(
                uow,
                self._secrets,
                key=f"chat:{conversation_id}:{seq}:wait",
                person=person,
                service=name,
                hall=hall,
                from_at=first,
                until_at=last,
                now=self._clock.now(),
                conversation_id=conversation_id,
            )
        )

    def leave_waiting(self, conversation_id: str) -> int:
        now = self._clock.now()
        return self._database.write(lambda uow: service.leave_waiting(uow, conversation_id=conversation_id, now=now))
