"""A sample university on this machine: its people and its mail server, played from outside.

The demo reaches Circular only as people do: by mail over SMTP and by pages over HTTP. An import
contract forbids it every room.
"""
