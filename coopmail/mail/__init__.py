"""Mail out: letters say what a mail holds, rendering makes its text, message its bytes, delivery hands it over."""
