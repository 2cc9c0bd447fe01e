"""Why a cell, a row or a whole sheet cannot be used, and what to do: each code in words.

One place for the page, in the language that is spoken there, and for the command, in English.
"""

from __future__ import annotations

from collections.abc import Mapping

from coopmail.domain.organisation_sheet import Fault, SheetRefused
from coopmail.forms.kind import lazy

WRONG: dict[str, str] = {
    "too_long": lazy("Keep this under %(limit)s characters."),
    "unseen": lazy("Remove the invisible characters: type the text again instead of pasting it."),
    "name_has_address": lazy("Type a name here, without an address of a page or of mail."),
    "kind_unknown": lazy("Write bibliotheek, cultuurcentrum, gemeenschapscentrum or andere."),
    "province_unknown": lazy("Write a Flemish province, or Brussel."),
    "language_unknown": lazy("Write nl or en."),
    "yes_or_no": lazy("Write ja or nee."),
    "no_whole_number": lazy("Write a whole number, such as 14000."),
    "too_many_people": lazy("Write at most %(limit)s inhabitants."),
    "no_amount": lazy("Write an amount in euro, such as 1.234,50."),
    "price_too_high": lazy("Write the price a year in euro: this one is too high."),
    "no_day": lazy("Write a day of the calendar, such as 31/12/2026."),
    "no_telephone": lazy("Write a telephone number in digits, such as 02 123 45 67."),
    "no_address": lazy("Write one e-mail address with an @, such as naam@bibliotheek.be, in ordinary letters."),
    "service_unknown": lazy('There is no service "%(service)s". Known: %(known)s.'),
    "mode_unknown": lazy("Write stemt or leest; for one service leest: Krantenarchief."),
    "mode_twice": lazy("This says both stemt and leest of the same: choose one."),
    "surplus": lazy("The row has %(number)s cells more than there are columns: look for a stray separator."),
    "name_missing": lazy("Write the name of the organisation, or its code."),
    "address_missing": lazy("Write the e-mail address of the contact."),
    "service_missing": lazy("Write which service is taken: the row has days, a contract or a price for it."),
    "ends_before_start": lazy("The last day lies before the first: mend one of the two."),
    "contradicts": lazy("Line %(line)s says otherwise: write the same on both, or leave one empty."),
    "name_taken": lazy("This is the name of %(organisation)s, which has the code %(code)s: mend the name or the code."),
    "code_differs": lazy("%(organisation)s has the code %(code)s: mend the code, or leave it empty."),
    "code_unknown": lazy("No organisation has this code yet: write its name too."),
    "merged": lazy("%(organisation)s merged into %(into)s: write that name, or its code."),
    "ended": lazy("%(organisation)s ended. Take that back on its page first, or leave the row out."),
    "contact_left": lazy("%(contact)s left. Take that back on the page of the contact first, or leave the row out."),
    "functional_seated": lazy("%(contact)s holds a seat, which a mailbox of several people cannot: write nee."),
    "contact_name_missing": lazy("Write the name of the contact: the address is not known yet."),
    "named_otherwise": lazy(
        "Line %(line)s calls the contact of this address %(name)s: write one name, or two addresses."
    ),
    "needed_for_new": lazy("%(organisation)s is not known yet: fill this in on one of its rows."),
    "periods_overlap": lazy("%(service)s is taken already in a part of these days: mend the first or the last day."),
}
"""Of a cell or a row."""
REFUSED: dict[str, str] = {
    "column_missing": lazy('The sheet has no column "%(column)s": add it, or name it so.'),
    "column_twice": lazy('The sheet has the column "%(column)s" twice: take one away, or name it otherwise.'),
}
"""Of a header."""
_SAVE_AS = lazy("Open it in your spreadsheet program, save it as CSV or XLSX, and send that file.")
UNREADABLE: dict[str, str] = {
    "binary_excel": lazy("The file is in Excel's binary format."),
    "cell_too_long": lazy("Line %(line)s has a cell of more than %(limit)s characters: shorten it, or look for a"
                          " quotation mark that is never closed."),
    "damaged": lazy("The file is damaged."),
    "empty": lazy("The file holds no table: put the names of the columns in the first row."),
    "encoding": lazy('The letters of this text file cannot be made out: save it as "CSV UTF-8".'),
    "encrypted": lazy("The file is protected with a password: save it without one."),
    "formula_without_value": lazy("Line %(line)s has a formula that was never worked out: open the file in your"
                                  " spreadsheet program, save it, and send it again."),
    "not_a_table": lazy("The file is no table."),
    "nul": lazy("Line %(line)s has a character that no text holds: save the table again as CSV or XLSX."),
    "old_excel": lazy("The file is in the format of Excel before 2007."),
    "open_document": lazy("The file is in the OpenDocument format."),
    "pdf": lazy("The file is a PDF: send the table that it was made from, saved as CSV or XLSX."),
    "quote_never_closed": lazy("On line %(line)s a quotation mark is opened and never closed: close it, or take it"
                               " away."),
    "too_big": lazy("The file is too large: divide the table over several files."),
    "too_big_unpacked": lazy("The file is too large once it is unpacked: copy the table into a new file without"
                             " pictures and formatting."),
    "too_many_cells": lazy("The table has more than %(limit)s cells: leave out columns, or divide it over several"
                           " files."),
    "too_many_columns": lazy("Line %(line)s has more than %(limit)s columns: leave out those that are not needed."),
    "too_many_rows": lazy("The table has more than %(limit)s rows: divide it over several files."),
    "web_page": lazy("The file is a web page or another text with mark-up, whatever its name says."),
}  # fmt: skip
"""Of a file; the codes are those of `documents.tables.REASONS`."""
_TO_BE_SAVED_ANEW = {"binary_excel", "damaged", "not_a_table", "old_excel", "open_document", "web_page"}


def fault(found: Fault) -> str:
    """Why a row cannot be used."""
    return str(WRONG[found.code]) % found.values


def refused(error: SheetRefused) -> str:
    """Why a sheet's header cannot be used."""
    return str(REFUSED[error.code]) % {"column": error.column}


def unreadable(reason: str, values: Mapping[str, int]) -> str:
    """Why a file is no table that can be used."""
    said = str(UNREADABLE[reason]) % values
    return f"{said} {_SAVE_AS}" if reason in _TO_BE_SAVED_ANEW else said
