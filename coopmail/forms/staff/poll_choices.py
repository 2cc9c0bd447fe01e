"""What can be chosen when a poll is written, in words; lists and pages use the same ones."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from wtforms.fields.choices import SelectChoice  # type: ignore[attr-defined] # the stubs are of 3.2

from coopmail.domain.counting import Majority, ShareOf, TieRule
from coopmail.domain.polls import Audience, CostSharing, Effect, PollState, Visibility
from coopmail.forms.kind import lazy

STATES = {
    PollState.DRAFT: lazy("Draft"),
    PollState.OPEN: lazy("Open"),
    PollState.CLOSED: lazy("Closed"),
    PollState.DECIDED: lazy("Decided"),
    PollState.WITHDRAWN: lazy("Withdrawn"),
}
AUDIENCES = {
    Audience.SERVICE_MEMBERS: lazy("The members of a service"),
    Audience.GROUP_SEATS: lazy("The seats with a vote in the group that asks"),
    Audience.ALL_MEMBERS: lazy("All members"),
    Audience.SAVED: lazy("A saved audience"),
    Audience.WHOLE_FIELD: lazy("The whole field: members vote, all others are heard and counted apart"),
}
EFFECTS = {
    Effect.BINDING: lazy("Binding: what is chosen will be carried out"),
    Effect.ADVICE: lazy("Advice: the group decides with the advice in hand"),
    Effect.CONSULTATION: lazy("Consultation: answers are heard, nothing is decided by them alone"),
}
VISIBILITIES = {
    Visibility.PARTICIPANTS: lazy("Only those who are asked"),
    Visibility.PUBLIC: lazy("Everybody: it stands on the public pages"),
}
METHODS = {
    "choice": lazy("One option"),
    "approval": lazy("Every option that one can agree with"),
}
MAJORITIES = {
    Majority.SIMPLE: lazy("Simple: the option with the most votes wins"),
    Majority.ABSOLUTE: lazy("Absolute: more than half is needed"),
    Majority.QUALIFIED: lazy("Qualified: at least the share below is needed"),
}
SHARES_OF = {
    ShareOf.VALID: lazy("the valid votes, without abstentions"),
    ShareOf.CAST: lazy("all votes cast"),
    ShareOf.ELECTORATE: lazy("all who may vote"),
}
TIES = {
    TieRule.LEFT_OPEN: lazy("Nothing is chosen"),
    TieRule.STATUS_QUO: lazy("It stays as it is: the option so marked wins"),
}
SHARINGS = {
    CostSharing.NONE: lazy("Not shared"),
    CostSharing.EQUAL: lazy("In equal parts"),
    CostSharing.POPULATION: lazy("By number of inhabitants"),
}


def offer(choices: Mapping[Any, str]) -> list[SelectChoice]:
    """What a field offers: each value under its words."""
    return [SelectChoice(str(value), text) for value, text in choices.items()]
