"""The ledger: one append-only fact per thing that happened to one recipient."""
