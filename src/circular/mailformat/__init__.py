"""Pure e-mail formats: bytes in, frozen values out, and back; no framework, clock or socket."""
