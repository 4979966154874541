"""`python -m circular` is the `circular` command."""

from circular.config.cli import main

raise SystemExit(main())
