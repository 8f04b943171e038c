"""Two producers, three consumers and one channel between them.

A channel stores nothing: a producer that is ahead waits until a consumer takes its item, so nothing
piles up. `scheduler.QueueChannel` is for those who would rather not wait.
"""

import scheduler

# What a producer makes.
Items = scheduler.channel[str]


def produce(items: Items, kind: str, count: int) -> None:
    for number in range(1, count + 1):
        items.send(f"{kind} {number}")


def consume(items: Items, name: str) -> None:
    taken = []
    for item in items:
        taken.append(item)
        scheduler.schedule()  # stands for work that lets others have their turn
    print(f"{name} took {', '.join(taken)}")


def close_down(items: Items, producers: list[scheduler.tasklet]) -> None:
    for producer in producers:
        producer.join()  # this tasklet waits for the end of that one
    print("all is produced")
    items.close(wake=True)  # the loops of the consumers end


def main() -> None:
    items = Items()
    producers: list[scheduler.tasklet] = [
        scheduler.tasklet(produce)(items, "ore", 4),
        scheduler.tasklet(produce)(items, "clay", 3),
    ]
    for name in ("smith", "potter", "baker"):
        scheduler.tasklet(consume)(items, name)
    scheduler.tasklet(close_down)(items, producers)
    scheduler.run()


if __name__ == "__main__":
    main()
