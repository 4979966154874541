"""The scenarios of the fault run: what goes wrong, and how much of it at each size.

Numbers and figures are those of the fault table (docs/benchmarks.md). Each scenario names the
broken sender that it must catch; `broken=""` is the real one.
"""

import random
import signal
import subprocess
import time
from collections.abc import Callable
from dataclasses import dataclass

from faults.ground import Ground, House, TooSlowError, wait_until
from faults.judge import Judgement, judge


@dataclass(frozen=True, slots=True, kw_only=True)
class Size:
    """How much of everything: the reduced size is for every change, the full one for a release."""

    people: int
    times: int
    full: bool = False
    seed: int = 1


Play = Callable[[House, Size, str], Judgement]


@dataclass(frozen=True, slots=True, kw_only=True)
class Scenario:
    """One row of the fault table."""

    number: int
    title: str
    play: Play
    small: Size
    large: Size
    caught: str  # the broken sender that it must catch


SCENARIOS: dict[int, Scenario] = {}


def scenario(
    number: int, title: str, *, small: tuple[int, int], large: tuple[int, int], caught: str
) -> Callable[[Play], Play]:
    """Enter a scenario into the table; sizes are (people, times)."""

    def enter(play: Play) -> Play:
        SCENARIOS[number] = Scenario(
            number=number,
            title=title,
            play=play,
            small=Size(people=small[0], times=small[1]),
            large=Size(people=large[0], times=large[1], full=True),
            caught=caught,
        )
        return play

    return enter


CONNECTIONS, DEPTH = 3, 4
UNDER_WAY = CONNECTIONS * DEPTH  # of one process, one recipient a message


def run(ground: Ground, number: int, *, full: bool = False, broken: str = "") -> Judgement:
    """Play one scenario in an installation of its own; one that does not end is a problem too."""
    one = SCENARIOS[number]
    began = time.monotonic()
    with ground.house() as house:
        try:
            found = one.play(house, one.large if full else one.small, broken)
        except TooSlowError as slow:
            found = Judgement([str(slow)])
    found.figures["seconds"] = round(time.monotonic() - began, 1)
    return found


