"""How moments, amounts and outcomes are said, in the language that is spoken now (`design/look.md`).

Needs an application context; outside a request it is used under `speaking(language)`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import date, datetime, timedelta
from functools import lru_cache
from typing import Any

import nh3
from babel.dates import format_date, format_datetime, format_timedelta
from babel.lists import format_list
from babel.numbers import format_decimal
from flask_babel import force_locale, get_locale, gettext, ngettext
from flask_babel import lazy_gettext as lazy
from markdown_it import MarkdownIt
from markupsafe import Markup

from coopmail.domain.audit import Matter
from coopmail.domain.ballot_list import shows_counts
from coopmail.domain.base import in_language
from coopmail.domain.calendar import BRUSSELS
from coopmail.domain.counting import Majority, ShareOf, TieRule, Verdict
from coopmail.domain.decisions import Decision
from coopmail.domain.poll_warnings import Caution, PollWarning
from coopmail.domain.polls import Audience, Ballot, Channel, Effect, Option, Outcome, Poll

_MARKDOWN = MarkdownIt("commonmark", {"html": False}).enable("table")
_TAGS = {
    "h3",
    "h4",
    "p",
    "ul",
    "ol",
    "li",
    "strong",
    "em",
    "a",
    "blockquote",
    "code",
    "br",
    "table",
    "thead",
    "tbody",
    "tr",
    "th",
    "td",
}


_SPOKEN: ContextVar[str | None] = ContextVar("spoken", default=None)
"""Asked for each mail several times, so it is not looked up in the request every time."""


@contextmanager
def speaking(language: str) -> Iterator[None]:
    """Say everything inside in that language."""
    before = _SPOKEN.set(language)
    try:
        with force_locale(language):
            yield
    finally:
        _SPOKEN.reset(before)


def language() -> str:
    """The language spoken now: `nl` or `en`."""
    return _SPOKEN.get() or ("en" if str(get_locale() or "nl").startswith("en") else "nl")


def moment(at: datetime) -> str:
    """A moment in full: "vrijdag 4 december 2026 om 17.00 uur"."""
    local = at.astimezone(BRUSSELS)
    if language() == "en":
        return format_datetime(local, "EEEE d MMMM y 'at' HH:mm", tzinfo=BRUSSELS, locale="en")
    return format_datetime(local, "EEEE d MMMM y 'om' HH.mm 'uur'", tzinfo=BRUSSELS, locale="nl")


def moment_short(at: datetime) -> str:
    """A moment for a subject: "vr 4 december, 17 uur"."""
    local = at.astimezone(BRUSSELS)
    if language() == "en":
        return format_datetime(local, "EEE d MMMM, HH:mm", tzinfo=BRUSSELS, locale="en")
    hour = "H" if local.minute == 0 else "H.mm"
    return format_datetime(local, f"EEE d MMMM, {hour} 'uur'", tzinfo=BRUSSELS, locale="nl")


def day(on: date) -> str:
    """A day in full: "vrijdag 4 december 2026"."""
    return format_date(on, "EEEE d MMMM y", locale=language())


def local_day(at: datetime) -> date:
    """The day of a moment in Brussels."""
    return at.astimezone(BRUSSELS).date()


def distance(at: datetime, now: datetime) -> str:
    """How far off a moment is: "over 3 dagen"."""
    off = at - now
    if abs(off) < timedelta(days=2):
        return format_timedelta(off, add_direction=True, locale=language())
    # Weeks are too coarse for a deadline: "over 11 dagen".
    return format_timedelta(off, granularity="day", threshold=31, add_direction=True, locale=language())


def names(several: Sequence[str]) -> str:
    """Names in a sentence: "Bibliotheek Duffel en Bibliotheek Lier"."""
    return format_list(several, locale=language())


def number(value: int) -> str:
    """A number with its thousands apart."""
    return format_decimal(value, locale="nl_BE" if language() == "nl" else "en_GB")


def euro(cents: int) -> str:
    """An amount excl. VAT, as in "€ 50.000,00 excl. btw"."""
    whole, part = divmod(abs(cents), 100)
    sign = "-" if cents < 0 else ""
    if language() == "en":
        return f"€{sign}{whole:,}.{part:02} excl. VAT"
    thousands = f"{whole:,}".replace(",", ".")
    return f"€\N{NO-BREAK SPACE}{sign}{thousands},{part:02} excl. btw"


def cost(option: Option, cents: int) -> str:
    """What an option costs, a year where it comes back every year."""
    return _a_year(language()).replace("#", euro(cents)) if option.cost_yearly else euro(cents)


@lru_cache
def _a_year(_language: str) -> str:
    return gettext("%(amount)s a year", amount="#")


def share(part: int, whole: int) -> str:
    """A share as a percentage, to one decimal."""
    if whole == 0:
        return "–"
    text = format_decimal(part * 100 / whole, "0.#", locale="nl_BE" if language() == "nl" else "en_GB")
    return f"{text}\N{NO-BREAK SPACE}%" if language() == "nl" else f"{text}%"


def said(row: object, field: str) -> str:
    """A text that staff wrote, in the language spoken now."""
    return in_language(row, field, language())


@lru_cache(maxsize=64)
def markdown(text: str) -> Markup:
    """Text that staff wrote, as html without scripts, pictures or markup of their own."""
    html = nh3.clean(
        _MARKDOWN.render(text), tags=_TAGS, attributes={"a": {"href"}}, url_schemes={"https", "http", "mailto"},
        link_rel="noopener noreferrer nofollow",
    )  # fmt: skip
    return Markup(html)  # noqa: S704 - nh3 has just cleaned it


def effect(poll: Poll) -> str:
    """What the outcome does, in a sentence."""
    return {
        Effect.BINDING: gettext("The outcome is binding: what is chosen will be carried out."),
        Effect.ADVICE: gettext("The outcome is advice: the group decides with your advice in hand."),
        Effect.CONSULTATION: gettext(
            "This is a consultation: your answer is heard, and nothing is decided by it alone."
        ),
    }[poll.effect]


def rule(poll: Poll) -> str:
    """How votes are counted, in a sentence or two."""
    counted = poll.rule
    fraction = f"{counted.share.numerator}/{counted.share.denominator}"
    of = {
        ShareOf.VALID: gettext("of the valid votes"),
        ShareOf.CAST: gettext("of all votes cast"),
        ShareOf.ELECTORATE: gettext("of all who may vote"),
    }[counted.share_of]
    text = {
        Majority.SIMPLE: gettext("The option with the most votes wins."),
        Majority.ABSOLUTE: gettext("More than half %(of)s is needed.", of=of),
        Majority.QUALIFIED: gettext("At least %(fraction)s %(of)s is needed.", fraction=fraction, of=of),
    }[counted.majority]
    if counted.quorum is not None:
        quorum = f"{counted.quorum.numerator}/{counted.quorum.denominator}"
        text += " " + gettext("The vote counts when at least %(quorum)s of all who may vote take part.", quorum=quorum)
    text += " " + (
        gettext("At equal votes it stays as it is: “%(option)s”.", option=option_label(poll, counted.status_quo))
        if counted.tie is TieRule.STATUS_QUO and counted.status_quo
        else gettext("At equal votes nothing is chosen.")
    )
    if poll.secret:
        text += " " + gettext(
            "Fewer than five votes do not count in a secret vote: an outcome would tell who chose what."
        )
    if poll.abstain_keys:
        text += " " + gettext("Abstentions count towards taking part, but are not valid votes.")
    return text


def option_label(poll: Poll, key: str) -> str:
    """What an option is called."""
    return said(next(option for option in poll.options if option.key == key), "label")


def marks(poll: Poll, keys: list[str] | tuple[str, ...]) -> str:
    """What a ballot says."""
    return " · ".join(option_label(poll, key) for key in keys)


def outcome(poll: Poll, result: Outcome) -> str:
    """The outcome in one sentence. A secret vote of too few has none, whatever its row says."""
    if result.cast and not shows_counts(poll, result.cast):
        return gettext("Fewer than five voted, which is too few for a secret vote: nothing is chosen.")
    if result.apart and not result.electorate:
        return gettext("No member was asked; what the others said stands apart.")
    if result.verdict is Verdict.CARRIED and result.winner is not None:
        votes, valid = result.tally[result.winner], result.cast - result.abstentions
        values = {"option": option_label(poll, result.winner), "votes": number(votes), "valid": number(valid)}
        text = {
            Effect.BINDING: gettext("“%(option)s” is chosen, with %(votes)s of %(valid)s valid votes.", **values),
            Effect.ADVICE: gettext("The advice is “%(option)s”, with %(votes)s of %(valid)s valid votes.", **values),
            Effect.CONSULTATION: gettext(
                "“%(option)s” was named most, in %(votes)s of %(valid)s valid votes.", **values
            ),
        }[poll.effect]
        return text + _by_rule(result)
    if result.verdict is Verdict.TIE:
        tied = gettext(" and ").join(f"“{option_label(poll, key)}”" for key in result.tied)
        return gettext("The vote is tied between %(options)s: nothing is chosen.", options=tied)
    return {
        Verdict.NO_BALLOTS: gettext("Nobody voted: nothing is chosen."),
        Verdict.NO_QUORUM: gettext("Too few took part for the vote to count: nothing is chosen."),
        Verdict.ALL_ABSTAINED: gettext("All who voted abstained: nothing is chosen."),
        Verdict.NO_MAJORITY: gettext("No option has the majority that was asked: nothing is chosen."),
    }[result.verdict]


def _by_rule(result: Outcome) -> str:
    """What is said where a tie was broken."""
    if not result.tied:
        return ""
    return " " + gettext("The vote was tied, and the rule published beforehand gives it to what stays as it is.")


def hidden_counts() -> str:
    """What became of the ballots of a secret vote in which too few voted."""
    return gettext("No ballot was opened, and none is kept.")


def turnout(poll: Poll, result: Outcome) -> str:
    """How many took part, in a sentence."""
    values = {"answered": number(result.answered_units), "units": number(result.units),
              "share": share(result.answered_units, result.units)}  # fmt: skip
    if result.apart:
        return _members_turnout(result, values)
    if poll.service_id is None and poll.audience == "group_seats":
        return gettext("%(answered)s of %(units)s seats voted (%(share)s).", **values)
    return gettext("%(answered)s of %(units)s organisations voted (%(share)s).", **values)


def _members_turnout(result: Outcome, values: dict[str, str]) -> str:
    """How many members took part where others were asked too."""
    if not result.units:
        return gettext("No member was asked.")
    return gettext("%(answered)s of %(units)s members voted (%(share)s).", **values)


def apart(result: Outcome) -> str:
    """How many were heard who have no vote, in a sentence; empty where none was asked."""
    if not result.apart:
        return ""
    answered, units = result.apart["answered"], result.apart["units"]
    return gettext(
        "Heard apart, without a vote: %(answered)s of %(units)s other organisations and persons answered (%(share)s).",
        answered=number(answered), units=number(units), share=share(answered, units),
    )  # fmt: skip


def listed_without_name(poll: Poll) -> str:
    """What is said beforehand where persons are asked who stand for no organisation."""
    if poll.effect is not Effect.CONSULTATION or poll.audience not in (Audience.WHOLE_FIELD, Audience.SAVED):
        return ""
    return gettext("Whoever answers for oneself, and for no organisation, is listed without a name.")


def letter(place: int) -> str:
    """By which an option is known in a bar and its table: a digit there would be read as a count."""
    return chr(ord("A") + place % 26)


def next_step(poll: Poll, result: Outcome) -> str:
    """What happens after an outcome: what was announced, unless nothing was chosen."""
    if (result.verdict is Verdict.CARRIED and shows_counts(poll, result.cast)) or (
        result.apart and not result.electorate
    ):
        return f"{effect(poll)}\n\n{said(poll, 'next_step')}"
    return gettext(
        "Nothing is chosen by this vote, so nothing changes because of it. %(group)s looks at how to go on,"
        " and you will hear about it.", group=poll.group.name,
    )  # fmt: skip


def poll_warning(found: PollWarning) -> str:
    """What there is to mind before a poll opens, in a sentence."""
    values = found.values
    quiet = values.get("name_en" if language() == "en" else "name_nl", "")
    return {
        Caution.SHORT: lambda: gettext(
            "The charter asks that a poll be open for %(least)s days; this one is for %(days)s.",
            least=values["least"], days=values["days"],
        ),
        Caution.QUIET_OPENING: lambda: gettext("The poll opens in a quiet period: %(name)s.", name=quiet),
        Caution.QUIET_CLOSING: lambda: gettext("The poll closes in a quiet period: %(name)s.", name=quiet),
        Caution.FREE_OPENING: lambda: gettext("The poll opens on a day that is no working day."),
        Caution.FREE_CLOSING: lambda: gettext("The poll closes on a day that is no working day."),
        Caution.NO_ENGLISH: lambda: gettext(
            "No English text for %(fields)s: whoever reads English gets the Dutch.",
            fields=", ".join(values["fields"]),
        ),
    }[found.caution]()  # fmt: skip


def closing(poll: Poll) -> str:
    """When a poll closed, and that it was earlier than announced where it was."""
    at = poll.closed_at or poll.closes_at
    if at < poll.closes_at:
        announced = moment(poll.closes_at)
        return gettext("Closed early, on %(at)s; announced was %(announced)s.", at=moment(at), announced=announced)
    return gettext("Closed on %(moment)s.", moment=moment(poll.closes_at))


def decision_title(decision: Decision) -> str:
    """What a decision is called; one of before there were titles has that of its poll."""
    return said(decision, "title") or (said(decision.poll, "title") if decision.poll else decision.number)


def meeting(decision: Any) -> str:
    """How many were in a meeting and how they voted, as far as it was recorded; empty where nothing was."""
    if decision.present is None:
        return ""
    there = ngettext("%(num)s person present", "%(num)s persons present", decision.present)
    if decision.votes_for is None:
        return there
    return gettext(
        "%(present)s: %(for_)s for, %(against)s against, %(abstained)s abstained", present=there,
        for_=number(decision.votes_for), against=number(decision.votes_against), abstained=number(decision.abstained),
    )  # fmt: skip


def votes(count: int) -> str:
    """A number of votes."""
    return ngettext("%(num)s vote", "%(num)s votes", count)


def answers(count: int) -> str:
    """A number of answers of those who have no vote."""
    return ngettext("%(num)s answer", "%(num)s answers", count)


def channel(found: Channel) -> str:
    """How a vote came, to stand behind "gave the vote"."""
    return {
        Channel.LINK: gettext("by personal link"),
        Channel.TELEPHONE: gettext("by telephone"),
        Channel.PAPER: gettext("on paper"),
    }[found]


def given(ballot: Ballot) -> str:
    """Who gave a vote, when, and where it did not come by link how, and who recorded it."""
    values = {"person": ballot.answered_by, "moment": moment(ballot.cast_at)}
    if ballot.channel is Channel.LINK or ballot.recorded_by is None:
        return gettext("Given by %(person)s on %(moment)s.", **values)
    return gettext(
        "Given by %(person)s %(channel)s on %(moment)s, and recorded by %(staff)s.",
        channel=channel(ballot.channel), staff=ballot.recorded_by.name, **values,
    )  # fmt: skip


def matter(found: Matter) -> str:
    """What waits for staff, in a sentence, by what stands before the first colon of its key.

    Its poll, unit and mail must be loaded. One whose kind has no words here, or that lost what they need, says the
    English that it was raised with.
    """
    detail = found.detail or {}
    values = {
        "poll": said(found.poll, "title") if found.poll else "", "unit": found.unit.name if found.unit else "",
        "name": "", "address": "", "reply": found.mail.reply if found.mail else "",
    } | {name: str(value) for name, value in detail.items()}  # fmt: skip
    if "day" in detail:
        values["day"] = day(date.fromisoformat(detail["day"]))
    to = (found.mail.contact or found.mail.staff) if found.mail else None
    if to is not None:
        values |= {"name": to.name, "address": to.email}
    words = str(MATTERS.get(found.key.partition(":")[0], ""))
    known = words and all(values.get(name) for name in re.findall(r"%\((\w+)\)s", words))
    return words % values if known else found.text


MATTERS = {
    "unit": lazy("Nobody can be reached for %(unit)s in the vote “%(poll)s”."),
    "mail": lazy("A mail to %(name)s (%(address)s) did not arrive: %(reply)s"),
    "announce": lazy("“%(poll)s” was closed %(days)s days late. Its outcome is counted and not yet mailed: look at it,"
                      " then announce it."),
    "reminder": lazy("The reminder of %(day)s for “%(poll)s” was not sent: the jobs did not run in time."),
    "close": lazy("The secret vote “%(poll)s” cannot be closed and counted: %(error)s It takes no answers any more. If"
                   " the key file can be put back it closes by itself; else withdraw it with a reason."),
    "poll-key": lazy("The secret vote “%(poll)s” takes no answers: %(error)s Have the key file put back; without it"
                      " the vote cannot be counted."),
    "poll-keys": lazy("The keys of secret votes that are over cannot be destroyed: their folder is not where"
                       " COOPMAIL_KEY_FOLDER says. If it was deleted for good, make an empty folder %(folder)s."),
    "destroy-key": lazy("The key file of a secret vote that is over cannot be destroyed: %(error)s"),
    "sender-refused": lazy("The mail relay refuses our sender, so the mails of %(campaign)s wait for an hour:"
                            " %(reason)s"),
    "relay-down": lazy("The mail relay has not worked for some minutes: %(reason)s"),
    "cancelled": lazy("The invitations to “%(poll)s” were cancelled (%(mails)s were taken back), and it is still open."
                       " Withdraw it too, if that was meant."),
    "handover": lazy("%(successor)s will not take over from %(name)s: somebody else is needed."),
    "contested": lazy("%(by)s contests the vote that we recorded for %(unit)s in “%(poll)s”: %(reason)s"),
}  # fmt: skip
"""By what a matter's key begins with."""


