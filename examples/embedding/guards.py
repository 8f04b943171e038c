"""What the host runs as tasklets. They wait where they like; the host goes on with its frames."""

from __future__ import annotations

from collections.abc import Callable

import scheduler


def patrol(name: str, next_frame: Callable[[], int]) -> None:
    for place in ("gate", "tower"):
        frame = next_frame()  # C++ code that waits
        print(f"  {name} reaches the {place} in frame {frame}")


def obey(name: str, orders: scheduler.channel[str]) -> None:
    try:
        for order in orders:
            print(f"  {name} will {order}")
    finally:
        print(f"  {name} goes home")
