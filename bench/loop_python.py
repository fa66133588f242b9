# SPDX-License-Identifier: Apache-2.0
"""asyncio and uvloop at the tasks of bench/loop.h and bench/posts.h, for whoever comes from there.

    loop_python.py asyncio|uvloop soon IN_FLIGHT COUNT | timers COUNT | loops COUNT |
                                  tasks COUNT | posts COUNT
"""
import asyncio
import random
import sys
import threading
import time


def sample(name, unit, value):
    print(f"{name}\t{unit}\t{value:.6g}")


def soon(loop, in_flight, count):
    left = count

    def again():
        nonlocal left
        if left == 0:
            loop.stop()
        else:
            left -= 1
            loop.call_soon(again)

    start = time.process_time_ns()
    for _ in range(in_flight):
        loop.call_soon(again)
    loop.run_forever()
    what = "1 in flight" if in_flight == 1 else "1,000 in flight"
    sample(f"call_soon to its callback, {what}", "ns", (time.process_time_ns() - start) / count)


def timers(loop, count):
    numbers = random.Random(1)
    left = count

    def fired():
        nonlocal left
        left -= 1
        if left == 0:
            loop.stop()

    start = time.process_time_ns()
    handles = [loop.call_later(0.001 + numbers.random() * 0.8, fired) for _ in range(count)]
    for handle in handles:
        if numbers.random() < 0.5:
            handle.cancel()
            left -= 1
    started = time.process_time_ns()
    time.sleep(0.9)
    begun = time.process_time_ns()
    loop.run_forever()
    end = time.process_time_ns()
    sample("1,000,000 timers: start, cancel half, fire the rest", "ns/timer",
           (started - start + end - begun) / count)


def loops(new_loop, count):
    start = time.process_time_ns()
    for _ in range(count):
        new_loop().close()
    sample("loop made and freed", "ns", (time.process_time_ns() - start) / count)


def tasks(loop, count):
    async def body():
        return 1

    async def main():
        for _ in range(count):
            await loop.create_task(body())

    start = time.process_time_ns()
    loop.run_until_complete(main())
    sample("a task made, run and finished", "ns", (time.process_time_ns() - start) / count)


def posts(loop, count):
    run = 0
    each = count // 4

    def count_one():
        nonlocal run
        run += 1
        if run == 4 * each:
            loop.stop()

    def produce():
        for _ in range(each):
            loop.call_soon_threadsafe(count_one)

    start, cpu = time.monotonic_ns(), time.process_time_ns()
    threads = [threading.Thread(target=produce) for _ in range(4)]
    for thread in threads:
        thread.start()
    loop.run_forever()
    wall = time.monotonic_ns() - start
    cpu = time.process_time_ns() - cpu
    for thread in threads:
        thread.join()
    sample("call_soon_threadsafe, 4 threads, wall", "ns/post", wall / (4 * each))
    sample("call_soon_threadsafe, 4 threads, CPU", "ns/post", cpu / (4 * each))


def main():
    which, task, *numbers = sys.argv[1:]
    numbers = [int(number) for number in numbers]
    if which == "uvloop":
        import uvloop
        new_loop = uvloop.new_event_loop
    else:
        new_loop = asyncio.SelectorEventLoop
    if task == "loops":
        loops(new_loop, *numbers)
        return
    loop = new_loop()
    {"soon": soon, "timers": timers, "tasks": tasks, "posts": posts}[task](loop, *numbers)
    loop.close()


main()
