"""Two tasklets meet at a channel: one brings a name, the other one waits for it."""

import scheduler


def greet(names: scheduler.channel[str]) -> None:
    print("waiting for a name")
    name = names.receive()  # the other tasklet gets its turn here
    print(f"Hello, {name}!")


def main() -> None:
    names = scheduler.channel[str]()
    scheduler.tasklet(greet)(names)  # queued, not yet running
    scheduler.tasklet(names.send)("world")
    print("nothing has run so far")
    scheduler.run()  # gives turns until nobody can go on


if __name__ == "__main__":
    main()
