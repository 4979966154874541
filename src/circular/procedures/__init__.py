"""The procedures that come with the programme, one folder a code, one file a version."""
