"""What can go wrong, one named class each.

Every class carries a sentence that says what to do. `CoopmailError` is what a page or a command catches:
anything else is a defect and is reported as one.
"""

from __future__ import annotations


class CoopmailError(Exception):
    """The root of all errors that a person can mend."""


class SettingError(CoopmailError):
    """An environment variable has a wrong value; the message names it and says what it wants."""


class CharterError(CoopmailError):
    """The charter file is unreadable or breaks its own rules; the message names the place."""


class PollFileError(CoopmailError):
    """A poll's TOML file cannot be used; the message names the entry and what it wants."""


class DatabaseError(CoopmailError):
    """The database is not the one that this installation expects."""


class ActionRefused(CoopmailError):
    """An act that the present state does not allow."""


class TransitionRefused(ActionRefused):
    """A poll cannot go from its present state to the one that was asked."""

    def __init__(self, subject: str, state: str, wanted: str) -> None:
        super().__init__(
            f"{subject} is already {state}." if state == wanted else f"{subject} is {state}; it cannot become {wanted}."
        )
        self.subject, self.state, self.wanted = subject, state, wanted


class PollNotOpen(ActionRefused):
    """An answer came before opening or after closing, or the poll was withdrawn. Nothing was recorded."""


class EmptyElectorate(ActionRefused):
    """A poll whose audience has no unit that may vote cannot be opened."""


class ChangedMeanwhile(ActionRefused):
    """Somebody else changed what this edit began from. Nothing was written: look at both, then save again."""


class UnknownSubject(CoopmailError):
    """A slug or id that names nothing."""


class LinkError(CoopmailError):
    """A personal link that opens nothing."""


class LinkUnreadable(LinkError):
    """The token is not one of ours: wrong form, wrong signature, or wrong kind."""


class LinkUnknown(LinkError):
    """The signature is right and no such link is on record."""


class LinkExpired(LinkError):
    """The link's validity has passed."""


class LinkRevoked(LinkError):
    """The link was taken back: its contact left, or another took over."""


class HeaderError(CoopmailError):
    """A mail header holds a character that could start another header; the mail is not sent."""


class RelayError(CoopmailError):
    """The relay did not take a mail: `code` is its reply (0 where there was none), `text` its words."""

    def __init__(self, code: int, text: str) -> None:
        super().__init__(f"{code} {text}".strip())
        self.code, self.text = code, text


class PassingFailure(RelayError):
    """This message may be accepted later (4xx, time-out)."""


class Interrupted(PassingFailure):
    """The relay broke off, or said nothing for too long, in the middle of this message; the connection is closed.

    It may be this message's fault: it is charged an attempt and waits, so that it does not hold up every other.
    """


class RelayDown(RelayError):
    """The relay itself is at fault (421, 454, connection, login): no message is blamed."""


class RecipientRefused(RelayError):
    """The relay refuses this recipient for good: a bounce."""


class MessageRefused(RelayError):
    """The relay refuses this message for good."""


class SenderRefused(RelayError):
    """The relay refuses our sender: the campaign pauses, no contact is blamed."""
