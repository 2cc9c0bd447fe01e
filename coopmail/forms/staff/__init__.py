"""What staff may send in the console."""
