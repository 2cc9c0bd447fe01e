"""What can be done with a decision: write it, record it once, correct, withdraw, restore; a number is used once."""

from __future__ import annotations

import threading
from dataclasses import replace
from datetime import date, timedelta

import pytest
import sqlalchemy as sa
from sqlalchemy.orm import selectinload

from coopmail.actions import decisions, polls
from coopmail.actions.decisions import AlreadyRecorded, Document, Words
from coopmail.domain.audit import AuditRow
from coopmail.domain.decisions import Decision
from coopmail.domain.polls import Poll, PollState, Visibility
from coopmail.domain.staff import StaffMember, StaffRole
from coopmail.errors import ActionRefused, ChangedMeanwhile
from coopmail.parts import Parts
from tests.builders import Cooperative, build_poll
from tests.conftest import CLOSING, MONDAY, FrozenClock

REPORT = Document("verslag.pdf", "application/pdf", b"%PDF-1.7")
TODAY = date(2026, 11, 16)


@pytest.fixture
def words(cooperative: Cooperative) -> Words:
    """What the steering group decided today: nine present, seven for, one against, one abstention."""
    return Words(
        group_id=cooperative.group.id, decided_on=TODAY, title_nl="Fundels in alle bibliotheken",
        text_nl="Fundels komt in elke bibliotheek.", visibility=Visibility.PARTICIPANTS, grounds="Bespreking.",
        present=9, votes_for=7, votes_against=1, abstained=1,
    )  # fmt: skip


@pytest.fixture
def klaar(office: Parts) -> StaffMember:
    """Klaar Leroy of the staff."""
    with office.db.transaction() as (session, now):
        found = StaffMember(name="Klaar Leroy", email="klaar@x.example", email_key="klaar@x.example",
                            role=StaffRole.STAFF, created_at=now())  # fmt: skip
        session.add(found)
    return found


def record(office: Parts, words: Words, *documents: Document, actor: str = "staff") -> Decision:
    """Record a decision."""
    with office.db.transaction() as (session, now):
        return decisions.record_decision(session, now, words, documents, actor=actor)


def found(office: Parts) -> list[Decision]:
    """All decisions, the first one first."""
    with office.db.reading() as (session, _):
        every = sa.select(Decision).order_by(Decision.id).options(selectinload(Decision.documents))
        return list(session.scalars(every))


def acts(office: Parts) -> list[tuple[str, str, str, dict[str, object]]]:
    """What the record says of decisions."""
    with office.db.reading() as (session, _):
        rows = session.scalars(sa.select(AuditRow).where(AuditRow.act.contains("deci")).order_by(AuditRow.id))
        return [(row.act, row.actor, row.subject, row.detail) for row in rows]


def closed(office: Parts, cooperative: Cooperative, **changes: object) -> Poll:
    """A poll that is closed and announced."""
    with office.db.transaction() as (session, now):
        draft = build_poll(session, cooperative, closes_at=CLOSING, **changes)
        polls.open_poll(session, draft.id, now, office.basis)
        polls.close_poll(session, draft.id, now, office.basis, early=True)
        return draft


def test_a_decision_of_a_meeting_keeps_all_that_was_written_and_who_recorded_it(
    office: Parts, words: Words, klaar: StaffMember
) -> None:
    record(office, words, REPORT, actor=klaar.actor)
    (one,) = found(office)
    assert {name: getattr(one, name) for name in vars(words)} == vars(words)
    assert (one.number, one.poll_id, one.recorded_at, one.recorded_by_id) == ("2026-001", None, MONDAY, klaar.id)
    assert [(kept.name, kept.media_type, kept.size) for kept in one.documents] == [
        ("verslag.pdf", "application/pdf", 8)
    ]
    assert acts(office) == [
        ("decision-recorded", f"staff:{klaar.id}", f"decision:{one.id}",
         {"number": "2026-001", "group": words.group_id, "decided_on": "2026-11-16", "documents": ["verslag.pdf"]}),
    ]  # fmt: skip


def test_the_same_decision_recorded_again_adds_nothing_and_is_answered_with_the_first(
    office: Parts, words: Words, klaar: StaffMember
) -> None:
    first = record(office, words, REPORT)
    again = record(office, replace(words, title_nl=f" {words.title_nl} "), REPORT, actor=klaar.actor)
    assert (again.id, again.number) == (first.id, "2026-001")
    assert len(found(office)) == len(acts(office)) == 1


