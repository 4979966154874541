"""The counter: the pages that show a whole case; it reads queries, calls services, holds no rules."""
