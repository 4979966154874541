"""A sans-IO SMTP client: bytes in, events out, every recipient settled exactly once.

Usable alone: nothing here knows Django or a database. `protocol.Conversation` is the core,
`session.Session` the only socket.
"""
