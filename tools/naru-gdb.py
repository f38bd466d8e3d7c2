"""tools/naru-gdb.py: the fibers of a naru in gdb, of a core dump or of a living process. x86-64.

    gdb -x tools/naru-gdb.py build/naru CORE           or: gdb -p PID -x tools/naru-gdb.py
    (gdb) naru-ps              every fiber: number, world, label, what it waits for, since when, its stack, its trace
    (gdb) naru-bt 7            the backtrace of fiber 7; `frame 3`, `info locals` then speak of it
    (gdb) naru-bt all          of all
    (gdb) naru-bt              back to the thread

A parked fiber's registers lie on its own stack, where switch_stacks pushed them (src/rt/switch_x86_64.S). gdb cannot write
registers into a core dump, so an unwinder pretends that the thread's innermost frame was called from where the fiber parked.
"""
import re
import time

import gdb
import gdb.unwinder

STATES = ("ready", "running", "parked")
# What switch_stacks pushed, from the saved stack pointer on: 8 bytes of floating-point state, then these, then the return address.
SAVED = (("r15", 8), ("r14", 16), ("r13", 24), ("r12", 32), ("rbx", 40), ("rbp", 48), ("rip", 56))
SAVED_BYTES = 64
NEVER_NS = 2 ** 63 - 1
SCANNED_FIBERS_MAX = 2000              # a look at each whole stack takes time


def text(pointer, most=80):
    """A C string; '' for NULL and for memory that the core dump has not."""
    try:
        return pointer.string(errors="replace", length=-1)[:most] if int(pointer) else ""
    except gdb.error:
        return "?"


def text_of_str(view, most=60):
    """Our own borrowed text: at, len."""
    length = min(int(view["len"]), most)
    try:
        return bytes(gdb.selected_inferior().read_memory(int(view["at"]), length)).decode("utf-8", "replace") if length > 0 else ""
    except gdb.error:
        return "?"


def duration(ns):
    if ns < 0:
        return "-"
    for unit, size in (("d", 86400 * 10**9), ("h", 3600 * 10**9), ("m", 60 * 10**9), ("s", 10**9), ("ms", 10**6)):
        if ns >= size * (10 if unit in "dhm" else 1) or unit == "ms":
            return f"{ns // size}{unit}"


def is_alive():
    connection = getattr(gdb.selected_inferior(), "connection", None)
    return connection is not None and connection.type == "native"


def loops():
    """(thread, loop) of every thread that runs one."""
    before = gdb.selected_thread()
    found = []
    for thread in sorted(gdb.selected_inferior().threads(), key=lambda t: t.num):
        thread.switch()
        try:
            here = gdb.parse_and_eval("(struct loop *)loop_of_thread")
        except gdb.error as why:
            raise gdb.GdbError(f"thread {thread.num}: its loop cannot be read ({why}); is this naru, with its debug information?")
        if int(here):
            found.append((thread, here.dereference()))
    if before:
        before.switch()
    return found


class Fiber:
    def __init__(self, thread, loop, value):
        self.thread, self.loop, self.value = thread, loop, value
        self.state = STATES[int(value["state"])]
        self.label, self.why = text(value["label"]), text(value["why"])
        self.world = text_of_str(value["world"]["name"]) if int(value["world"]) else ""
        self.trace = int(value["trace"])
        self.high = int(value["stack"]) + gdb.lookup_type("struct stack").sizeof
        self.is_running = int(value.address) == int(loop["running"])

    def sp(self):
        return int(self.value["context"]["sp"])

    def waits_for(self):
        return "(running)" if self.is_running else "(ready)" if self.state == "ready" else self.why

    def since(self, alive):
        now = int(self.loop["now_ns"])
        if alive:                      # the loop looked at the clock when it last woke; the same clock stands here
            now = max(now, time.clock_gettime_ns(time.CLOCK_MONOTONIC))
        return duration(now - int(self.value["since_ns"])) if self.state == "parked" else "-"

    def used_now(self):
        return 0 if self.is_running else self.high - self.sp()

    def deepest(self, scan):
        """Bytes from the high end to the lowest that was ever written; memory that was given back counts no more."""
        deepest = max(int(self.value["depth_max"]), self.used_now())
        low = self.high - int(gdb.parse_and_eval("(long)STACK_BYTES"))
        inferior = gdb.selected_inferior()
        for page in range(low, self.high - deepest, 4096) if scan else ():
            try:
                content = bytes(inferior.read_memory(page, 4096))
            except gdb.MemoryError:    # never there, or not in the core dump
                continue
            if content.strip(b"\0"):
                return self.high - page - (len(content) - len(content.lstrip(b"\0")))
        return deepest


