"""The archive: an append-only journal with hash chains, write-once blobs, and their export."""
