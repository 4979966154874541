"""The post office: takes released mailings, leases batches, offers them to a relay, never decides content."""
