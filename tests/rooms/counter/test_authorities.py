"""An authority sees, and is asked for, the cases that reach its audience; no others."""

from dataclasses import replace
from datetime import date

import pytest

from circular.counter import queries
from circular.directory.rules import Clause, Rule, rule_to_json
from circular.evidence.actors import CLOCK
from circular.evidence.queries import entries_of
from circular.evidence.services import case_chain
from circular.people.models import Holding, Person, Post
from circular.people.roles import Role
from circular.workflow import services
from circular.workflow.models import Request
from circular.workflow.states import Channel
from counter_town import SignIn, Town, content, count, walk

STUDENTS = Rule((Clause(groups=frozenset({"student"})),))
TEACHERS = Rule((Clause(groups=frozenset({"teaching"})),))
CAMPUS = Rule((Clause(campuses=frozenset({"Centro"})),))
DEANS = ("delia", "theo", "rita")  # over students, over teachers, over everybody


@pytest.fixture
def deans(town: Town) -> Town:
    for name, group in zip(DEANS, ("student", "teaching", ""), strict=True):
        person = Person.objects.create(email=f"{name}@unimacizo.example", full_name=name.title())
        hold(person, post_of(name, group, town))
        town.people[name] = person
    return town


def post_of(name: str, group: str, town: Town) -> Post:
    post = Post.objects.create(
        code=f"decano-{name}",
        name=f"Decanato de {name}",
        role=Role.APPROVER,
        mailbox=f"decano-{name}@unimacizo.example",
    )
    services.name_authority(post.pk, group, by=town.actor("admin"))
    return post


def hold(person: Person, post: Post) -> None:
    Holding.objects.create(person=person, post=post, from_on=date(2020, 1, 1))


def approved(town: Town, rule: Rule) -> str:
    """Walk a request to these people until its authorities are asked."""
    pk = services.create_draft(
        replace(content(town, "Jornada de salud"), audience=dict(rule_to_json(rule))),
        by=town.actor("anna"),
        requester=town.people["anna"].pk,
        unit=town.units["salud"].pk,
        channel=Channel.WEB,
    )
    return walk(town, pk, "forwarded")


def who_is_asked(town: Town, number: str) -> set[str]:
    """Return the authorities in whose tray the case waits, and see that they alone may open it."""
    asked = set()
    for name in DEANS:
        reader = queries.reader_of(town.people[name].pk)
        owed = queries.duties_of(reader).filter(request__filing_number=number).exists()
        seen = queries.case_by_number(reader, number) is not None
        assert owed is seen, name
        if owed:
            asked.add(name)
    return asked


@pytest.mark.parametrize(
    ("rule", "asked"),
    [
        (STUDENTS, {"delia", "rita"}),
        (TEACHERS, {"theo", "rita"}),
        (Rule((*STUDENTS.clauses, *TEACHERS.clauses)), {"delia", "theo", "rita"}),
        (CAMPUS, {"delia", "theo", "rita"}),
    ],
    ids=["students", "teachers", "both", "everybody on a campus"],
)
def test_an_authority_is_asked_for_its_own_audience_alone(
    deans: Town, rule: Rule, asked: set[str]
) -> None:
    assert who_is_asked(deans, approved(deans, rule)) == asked


def test_an_authority_finds_nothing_of_another_audience(deans: Town, browser: SignIn) -> None:
    number = approved(deans, TEACHERS)
    delia = browser("delia")

    assert number not in delia.get("/bandeja").content.decode()
    assert delia.get(f"/e/{number}").status_code == 404
    assert delia.post(f"/e/{number}/actos/autorizar").status_code == 404


def test_who_has_consented_is_asked_no_more_and_still_finds_the_case(
    deans: Town, browser: SignIn
) -> None:
    number = approved(deans, STUDENTS)
    row = Request.objects.select_related("version").get(filing_number=number)
    assert row.version is not None

    answer = browser("delia").post(
        f"/e/{number}/actos/autorizar", {"seen_digest": row.version.digest}
    )

    assert answer.status_code == 302
    reader = queries.reader_of(deans.people["delia"].pk)
    assert not queries.duties_of(reader).filter(request=row).exists()
    assert queries.case_by_number(reader, number) is not None


def test_who_holds_two_posts_consents_in_the_one_that_is_asked(
    deans: Town, browser: SignIn
) -> None:
    hold(deans.people["theo"], Post.objects.get(code="decano-delia"))
    number = approved(deans, STUDENTS)
    row = Request.objects.select_related("version").get(filing_number=number)
    assert row.version is not None

    browser("theo").post(f"/e/{number}/actos/autorizar", {"seen_digest": row.version.digest})

    entry = entries_of(case_chain(row.pk))[-1]
    assert (entry.act, entry.by.post) == ("authorised", "decano-delia")


def test_an_erratum_asks_the_authorities_of_what_it_corrects(deans: Town) -> None:
    number = approved(deans, STUDENTS)
    first = Request.objects.select_related("version").get(filing_number=number)
    assert first.version is not None
    for name in ("delia", "rita"):
        services.authorise(
            first.pk, by=deans.actor(name), seen_digest=first.version.digest, post=None
        )
    for step in ("accepted", "sending", "sent"):
        walk_on(deans, first.pk, step)

    erratum = services.issue_erratum(first.pk, by=deans.actor("anna"))
    assert isinstance(erratum, int)
    corrected = replace(content(deans, "Fe de erratas"), audience=None)
    services.update_draft(erratum, corrected, by=deans.actor("anna"))

    assert who_is_asked(deans, walk(deans, erratum, "forwarded")) == {"delia", "rita"}


def walk_on(town: Town, pk: int, step: str) -> None:
    from counter_town import settle

    match step:
        case "accepted":
            services.accept(pk, by=town.actor("otto"))
        case "sending":
            services.start(pk, by=town.actor("otto"), accepted_count=count(pk))
        case _sent:
            settle(pk)
            services.mark_sent(pk, by=CLOCK)


def test_an_approver_without_an_audience_sees_no_case(deans: Town) -> None:
    number = approved(deans, STUDENTS)
    idle = Person.objects.create(email="idle@unimacizo.example", full_name="I. Dle")
    hold(
        idle,
        Post.objects.create(
            code="nadie", name="Nadie", role=Role.APPROVER, mailbox="nadie@unimacizo.example"
        ),
    )

    reader = queries.reader_of(idle.pk)

    assert queries.case_by_number(reader, number) is None
    assert not queries.duties_of(reader).exists()
