"""Pages: the personal link's, the public ones, and the local mailbox."""
