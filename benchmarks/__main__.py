"""``python -m benchmarks`` is ``semphy``."""

from __future__ import annotations

from benchmarks.cli.main import main

if __name__ == "__main__":
    main()