@pytest.mark.parametrize(
    "change", [{"votes_for": 8, "votes_against": 0}, {"text_nl": "Anders."}, {"visibility": Visibility.PUBLIC}]
)
def test_another_text_for_the_same_group_day_and_title_is_refused_and_names_the_decision_to_correct(
    office: Parts, words: Words, change: dict[str, object]
) -> None:
    record(office, words)
    with pytest.raises(AlreadyRecorded) as refused:
        record(office, replace(words, **change))  # type: ignore[arg-type]
    assert refused.value.number == "2026-001"
    with pytest.raises(AlreadyRecorded):
        record(office, words, REPORT)
    assert len(found(office)) == 1


def test_another_day_title_or_group_is_another_decision(office: Parts, words: Words) -> None:
    record(office, words)
    record(office, replace(words, decided_on=TODAY - timedelta(days=1)))
    record(office, replace(words, title_nl="Iets anders"))
    assert [one.number for one in found(office)] == ["2026-001", "2026-002", "2026-003"]


def test_numbers_are_of_the_year_in_which_it_was_decided(office: Parts, words: Words) -> None:
    record(office, replace(words, decided_on=date(2025, 12, 18)))
    record(office, words)
    record(office, replace(words, decided_on=date(2025, 3, 1)))
    assert [one.number for one in found(office)] == ["2025-001", "2026-001", "2025-002"]


def test_a_withdrawn_decision_keeps_its_number_and_the_next_gets_another(office: Parts, words: Words) -> None:
    first = record(office, words)
    with office.db.transaction() as (session, now):
        decisions.withdraw_decision(session, first.id, now, 1, "Dubbel ingevoerd.")
    record(office, words)
    assert [(one.number, one.withdrawal_reason) for one in found(office)] == [
        ("2026-001", "Dubbel ingevoerd."), ("2026-002", ""),
    ]  # fmt: skip


def test_two_at_once_in_a_year_without_a_decision_get_two_numbers(office: Parts, words: Words) -> None:
    numbers: list[str] = []
    begun = threading.Event()

    def second() -> None:
        begun.set()
        numbers.append(record(office, replace(words, title_nl="De tweede")).number)

    beside = threading.Thread(target=second)
    with office.db.transaction() as (session, now):
        decisions.record_decision(session, now, words)
        beside.start()
        assert begun.wait(10)
        beside.join(0.5)  # it waits for this transaction, however long we look
        assert numbers == []
    beside.join(30)
    assert numbers == ["2026-002"]
    assert [one.number for one in found(office)] == ["2026-001", "2026-002"]


def test_the_same_sent_by_eight_at_once_is_one_decision_and_eight_equal_answers(office: Parts, words: Words) -> None:
    numbers: list[str] = []
    start = threading.Barrier(8)

    def send() -> None:
        start.wait(10)
        numbers.append(record(office, words, REPORT).number)

    together = [threading.Thread(target=send) for _ in range(8)]
    for one in together:
        one.start()
    for one in together:
        one.join(60)
    assert numbers == ["2026-001"] * 8
    assert len(found(office)) == len(acts(office)) == 1


REFUSED = {
    "a day to come": ({"decided_on": TODAY + timedelta(days=1)},
                      "A decision is recorded after it was taken: the date lies in the future."),
    "no title": ({"title_nl": " "}, "A decision wants its title and its text in Dutch."),
    "no text": ({"text_nl": ""}, "A decision wants its title and its text in Dutch."),
    "more votes than persons": ({"present": 8}, "Votes for, against and abstentions go together, and are no more than"
                                " who was present."),
    "half a count": ({"abstained": None}, "Votes for, against and abstentions go together, and are no more than who"
                     " was present."),
    "votes without persons": ({"present": None}, "Votes for, against and abstentions go together, and are no more than"
                              " who was present."),
    "a negative number": ({"votes_against": -1}, "Persons and votes are counted from 0."),
}  # fmt: skip


