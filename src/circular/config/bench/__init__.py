"""`circular bench`: our own sink relay, and a measured run of the sender against any relay."""
