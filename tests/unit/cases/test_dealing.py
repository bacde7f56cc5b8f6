"""Whose turn it is in a queue."""

from hypothesis import given
from hypothesis import strategies as st

from services.cases.assignment import choose_member
from services.sla.schemas import MemberIn

NAMES = ["a", "b", "c", "d"]


@given(st.integers(1, 4), st.integers(0, 40))
def test_equals_take_turns_and_nobody_gets_two_more_than_another(size: int, count: int) -> None:
    members = [MemberIn(name=name) for name in NAMES[:size]]
    loads: dict[str, int] = {}
    for turn in range(count):
        chosen = choose_member(members, kind="help", loads=loads, turn=turn, away=set())
        assert chosen is not None
        loads[chosen] = loads.get(chosen, 0) + 1
    dealt = [loads.get(name, 0) for name in NAMES[:size]]
    assert max(dealt) - min(dealt) <= 1


@given(
    st.dictionaries(st.sampled_from(NAMES), st.integers(0, 5)),
    st.sets(st.sampled_from(NAMES)),
    st.integers(0, 9),
    st.sampled_from(["help", "complaint"]),
)
def test_the_chosen_one_is_there_able_and_the_least_loaded(
    loads: dict[str, int], away: set[str], turn: int, kind: str
) -> None:
    members = [
        MemberIn(name="a"),
        MemberIn(name="b", skills=["complaint"]),
        MemberIn(name="c", capacity=2),
        MemberIn(name="d"),
    ]
    able = [
        member.name
        for member in members
        if member.name not in away
        and (not member.skills or kind in member.skills)
        and loads.get(member.name, 0) < member.capacity
    ]
    chosen = choose_member(members, kind=kind, loads=loads, turn=turn, away=away)
    if not able:
        assert chosen is None
    else:
        assert chosen in able
        assert loads.get(chosen or "", 0) == min(loads.get(name, 0) for name in able)
