"""The only IMAP client: reads witness mailboxes, never changes them."""
