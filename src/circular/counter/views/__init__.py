"""Entrances: parse, one call, draw. GET shows, only POST acts."""
