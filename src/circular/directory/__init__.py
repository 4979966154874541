"""The card index: the institution's accounts, where they come from, and the audiences they form."""