@pytest.mark.parametrize(("change", "reason"), REFUSED.values(), ids=REFUSED.keys())
def test_what_cannot_be_is_refused_and_writes_nothing(
    office: Parts, words: Words, change: dict[str, object], reason: str
) -> None:
    with pytest.raises(ActionRefused) as refused:
        record(office, replace(words, **change))  # type: ignore[arg-type]
    assert str(refused.value) == reason
    assert (found(office), acts(office)) == ([], [])


def test_a_meeting_that_counted_no_votes_records_none(office: Parts, words: Words) -> None:
    record(office, replace(words, votes_for=None, votes_against=None, abstained=None))
    (one,) = found(office)
    assert (one.present, one.votes_for, one.votes_against, one.abstained) == (9, None, None, None)


def test_a_day_that_has_begun_in_brussels_is_not_in_the_future(office: Parts, words: Words, clock: FrozenClock) -> None:
    clock.move_to(MONDAY.replace(hour=23, minute=30))  # half past midnight in Brussels
    assert record(office, replace(words, decided_on=TODAY + timedelta(days=1))).decided_on == date(2026, 11, 17)


def test_correcting_keeps_what_stood_there_and_counts_the_version(
    office: Parts, words: Words, klaar: StaffMember
) -> None:
    first = record(office, words, REPORT)
    other = Document("aanwezig.csv", "text/csv", b"naam")
    with office.db.transaction() as (session, now):
        kept = session.get_one(Decision, first.id).documents[0].id
        decisions.correct_decision(
            session, first.id, now, 1, replace(words, text_nl="Beter gezegd.", votes_for=8, votes_against=0),
            added=[other], removed=[kept], actor=klaar.actor,
        )  # fmt: skip
    (one,) = found(office)
    assert (one.text_nl, one.votes_for, one.version, one.number) == ("Beter gezegd.", 8, 2, "2026-001")
    assert [kept.name for kept in one.documents] == ["aanwezig.csv"]
    assert acts(office)[1:] == [
        ("decision-corrected", klaar.actor, f"decision:{one.id}", {
            "before": {"text_nl": words.text_nl, "votes_for": 7, "votes_against": 1},
            "after": {"text_nl": "Beter gezegd.", "votes_for": 8, "votes_against": 0},
            "added": ["aanwezig.csv"], "removed": ["verslag.pdf"],
        }),
    ]  # fmt: skip


def test_saving_the_same_again_adds_nothing_whatever_version_was_read(office: Parts, words: Words) -> None:
    first = record(office, words)
    for _ in range(2):
        with office.db.transaction() as (session, now):
            new = replace(words, title_nl="Nieuw")
            decisions.correct_decision(session, first.id, now, 1, new, added=[REPORT])
    assert [(one.title_nl, one.version, len(one.documents)) for one in found(office)] == [("Nieuw", 2, 1)]
    assert [act[0] for act in acts(office)] == ["decision-recorded", "decision-corrected"]


def test_who_corrects_what_another_changed_meanwhile_is_told_and_overwrites_nothing(
    office: Parts, words: Words
) -> None:
    first = record(office, words)
    with office.db.transaction() as (session, now):
        decisions.correct_decision(session, first.id, now, 1, replace(words, title_nl="Van Klaar"))
    with pytest.raises(ChangedMeanwhile), office.db.transaction() as (session, now):
        decisions.correct_decision(session, first.id, now, 1, replace(words, title_nl="Van Jan"))
    assert [one.title_nl for one in found(office)] == ["Van Klaar"]


def test_making_a_decision_public_is_no_correction(office: Parts, words: Words) -> None:
    first = record(office, words)
    with office.db.transaction() as (session, now):
        decisions.correct_decision(session, first.id, now, 1, replace(words, visibility=Visibility.PUBLIC))
    assert acts(office)[1] == (
        "decision-visibility-changed", "staff", f"decision:{first.id}",
        {"before": {"visibility": "participants"}, "after": {"visibility": "public"}},
    )  # fmt: skip


