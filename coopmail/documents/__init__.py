"""Documents made out of plain values, and plain values out of documents. No subject is known here."""
