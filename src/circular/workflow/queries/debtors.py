"""Who owes a case its next step, and where a reminder of it goes.

Rule 1: an office and an authority are reminded at the mailbox of their post, the requester at the
        mailbox that the request named.
"""

from dataclasses import dataclass

from circular.people import queries as people
from circular.people.roles import Role
from circular.workflow.facts import RequestFacts
from circular.workflow.models import Duty, Request


@dataclass(frozen=True, slots=True, kw_only=True)
class Debtor:
    """One mailbox that a reminder goes to; a mailbox that nobody noted is empty."""

    name: str
    mailbox: str
    language: str


def duty_due_first(request_id: int) -> Duty | None:
    """Return the open duty of a case that is due first."""
    rows = Duty.objects.filter(request=request_id, ended_at__isnull=True)
    return rows.order_by("due_at", "pk").first()


def debtors(row: Request, facts: RequestFacts, role: Role) -> tuple[Debtor, ...]:
    """Return who is reminded of what a role owes a case."""
    language = people.institution().language
    if role is Role.REQUESTER:
        requester = row.requester
        return (
            Debtor(
                name=row.contact_name or (requester.full_name if requester is not None else ""),
                mailbox=row.answer_to or (requester.email if requester is not None else ""),
                language=requester.language if requester is not None else language,
            ),
        )
    if role is Role.APPROVER:
        lacking = facts.authorities - facts.consents
        return tuple(
            Debtor(name=post.name, mailbox=post.mailbox, language=language)
            for post in people.posts_listed()
            if post.pk in lacking
        )
    office = people.post_for(role)
    if office is None:
        return ()
    return (Debtor(name=office.name, mailbox=office.mailbox, language=language),)
