"""A sheet's rows beside what is known already: what an import would do. Pure: nothing is asked or written.

- An organisation is known by its code where the row has one that is known, else by its name (in capitals or not).
- An empty cell leaves what is there, and so does an organisation or a contact that is in no row.
- Rows that say different things about one subject are not both right: the later one is a fault.
- A row is taken whole or not at all.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from datetime import date
from typing import Any, NamedTuple

from coopmail.domain.contacts import Mode, address_key
from coopmail.domain.lines import compared
from coopmail.domain.organisation_periods import Periods, Take
from coopmail.domain.organisation_plan import Fields, Known, KnownOrganisation, Person, Plan, Said, Stand, Target
from coopmail.domain.organisation_sheet import FACTS, NEEDED, PERSON, Columns, Entry, Fault, Heading


def make_plan(columns: Columns, entries: Iterable[Entry], faults: Iterable[Fault], known: Known, today: date) -> Plan:
    """The plan of a sheet whose rows were read as `entries`, save those that have a fault."""
    good, found = list(entries), list(faults)
    while True:
        sheet = _Sheet(columns, known, today)
        wrong = [fault for entry in good for fault in sheet.take(entry)]
        wrong += sheet.lacking({fault.line for fault in wrong})
        lines = {fault.line for fault in wrong}
        found += wrong
        if not wrong:
            break
        good = [entry for entry in good if entry.line not in lines]  # what they said must not count either
    plan = Plan(unknown_columns=columns.unknown, faults=sorted(found, key=lambda fault: fault.place))
    sheet.fill(plan)
    return plan


class _Sheet:
    """The rows taken so far, by subject."""

    def __init__(self, columns: Columns, known: Known, today: date) -> None:
        self.columns, self.known, self.today = columns, known, today
        self.codes = {row.code: row for row in known.organisations if row.code is not None}
        self.names = {compared(row.name): row for row in known.organisations}
        self.of_known: dict[int, Target] = {}
        self.of_code: dict[str, Target] = {}
        self.of_name: dict[str, Target] = {}
        self.targets: dict[Target, None] = {}
        self.persons: dict[str, Person] = {}
        self.modes: dict[tuple[Person, Target], dict[str | None, tuple[Mode, int]]] = {}
        self.periods = Periods({}, today)
        self.pilots: dict[tuple[Target, str], None] = {}

    def take(self, entry: Entry) -> list[Fault]:
        """Take a row, or say why it cannot be."""
        found = self._target(entry)
        if isinstance(found, Fault):
            return [found]
        facts = dict(entry.facts)
        if found.known is not None and compared(facts.get(Heading.NAME, "")) == compared(found.known.name):
            facts.pop(Heading.NAME)
        person = self._person(entry) if entry.address else None
        if isinstance(person, Fault):
            return [person]
        faults = self._disagreements(found.said, facts, entry.line)
        takes = [self._period(found, service, entry) for service in entry.services]
        faults += [take for take in takes if isinstance(take, Fault)]
        if person is not None:
            faults += self._disagreements(person.said, entry.person, entry.line)
            faults += self._other_modes(person, found, entry)
        if not faults:
            self._write_down(entry, found, facts, person, [take for take in takes if isinstance(take, Take)])
        return faults

    def lacking(self, wrong: set[int]) -> list[Fault]:
        """Rows of new organisations of which no row says what an organisation needs."""
        return [
            Fault(line, self.columns.name(heading), "needed_for_new", {"organisation": target.name})
            for target in self.targets
            if target.known is None
            for heading in NEEDED
            if heading not in target.said
            for line in target.lines
            if line not in wrong
        ]

    def _target(self, entry: Entry) -> Target | Fault:
        code, name = entry.facts.get(Heading.CODE), entry.facts.get(Heading.NAME)
        by_code = self._find(code, self.of_code, self.codes) if code else None
        by_name = self._find(compared(name), self.of_name, self.names) if name else None
        if by_code is not None and by_name is not None and by_code is not by_name:
            return self._fault(entry, Heading.NAME, "name_taken", organisation=by_name.name, code=by_name.code or "–")
        if by_code is None and by_name is not None and code and by_name.code not in (None, code):
            return self._fault(entry, Heading.CODE, "code_differs", organisation=by_name.name, code=by_name.code or "")
        found = by_code or by_name
        if found is None:
            return Target(None) if name else self._fault(entry, Heading.CODE, "code_unknown")
        if found.known is not None and found.known.ended_on is not None:
            into = found.known.merged_into
            if into is not None:
                return self._fault(entry, Heading.NAME, "merged", organisation=found.known.name, into=into)
            return self._fault(entry, Heading.NAME, "ended", organisation=found.known.name)
        return found

    def _find(self, key: str, taken: dict[str, Target], known: Mapping[str, KnownOrganisation]) -> Target | None:
        if key in taken:
            return taken[key]
        row = known.get(key)
        return self.of_known.setdefault(row.id, Target(row)) if row is not None else None

    def _person(self, entry: Entry) -> Person | Fault:
        key, said = address_key(entry.address), entry.person
        known = self.known.contacts.get(key)
        person = self.persons.get(key) or Person(known, entry.address)
        if known is not None and known.left:
            return self._fault(entry, Heading.ADDRESS, "contact_left", contact=known.name)
        if known is not None and known.seated and said.get(Heading.FUNCTIONAL):
            return self._fault(entry, Heading.FUNCTIONAL, "functional_seated", contact=known.name)
        if known is None and Heading.CONTACT not in said and Heading.CONTACT not in person.said:
            return self._fault(entry, Heading.CONTACT, "contact_name_missing")
        if Heading.CONTACT in said and Heading.CONTACT in person.said:
            name, line = person.said[Heading.CONTACT]
            if name != said[Heading.CONTACT]:
                return self._fault(entry, Heading.CONTACT, "named_otherwise", name=name, line=line)
        return person

    def _period(self, target: Target, service: str, entry: Entry) -> Take | Fault:
        known = self.known.periods.of(target.known.id, service) if target.known is not None else []
        found = self.periods.find(target, service, known, entry.terms)
        if isinstance(found, str):
            return self._fault(entry, Heading.STARTS, found, service=service)
        other = self._disagreements(found.said, entry.terms, entry.line)
        return other[0] if other else found

    def _other_modes(self, person: Person, target: Target, entry: Entry) -> list[Fault]:
        said = self.modes.get((person, target), {})
        lines = [said[service][1] for service, mode in entry.modes.items() if said.get(service, (mode,))[0] is not mode]
        return [self._fault(entry, Heading.MODES, "contradicts", line=line) for line in lines[:1]]

    def _disagreements(self, said: Said, given: Mapping[Heading, Any], line: int) -> list[Fault]:
        return [
            Fault(line, self.columns.name(heading), "contradicts", {"line": said[heading][1]})
            for heading, value in given.items()
            if heading in said and said[heading][0] != value
        ]

    def _fault(self, entry: Entry, heading: Heading, reason: str, **values: str | int) -> Fault:
        return Fault(entry.line, self.columns.name(heading), reason, values)

    def _write_down(
        self, entry: Entry, target: Target, facts: Mapping[Heading, Any], person: Person | None, takes: list[Take]
    ) -> None:
        self.targets[target] = None
        target.lines.append(entry.line)
        _add(target.said, facts, entry.line)
        if target.known is None or Heading.NAME in facts:
            self.of_name.setdefault(compared(target.name), target)
        if target.code is not None:
            self.of_code.setdefault(target.code, target)
        for take in takes:
            self.periods.keep(take)
            _add(take.said, {Heading.STARTS: take.starts_on} if take.known is None else {}, entry.line)
            _add(take.said, entry.terms, entry.line)
        self.pilots.update(dict.fromkeys((target, service) for service in entry.pilots))
        if person is not None:
            self.persons[address_key(person.address)] = person
            _add(person.said, entry.person, entry.line)
            said = self.modes.setdefault((person, target), {})
            for service, mode in entry.modes.items():
                said.setdefault(service, (mode, entry.line))

    def fill(self, plan: Plan) -> None:
        """Put into a plan all that differs from what is known."""
        for target in self.targets:
            fields = _fields(target.said, FACTS, target.known)
            if target.known is None or fields:
                plan.organisations.append((target, fields))
                target.touched = True
        for person in self.persons.values():
            fields = _fields(person.said, PERSON, person.known)
            if person.known is not None and not person.known.confirmed:
                fields["confirmed"] = (False, True)
            if person.known is None or fields:
                plan.contacts.append((person, fields))
        plan.stands = list(self._stands(plan))
        for target, service, take in self.periods.kept():
            fields = take.fields()
            if fields:
                plan.takes.append((target, service, take, fields))
                target.touched = True
        for target, service in self.pilots:
            if target.known is None or (target.known.id, service) not in self.known.pilots:
                plan.pilots.append((target, service))
                target.touched = True
        plan.same = sum(not target.touched for target in self.targets)

    def _stands(self, plan: Plan) -> Iterator[Stand]:
        changed = {id(person) for person, _ in plan.contacts}
        for (person, target), said in self.modes.items():
            both = person.known is not None and target.known is not None
            rows = self.known.modes.get((person.known.id, target.known.id), {}) if both else {}  # type: ignore[union-attr]
            # Whoever is new to an organisation and of whom nothing is said votes: somebody must be asked.
            wanted = said or ({} if rows else {None: (Mode.VOTES, 0)})
            target.touched = target.touched or id(person) in changed
            for service, (mode, _) in wanted.items():
                if service not in rows or rows[service][1] is not mode:
                    target.touched = True
                    yield Stand(person, target, service, mode, rows.get(service))


def _add(said: Said, given: Mapping[Heading, Any], line: int) -> None:
    for heading, value in given.items():
        said.setdefault(heading, (value, line))


def _fields(said: Said, names: Mapping[Heading, str], known: NamedTuple | None) -> Fields:
    """The fields that become different; of something new, all that is said."""
    found = {names[heading]: (getattr(known, names[heading], None), value) for heading, (value, _) in said.items()}
    return {name: pair for name, pair in found.items() if known is None or pair[0] != pair[1]}
