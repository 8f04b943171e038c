"""Two players pass a ball over two channels until one of them puts it away.

A player that waits costs nothing, and nobody waits for a turn in vain: the order of the strokes is
the order of the transfers, however long the game.
"""

import scheduler

Court = scheduler.channel[int]


def play(name: str, mine: Court, theirs: Court, strokes: int, log: list[str]) -> None:
    """Receives the number of strokes so far, adds one, and sends it back."""
    for count in iter(mine.receive, strokes):
        log.append(f"{name} {count + 1}")
        theirs.send(count + 1)
    log.append(f"{name} keeps the ball")


def main() -> None:
    log: list[str] = []
    left, right = Court(), Court()
    ping = scheduler.tasklet(play)("ping", left, right, 6, log)
    pong = scheduler.tasklet(play)("pong", right, left, 6, log)
    left.send(0)  # serve; this and the players' turns end when nobody can go on
    scheduler.run()
    print(*log, sep="\n")
    print("alive:", ping.alive, pong.alive)

    pong.kill()  # it still waits for the ball
    print("alive:", ping.alive, pong.alive)


if __name__ == "__main__":
    main()