@scenario(
    1, "the sender is killed", small=(800, 5), large=(20_000, 100), caught="accepts_at_the_dot"
)
def killed_sender(house: House, size: Size, broken: str) -> Judgement:
    """SIGKILL at random moments; each time sending goes on by itself within 30 s."""
    dice = random.Random(size.seed)
    mail_class = "informativo" if broken else "oficial"
    # Some are killed while the far side still thinks: it hung up before, so it takes nothing.
    house.start_far(
        "--latency", "0.001", script='[[rule]]\nat = "dot"\nshare = 0.5\ndelay = 0.02\n'
    )
    mailing = house.release(
        size.people, connections=CONNECTIONS, depth=DEPTH, mail_class=mail_class
    )
    slowest = 0.0
    kills = 0
    for number in range(1, size.times + 1):
        before = house.taken()
        worker = house.real_worker() if size.full else house.worker(broken=broken)
        if number % 3 == 0:  # some die while they start
            time.sleep(dice.uniform(0.1, 3 if size.full else 0.3))
        else:
            slowest = max(slowest, house.wait_taken(before + 1, within=30))
            house.wait_taken(before + dice.randrange(size.people // (size.times + 1)))
            time.sleep(dice.uniform(0, 0.05))
        worker.kill()
        kills += 1
    house.worker(broken=broken)
    house.wait_settled(mailing, within=600 if size.full else 60)
    most = kills * UNDER_WAY
    # Official mail is offered once more; whoever is in doubt a second time is left to a person.
    found = judge(house, mailing, most_named=most, most_in_doubt=most)
    found.figures |= {"kills": kills, "slowest_restart": round(slowest, 2)}
    return found


@scenario(
    9,
    "the relay takes the dot and dies",
    small=(400, 20),
    large=(20_000, 200),
    caught="accepts_at_the_dot",
)
def dying_relay(house: House, size: Size, broken: str) -> Judgement:
    """Half of them with the message in its book, half without; all of them are named."""
    half = size.times // 2
    every = max(size.people // (2 * size.times), 1)
    script = "".join(
        f'[[rule]]\nat = "dot"\nhang = "before"\nstore = {store}\ntimes = 1\nskip = {every - 1}\n'
        for store in ("true", "false") * half
    )
    house.start_far(script=script)
    mailing = house.release(size.people, connections=CONNECTIONS, depth=1)
    house.worker(broken=broken)
    house.wait_settled(mailing, within=900 if size.full else 60)
    house.stop_far()
    # What was under way behind the dot that died is untried or in doubt as well.
    found = judge(house, mailing, most_in_doubt=size.times * 2)
    doubtful = {
        row[0]
        for row in house.ask("SELECT address FROM mailing_recipient WHERE state = 'in_doubt'")
    }
    took = {line["rcpt"] for line in house.took()}
    found.object_if(len(doubtful) < size.times, f"{len(doubtful)} in doubt, {size.times} dots died")
    found.figures |= {
        "doubts_taken": len(doubtful & took),
        "doubts_not_taken": len(doubtful - took),
    }
    return found


TRUTH_SCRIPT = """
[[rule]]
at = "rcpt"
share = 0.03
steady = true
reply = ["550-5.1.1 nobody here by that name,", "550 5.1.1 señor \u00e1\u00e9\u00ed"]
[[rule]]
at = "rcpt"
share = 0.02
steady = true
reply = "552 5.2.2 mailbox full for good"
[[rule]]
at = "rcpt"
share = 0.05
steady = true
each = 1
reply = ["450-4.2.0 a mailbox", "450-4.2.0 that is busy", "450 4.2.0 now"]
[[rule]]
at = "dot"
share = 0.01
steady = true
reply = "554 5.6.0 not this text"
[[rule]]
at = "dot"
share = 0.01
steady = true
each = 1
reply = "451 4.3.0 the disk is busy"
"""


@scenario(13, "mixed replies", small=(1000, 0), large=(20_000, 0), caught="refuses_the_deferred")
def mixed_replies(house: House, size: Size, broken: str) -> Judgement:
    """5 % 450, 3 % 550, 2 % 552 at RCPT, 1 % 4xx and 1 % 5xx after the dot, by a table of truth."""
    from circular.config.bench.manner import rules_of

    rules = rules_of(TRUTH_SCRIPT)
    refusing = [rules[0], rules[1], rules[3]]
    house.start_far("--seed", str(size.seed), script=TRUTH_SCRIPT)
    mailing = house.release(size.people, connections=CONNECTIONS, depth=DEPTH)
    addresses = [f"p{number}@faults.example" for number in range(size.people)]
    truth = {
        address: "refused"
        if any(rule.drawn(address, size.seed) < rule.share for rule in refusing)
        else "accepted"
        for address in addresses
    }
    house.worker(broken=broken)
    house.wait_settled(mailing, within=900 if size.full else 60)
    found = judge(house, mailing, truth=truth)
    words = house.ask(
        "SELECT count(*) FROM outcomes_outcome WHERE mailing_id = %s AND code = 550"
        " AND reply LIKE %s",
        mailing,
        "%nobody here by that name,%se\u00f1or \u00e1\u00e9\u00ed%",
    )
    refused_550 = sum(rules[0].drawn(address, size.seed) < 0.03 for address in addresses)
    found.object_if(words != [(refused_550,)], f"{words} replies whole, {refused_550} were said")
    return found


@scenario(
    2, "a kill at every system call", small=(20, 8), large=(20, 0), caught="offers_doubts_again"
)
def every_system_call(house: House, size: Size, broken: str) -> Judgement:
    """strace kills the sender at its n-th system call, n by n; one more sender ends the work.

    ``times`` 0 is every call until one run ends by itself.
    """
    # It takes the message first and says so slowly: whoever dies meanwhile left doubt.
    slowly = '[[rule]]\nat = "dot"\ndrip = 0.001\n'
    house.start_far(script=slowly)
    found = Judgement()
    kills = n = 0
    while size.full or kills < size.times:
        n += 1 if size.full else 11
        mailing = house.release(size.people, connections=1, depth=DEPTH, octets=1000)
        died = _killed_at(house, mailing, n, broken)
        if died:
            kills += 1
            helper = house.worker(broken=broken)
            house.wait_settled(mailing, within=40)
            helper.kill()
        one = judge(house, mailing, most_in_doubt=DEPTH)
        found.problems += [f"call {n}: {problem}" for problem in one.problems]
        house.stop_far()
        house.books.rename(house.folder / f"books.{n}")
        house.start_far(script=slowly)
        if not died:
            break
    found.figures |= {"kills": kills, "calls": n}
    return found


CALLS = "sendto,recvfrom,write,fdatasync,pwrite64,fsync"


def _killed_at(house: House, mailing: int, n: int, broken: str) -> bool:
    """Run a sender that dies at its n-th call in one of its threads; False when it had no n-th."""
    victim = house.worker(broken=broken, stopped=True)
    pid = victim.pid
    wait_until(lambda: _status(pid, "State") == "T", within=10, what="worker stops", every=0.005)
    words = ["strace", "-f", "-qq", "-p", str(pid), "-o", str(house.folder / "strace.out")]
    words += ["-e", f"trace={CALLS}", "-e", f"inject={CALLS}:signal=KILL:when={n}"]
    with subprocess.Popen(words, stderr=subprocess.DEVNULL) as tracer:
        wait_until(
            lambda: _status(pid, "TracerPid") not in ("", "0"),
            within=10,
            what="strace attaches",
            every=0.005,
        )
        victim.signal(signal.SIGCONT)
        wait_until(
            lambda: not victim.lives or house.is_settled(mailing),
            within=40,
            what="killed, or settled",
            every=0.02,
        )
        died = not victim.lives
        if not died:
            victim.kill()
        tracer.wait(timeout=20)
    return died


def _status(pid: int, name: str) -> str:
    try:
        with open(f"/proc/{pid}/status", encoding="ascii") as file:  # noqa: PTH123 - no pathlib in a hot loop
            return next(line.split()[1] for line in file if line.startswith(f"{name}:"))
    except (OSError, StopIteration):
        return ""


@scenario(
    3,
    "many senders, one of them frozen",
    small=(400, 4),
    large=(20_000, 8),
    caught="offers_doubts_again",
)
def many_senders(house: House, size: Size, broken: str) -> Judgement:
    """Senders started at once; the lease of one runs out while it is stopped, and it wakes again."""
    house.start_far("--latency", "0.002")
    mailing = house.release(size.people, connections=CONNECTIONS, depth=DEPTH)
    frozen = house.worker(broken=broken, lease=1.5)
    house.wait_taken(10)
    others = [house.worker(broken=broken, lease=1.5) for _ in range(size.times - 1)]
    frozen.signal(signal.SIGSTOP)
    house.wait_settled(mailing, within=900 if size.full else 60)
    frozen.signal(signal.SIGCONT)
    time.sleep(2)
    found = judge(house, mailing, most_in_doubt=UNDER_WAY)
    found.object_if(not all(one.lives for one in others), "a sender ended by itself")
    return found


@scenario(
    8,
    "421 after so many messages",
    small=(600, 50),
    large=(20_000, 2500),
    caught="refuses_the_untried",
)
def enough_for_one_connection(house: House, size: Size, broken: str) -> Judgement:
    """The relay closes each connection after `times` messages; that is nobody's failure."""
    house.start_far("--close-every", str(size.times))
    mailing = house.release(size.people, connections=CONNECTIONS, depth=DEPTH)
    house.worker(broken=broken)
    house.wait_settled(mailing, within=900 if size.full else 60)
    seen = house.stop_far()
    found = judge(house, mailing, truth=_everybody(size.people, "accepted"))
    most = size.people / size.times * 1.05 + CONNECTIONS
    connections = int(seen["connections"])
    found.object_if(connections > most, f"{connections} connections, at most {most:.0f}")
    found.figures["connections"] = connections
    return found


@scenario(14, "throttled", small=(150, 5), large=(2_000, 900), caught="refuses_the_deferred")
def throttled(house: House, size: Size, broken: str) -> Judgement:
    """The relay says 450 4.2.1 to everybody for `times` seconds; nobody is a bad address."""
    house.start_far(
        script=f"""
[[rule]]
at = "rcpt"
until = {size.times}
reply = "450 4.2.1 the user you are trying to contact is receiving mail too quickly"
"""
    )
    mailing = house.release(size.people, connections=CONNECTIONS, depth=DEPTH)
    if size.full:
        house.real_worker()
    else:
        house.worker(broken=broken)
    house.wait_settled(mailing, within=size.times + 600 if size.full else 60)
    seen = house.stop_far()
    found = judge(house, mailing, truth=_everybody(size.people, "accepted"))
    found.figures["tries_while_throttled"] = seen.get("rule_rcpt", 0)
    return found


@scenario(11, "a tarpit", small=(200, 1), large=(20_000, 1), caught="waits_for_ever")
def tarpit(house: House, size: Size, broken: str) -> Judgement:
    """One connection gets an octet now and then, one gets silence; the others go on."""
    house.start_far(
        script=f"""
[[rule]]
at = "rcpt"
skip = {size.people // 4}
times = 1
drip = 10.0
[[rule]]
at = "dot"
skip = {size.people // 3}
times = 1
hang = "silent"
store = false
"""
    )
    mailing = house.release(size.people, connections=CONNECTIONS, depth=1)
    house.worker(broken=broken, patience=3)
    house.wait_settled(mailing, within=120 if size.full else 15)
    return judge(house, mailing, most_in_doubt=2)


@scenario(
    4,
    "the database goes away",
    small=(600, 2),
    large=(20_000, 10),
    caught="forgets_when_the_database_is_away",
)
def database_gone(house: House, size: Size, broken: str) -> Judgement:
    """Immediate restarts, SIGKILL of the server, connections cut, all while sending."""
    house.start_far("--latency", "0.001")
    mailing = house.release(size.people, connections=CONNECTIONS, depth=DEPTH)
    house.worker(broken=broken, lease=5)
    share = size.people // (2 * size.times + 1)
    slowest = 0.0
    for number in range(2 * size.times):
        house.wait_taken(share * (number + 1) - share // 2, within=60 if size.full else 20)
        house.ground.restart(signal.SIGQUIT if number % 2 else signal.SIGKILL)
        if number % 2:
            house.ask(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                " WHERE datname = current_database() AND pid <> pg_backend_pid()"
            )
        before = house.taken()
        if before < size.people:
            slowest = max(slowest, house.wait_taken(before + 1, within=20))
    house.wait_settled(mailing, within=900 if size.full else 20)
    found = judge(house, mailing, most_in_doubt=2 * size.times * UNDER_WAY)
    found.figures["slowest_back"] = round(slowest, 2)
    return found


def _everybody(people: int, state: str) -> dict[str, str]:
    return {f"p{number}@faults.example": state for number in range(people)}
