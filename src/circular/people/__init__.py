"""Who somebody is, for which unit and in which post they act, and how they sign in."""
