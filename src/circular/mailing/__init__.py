"""The composing room: what leaves the house is frozen content for frozen recipients."""
