"""The desk: a request and its life, from the draft to the closed case."""
