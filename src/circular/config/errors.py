"""What the command line cannot do, in words for the person at the terminal."""


class CannotDoError(Exception):
    """The command cannot be done; the text says why and what to do."""
