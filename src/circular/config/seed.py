"""Fills an empty installation from `[seed]` of `circular.toml`, once, through the rooms' own services.

Every row is an entry in the archive like any other change, made by the system. An installation that
knows its institution is never touched again: what an office changed on a page stays changed.
"""

from dataclasses import asdict

from django.db import transaction
from django.utils import timezone

from circular.config.configuration import Seed
from circular.dispatch import services as dispatch
from circular.evidence.actors import SYSTEM
from circular.mailing import services as mailing
from circular.people import queries as people_queries
from circular.people import services as people
from circular.workflow import services as workflow
from circular.workflow.states import Stage


@transaction.atomic
def fill_if_empty(seed: Seed) -> bool:
    """Write the seed's rows into an installation that has no institution yet; say whether it did.

    Repeat:  nothing the second time
    """
    if seed == Seed() or not people_queries.is_empty():
        return False
    if seed.institution is not None:
        people.save_institution(asdict(seed.institution), by=SYSTEM)
    units = _units(seed)
    for sender in seed.senders:
        people.save_sender(
            None,
            unit=units[sender.unit],
            display_name=sender.display_name,
            address=sender.address,
            reply_to=sender.reply_to,
            by=SYSTEM,
        )
    for relay in seed.relays:
        dispatch.add_relay(**asdict(relay), by=SYSTEM)
    _people(seed, units)
    for witness in seed.witnesses:
        mailing.save_witness(**asdict(witness), by=SYSTEM)
    for limit in seed.time_limits:
        workflow.set_time_limit(
            Stage(limit.stage),
            urgent=limit.urgent,
            minutes=limit.minutes,
            remind_every_minutes=limit.remind_every_minutes,
            escalate_after=limit.escalate_after,
            by=SYSTEM,
        )
    return True


def _units(seed: Seed) -> dict[str, int]:
    """Save the units, those above first whatever their order; return their ids by code."""
    ids: dict[str, int] = {}
    waiting = list(seed.units)
    while waiting:
        unit = next((one for one in waiting if not one.parent or one.parent in ids), None)
        if unit is None:
            circle = ", ".join(one.code for one in waiting)
            raise ValueError(f"[seed.units] stand below themselves: {circle}")
        waiting.remove(unit)
        ids[unit.code] = people.save_unit(
            None,
            code=unit.code,
            name=unit.name,
            kind=unit.kind,
            parent=ids.get(unit.parent),
            mailbox=unit.mailbox,
            by=SYSTEM,
        )
    return ids


def _people(seed: Seed, units: dict[str, int]) -> None:
    today = timezone.localdate()
    posts = {
        post.code: people.save_post(
            None,
            code=post.code,
            name=post.name,
            role=post.role,
            mailbox=post.mailbox,
            unit=units.get(post.unit),
            by=SYSTEM,
        )
        for post in seed.posts
    }
    for person in seed.people:
        invited = people.invite_person(
            email=person.email,
            full_name=person.full_name,
            language=person.language,
            administrator=person.administrator,
            units=[units[code] for code in person.units],
            mailed=not person.password,
            by=SYSTEM,
        )
        if person.password:
            people.set_password(invited.person, person.password, by=SYSTEM)
        for code in person.posts:
            people.appoint(person=invited.person, post=posts[code], from_on=today, by=SYSTEM)
