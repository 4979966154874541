"""The closing clerk: confirms, verifies, reminds and closes; nothing waits in silence."""
