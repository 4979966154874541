"""The doors: the only code that takes mail in. Each stores raw bytes durably, then says so."""