def wrap(text: str) -> str:
    """Plain text in columns, without more than one empty line in a row."""
    lines = "\n".join(wrap_line(line) for line in text.split("\n"))
    return tidy_lines(lines)


def tidy_lines(text: str) -> str:
    """Wrapped text without more than one empty line in a row, and none around it."""
    return (re.sub(r"\n{3,}", "\n\n", text) if "\n\n\n" in text else text).strip() + "\n"


_COLUMNS = 72
_INDENT = re.compile(r" {0,8}(?:[-•] )?")


def wrap_line(line: str) -> str:
    """A line of plain text in columns; one with the address of a page stays whole, a list hangs under its dash."""
    if len(line) <= _COLUMNS or "://" in line:
        return line.rstrip()
    indent = _INDENT.match(line)
    hang = " " * len(indent.group() if indent else "")
    lines, begin, room = [], 0, _COLUMNS
    while len(line) - begin > room:
        cut = line.rfind(" ", begin + (len(hang) if begin == 0 else 0) + 1, begin + room + 1)
        if cut < 0:  # a word longer than a line stays whole
            cut = line.find(" ", begin + room)
            if cut < 0:
                break
        lines.append(line[begin:cut].rstrip(" "))
        begin = cut + len(line[cut:]) - len(line[cut:].lstrip(" "))
        room = _COLUMNS - len(hang)
    return f"\n{hang}".join([*lines, line[begin:].rstrip()]) if line[begin:].strip() else f"\n{hang}".join(lines)