def test_a_withdrawal_wants_a_reason_stands_beside_the_decision_and_can_be_undone(office: Parts, words: Words) -> None:
    first = record(office, words)
    with pytest.raises(ActionRefused), office.db.transaction() as (session, now):
        decisions.withdraw_decision(session, first.id, now, 1, " ")
    for _ in range(2):  # the second click
        with office.db.transaction() as (session, now):
            decisions.withdraw_decision(session, first.id, now, 1, " Verkeerde datum. ")
    (one,) = found(office)
    assert (one.withdrawn_at, one.withdrawal_reason, one.version) == (MONDAY, "Verkeerde datum.", 2)
    with pytest.raises(ActionRefused), office.db.transaction() as (session, now):
        decisions.correct_decision(session, first.id, now, 2, replace(words, title_nl="Nieuw"))
    for _ in range(2):
        with office.db.transaction() as (session, now):
            decisions.restore_decision(session, first.id, now, 2)
    (one,) = found(office)
    assert (one.withdrawn_at, one.withdrawal_reason, one.version) == (None, "", 3)
    assert [(act, detail) for act, _, _, detail in acts(office)[1:]] == [
        ("decision-withdrawn", {"reason": "Verkeerde datum."}), ("decision-restored", {"reason": "Verkeerde datum."}),
    ]  # fmt: skip


def test_a_withdrawn_decision_is_not_restored_beside_the_one_that_took_its_place(office: Parts, words: Words) -> None:
    first = record(office, words)
    with office.db.transaction() as (session, now):
        decisions.withdraw_decision(session, first.id, now, 1, "Fout.")
    record(office, words)
    with pytest.raises(AlreadyRecorded) as refused, office.db.transaction() as (session, now):
        decisions.restore_decision(session, first.id, now, 2)
    assert refused.value.number == "2026-002"


@pytest.mark.parametrize("visibility", list(Visibility))
def test_a_decision_on_a_poll_is_as_public_as_the_poll_and_has_its_title(
    office: Parts, cooperative: Cooperative, klaar: StaffMember, visibility: Visibility
) -> None:
    poll = closed(office, cooperative, visibility=visibility)
    with office.db.transaction() as (session, now):
        decisions.decide_poll(session, poll.id, now, " We stappen over. ", "We move.", "De uitslag.", actor=klaar.actor)
    (one,) = found(office)
    assert (one.number, one.title_nl, one.title_en) == ("2026-001", poll.title_nl, poll.title_en)
    assert (one.text_nl, one.text_en, one.grounds) == ("We stappen over.", "We move.", "De uitslag.")
    assert (one.visibility, one.decided_on, one.group_id) == (visibility, TODAY, poll.group_id)
    assert (one.recorded_at, one.recorded_by_id) == (MONDAY, klaar.id)
    assert acts(office) == [("poll-decided", klaar.actor, f"poll:{poll.id}", {"number": "2026-001"})]
    with office.db.reading() as (session, _):
        assert session.get_one(Poll, poll.id).state is PollState.DECIDED


def test_a_title_given_to_a_decision_on_a_poll_is_kept_and_not_joined_to_the_poll_s_english(
    office: Parts, cooperative: Cooperative
) -> None:
    poll = closed(office, cooperative)
    with office.db.transaction() as (session, now):
        decisions.decide_poll(session, poll.id, now, "We stappen over.", "", "De uitslag.", title_nl="Open platform")
    assert [(one.title_nl, one.title_en) for one in found(office)] == [("Open platform", "")]


def test_what_a_decision_has_from_its_poll_is_not_corrected_and_it_is_never_more_public(
    office: Parts, cooperative: Cooperative, words: Words
) -> None:
    poll = closed(office, cooperative, visibility=Visibility.PARTICIPANTS)
    with office.db.transaction() as (session, now):
        one = decisions.decide_poll(session, poll.id, now, "We stappen over.", "", "De uitslag.")
        session.flush()
        decisions.correct_decision(session, one.id, now, 1, replace(words, decided_on=date(2020, 1, 1)))
    (one,) = found(office)
    assert (one.title_nl, one.text_nl) == (words.title_nl, words.text_nl)
    assert (one.decided_on, one.present, one.votes_for, one.votes_against, one.abstained) == (TODAY, *[None] * 4)
    with pytest.raises(ActionRefused) as refused, office.db.transaction() as (session, now):
        decisions.correct_decision(session, one.id, now, 2, replace(words, visibility=Visibility.PUBLIC))
    assert str(refused.value) == "Its poll is not public, so the decision cannot be."
