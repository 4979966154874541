"""What the desk puts into the exported folder of a case."""


def register() -> None:
    """Register."""