def fibers():
    """Every fiber, in the order in which their loops list them: the numbers that naru-ps shows."""
    found = []
    offset = next(f.bitpos // 8 for f in gdb.lookup_type("struct fiber").fields() if f.name == "all")
    pointer = gdb.lookup_type("struct fiber").pointer()
    for thread, loop in loops():
        try:
            end = int(loop["all"]["ends"].address)
            link = loop["all"]["ends"]["next"]
            while int(link) != end:
                found.append(Fiber(thread, loop, gdb.Value(int(link) - offset).cast(pointer).dereference()))
                link = link["next"]
        except gdb.MemoryError:
            gdb.write(f"The stacks of {int(loop['fiber_count']) - len(found)} fibers are not here. gdb's gcore leaves out mappings with "
                      "guard pages;\nlet the kernel write the core dump (ulimit -c unlimited; kill -ABRT), or attach: gdb -p PID.\n",
                      gdb.STDERR)
    return found


class FrameId:
    """What gdb wants to know a frame by (gdb.unwinder has one of its own since gdb 14)."""

    def __init__(self, sp, pc):
        self.sp, self.pc = gdb.Value(sp), gdb.Value(pc)


class Elsewhere(gdb.unwinder.Unwinder):
    """Says that the thread's innermost frame was called by the fiber's."""

    def __init__(self):
        super().__init__("naru-fiber")
        self.enabled = True
        self.sp = self.at = None

    def choose(self, fiber_sp):
        self.sp = None
        gdb.invalidate_cached_frames()
        if fiber_sp is not None:
            frame = gdb.newest_frame()
            self.at = (frame.pc(), int(frame.read_register("rsp")))
            self.sp = fiber_sp
            gdb.invalidate_cached_frames()

    def __call__(self, pending):
        if self.sp is None or self.at != (int(pending.read_register("rip")), int(pending.read_register("rsp"))):
            return None
        # The identity of the pretended frame: just below the fiber's, as that of a callee is.
        unwound = pending.create_unwind_info(FrameId(self.sp - 16, self.at[0]))
        word = gdb.lookup_type("unsigned long")
        for name, offset in SAVED:
            unwound.add_saved_register(name, gdb.Value(self.sp + offset).cast(word.pointer()).dereference())
        unwound.add_saved_register("rsp", gdb.Value(self.sp + SAVED_BYTES).cast(word))
        return unwound


elsewhere = Elsewhere()
gdb.unwinder.register_unwinder(None, elsewhere, replace=True)


class Ps(gdb.Command):
    """naru-ps: every fiber, what it waits for, since when, in which world, how deep its stack is (now / ever)."""

    def __init__(self):
        super().__init__("naru-ps", gdb.COMMAND_STACK)

    def invoke(self, argument, from_tty):
        all_of_them, alive = fibers(), is_alive()
        scan = len(all_of_them) <= SCANNED_FIBERS_MAX
        row = "{:>4} {:>6} {:<22} {:<22} {:<26} {:>7} {:>6} {:>6}  {}"
        print(row.format("N", "THREAD", "WORLD", "CONVERSATION", "WAITS FOR", "SINCE", "STACK", "EVER", "TRACE"))
        for number, f in enumerate(all_of_them):
            print(row.format(number, f.thread.num, f.world, f.label, f.waits_for(), f.since(alive), f.used_now(), f.deepest(scan),
                             f"{f.trace:016x}" if f.trace else "-"))
        print(f"{len(all_of_them)} fibers")


class Bt(gdb.Command):
    """naru-bt N: the backtrace of fiber N of naru-ps; naru-bt all; naru-bt alone goes back to the thread."""

    def __init__(self):
        super().__init__("naru-bt", gdb.COMMAND_STACK)

    def show(self, number, f):
        print(f"fiber {number}: {f.world} {f.label}, {f.waits_for()}")
        elsewhere.choose(None)
        f.thread.switch()
        if f.is_running:
            gdb.execute("backtrace")
            return
        elsewhere.choose(f.sp())
        frame, thread_frames = gdb.newest_frame(), 0
        while frame.pc() == elsewhere.at[0]:               # the thread's own, with what was inlined there
            frame, thread_frames = frame.older(), thread_frames + 1
        frame.select()
        for line in gdb.execute("backtrace", to_string=True).splitlines():
            number = re.match(r"#(\d+) ", line)
            if not number or int(number[1]) >= thread_frames:
                print(line)

    def invoke(self, argument, from_tty):
        all_of_them = fibers()
        if argument == "":
            elsewhere.choose(None)
            gdb.newest_frame().select()
            return
        if argument == "all":
            for number, f in enumerate(all_of_them):
                self.show(number, f)
            elsewhere.choose(None)
            return
        if not argument.isdigit() or int(argument) >= len(all_of_them):
            raise gdb.GdbError(f"naru-bt takes the number of a fiber, 0 to {len(all_of_them) - 1}, or all")
        self.show(int(argument), all_of_them[int(argument)])


Ps()
Bt()
