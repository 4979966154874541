"""What an office may change of the desk: limits, recesses, tolerance, authorities, urgent posts.

Every change is an entry on the house's chain; open duties keep the limit they were opened with.
"""

from datetime import date, time

from django.db import transaction
from django.utils import timezone

from circular.evidence.actors import Actor
from circular.evidence.chain import Fact
from circular.evidence.services import HOUSE, EntryDraft, append
from circular.workflow.acts import Act
from circular.workflow.models import (
    AudienceAuthority,
    DeskRules,
    Recess,
    Request,
    TimeLimit,
    UrgentPost,
)
from circular.workflow.procedure import ProcedureError, Slip
from circular.workflow.queries import house
from circular.workflow.services.desk import open_case
from circular.workflow.states import Stage, State


def _note(act: str, by: Actor, **facts: Fact) -> None:
    append(EntryDraft(chain=HOUSE, act=act, by=by, at=timezone.now(), facts=facts))


@transaction.atomic
def set_time_limit(
    stage: Stage,
    *,
    urgent: bool,
    minutes: int,
    remind_every_minutes: int,
    escalate_after: int,
    by: Actor,
) -> None:
    """Set the limit of a stage in one lane, in business minutes; it holds for duties to come."""
    TimeLimit.objects.update_or_create(
        stage=stage.value,
        urgent=urgent,
        defaults={
            "minutes": minutes,
            "remind_every_minutes": remind_every_minutes,
            "escalate_after": escalate_after,
        },
    )
    _note(
        "time_limit_set",
        by,
        stage=stage.value,
        urgent=urgent,
        minutes=minutes,
        remind_every_minutes=remind_every_minutes,
        escalate_after=escalate_after,
    )


@transaction.atomic
def add_recess(name: str, *, from_on: date, until_on: date, by: Actor) -> int:
    """Add days on which the institution does not work; the last one is included."""
    row = Recess.objects.create(name=name, from_on=from_on, until_on=until_on)
    _note(
        "recess_added",
        by,
        recess=row.pk,
        from_on=from_on.isoformat(),
        until_on=until_on.isoformat(),
    )
    return row.pk


@transaction.atomic
def remove_recess(recess_id: int, *, by: Actor) -> bool:
    """Take a recess out of the calendar."""
    removed, _ = Recess.objects.filter(pk=recess_id).delete()
    if removed:
        _note("recess_removed", by, recess=recess_id)
    return bool(removed)


@transaction.atomic
def set_desk_rules(
    *,
    count_tolerance_permille: int,
    require_sign_off: bool,
    filing_prefix: str,
    hours: tuple[tuple[time, time], tuple[time, time]],
    start_late_minutes: int = 120,
    by: Actor,
) -> None:
    """Set the tolerance of the count, whether a sign-off is needed, the prefix and the hours."""
    morning, afternoon = hours
    DeskRules.objects.update_or_create(
        pk=1,
        defaults={
            "count_tolerance_permille": count_tolerance_permille,
            "require_sign_off": require_sign_off,
            "start_late_minutes": start_late_minutes,
            "filing_prefix": filing_prefix,
            "morning_from": morning[0],
            "morning_until": morning[1],
            "afternoon_from": afternoon[0],
            "afternoon_until": afternoon[1],
        },
    )
    _note(
        "desk_rules_set",
        by,
        count_tolerance_permille=count_tolerance_permille,
        require_sign_off=require_sign_off,
        start_late_minutes=start_late_minutes,
        filing_prefix=filing_prefix,
        hours=[moment.isoformat() for span in hours for moment in span],
    )


@transaction.atomic
def follow_procedure(code: str, *, by: Actor) -> None:
    """Let the cases to come follow a procedure; those that are filed stay on theirs.

    Raises:  ProcedureError when no version of it was loaded
    """
    if not any(procedure.code == code for procedure in house.procedures()):
        raise ProcedureError(Slip.NOT_LOADED, found=code)
    DeskRules.objects.update_or_create(pk=1, defaults={"procedure_code": code})
    _note("procedure_followed", by, procedure=code)


def _renew_duties(by: Actor) -> None:
    """Bring the duties of approved cases in line with who has to consent now."""
    approved = Request.objects.filter(state=State.APPROVED.value).order_by("id")
    for request_id in approved.values_list("pk", flat=True):
        open_case(request_id, by=by).open_duties(Act.AUTHORISE)


@transaction.atomic
def name_authority(post: int, group: str, *, by: Actor) -> int:
    """Name a post that must consent before a group is written to (empty: any group)."""
    row, made = AudienceAuthority.objects.get_or_create(post_id=post, group=group)
    if made:
        _renew_duties(by)
        _note("authority_named", by, post=post, group=group)
    return row.pk


@transaction.atomic
def drop_authority(authority_id: int, *, by: Actor) -> bool:
    """Let a post's authority over a group end; what waited for it alone is owed by the desk again."""
    removed, _ = AudienceAuthority.objects.filter(pk=authority_id).delete()
    if removed:
        _renew_duties(by)
        _note("authority_dropped", by, authority=authority_id)
    return bool(removed)


@transaction.atomic
def name_urgent_post(post: int, *, by: Actor) -> None:
    """Let a post call cases urgent."""
    _, made = UrgentPost.objects.get_or_create(post_id=post)
    if made:
        _note("urgent_post_named", by, post=post)


@transaction.atomic
def drop_urgent_post(post: int, *, by: Actor) -> bool:
    """Let a post no longer call cases urgent."""
    removed, _ = UrgentPost.objects.filter(post_id=post).delete()
    if removed:
        _note("urgent_post_dropped", by, post=post)
    return bool(removed)
