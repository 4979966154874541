"""Fills a database with accounts and with cases in every state, quickly: what `bench pages` reads.

One case per state is walked by the rooms' own services, with its letters, duties, totals and
entries; its rows are copied until there are as many cases as wanted, over two years and all units.

Known gaps: copies share the texts and the seals of their original, so their chains do not verify;
        of the people of copied mailings only the totals stand there. Letters are not sent.

Longer than 400 lines: one house is furnished in one place, and nothing else uses its parts.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

UNITS = 30
# How many of a thousand cases stand where; the rest is closed.
OPEN_PER_MILLE: Mapping[str, int] = {
    "draft": 5,
    "filed": 15,
    "in_review": 12,
    "returned": 10,
    "forwarded": 8,
    "accepted": 8,
    "scheduled": 10,
    "sending": 2,
    "paused": 2,
    "sent": 5,
    "told": 5,
    "confirmed": 8,
    "verified": 5,
    "external": 5,
    "rejected": 60,
    "cancelled": 40,
}
OVER = frozenset({"closed", "rejected", "cancelled"})
STEPS = (
    "filed",
    "in_review",
    "forwarded",
    "accepted",
    "sending",
    "sent",
    "told",
    "confirmed",
    "verified",
    "closed",
)
# Of each state that is not a step: the step before it.
BEFORE: Mapping[str, str] = {
    "returned": "in_review",
    "rejected": "in_review",
    "cancelled": "filed",
    "scheduled": "accepted",
    "paused": "sending",
    "external": "accepted",
}
# The posts by role; "requester" and "administrator" are no posts.
POSTS: Mapping[str, str] = {
    "communications": "Profesional universitario",
    "tic": "Operador de envíos",
    "process_owner": "Líder del proceso",
    "quality": "Responsable de calidad",
    "data_protection": "Oficial de protección de datos",
    "approver": "Vicerrector académico",
}
TEXT = "Cordial saludo:\n\n" + "Un párrafo de la circular, como los que hay. " * 30


@dataclass(slots=True)
class Town:
    """Who and what the measured pages are about."""

    people: dict[str, int] = field(default_factory=dict)  # by role
    requesters: list[int] = field(default_factory=list)
    units: list[int] = field(default_factory=list)
    sender: int = 0
    originals: dict[str, int] = field(default_factory=dict)  # requests by state
    numbers: dict[str, str] = field(default_factory=dict)  # filing numbers by state


def fill(cases: int, accounts: int) -> Town:
    """Make the house in an empty database."""
    from django.db import connection

    town = _town(accounts)
    for state in (*BEFORE, *STEPS, "draft"):
        _original(town, state)
    _copy_all(town, cases)
    # What autovacuum does by itself in a house that grows over years.
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE")
    return town


def _town(accounts: int) -> Town:
    from circular.config import seed
    from circular.config.configuration import (
        InstitutionSeed,
        PersonSeed,
        PostSeed,
        RelaySeed,
        Seed,
        SenderSeed,
        UnitSeed,
    )
    from circular.directory.services import import_accounts
    from circular.evidence.actors import SYSTEM
    from circular.people import queries as people

    units = [f"unidad-{number:02d}" for number in range(UNITS)]
    staff: list[tuple[str, str, tuple[str, ...], tuple[str, ...]]] = [
        *(("requester", f"solicitante-{unit}", (unit,), ()) for unit in units),
        *((role, role, (), (role,)) for role in POSTS),
        ("administrator", "administrator", (), ()),
    ]
    seed.fill_if_empty(
        Seed(
            institution=InstitutionSeed(name="Bench", short_name="Bench", domain="bench.example"),
            units=tuple(UnitSeed(code=unit, name=f"División {unit}") for unit in units),
            posts=tuple(
                PostSeed(code=role, name=name, role=role, mailbox=f"{role}@bench.example")
                for role, name in POSTS.items()
            ),
            people=tuple(
                PersonSeed(
                    email=f"{name}@bench.example",
                    full_name=name.replace("-", " ").title(),
                    administrator=role == "administrator",
                    units=at,
                    posts=posts,
                )
                for role, name, at, posts in staff
            ),
            senders=tuple(
                SenderSeed(unit=unit, display_name=unit, address=f"{unit}@bench.example")
                for unit in units
            ),
            relays=(RelaySeed(name="bench", host="relay.bench.example"),),
        )
    )
    lines = ["correo;nombres;apellidos;grupos;facultad;programa;sede"]
    groups = ("estudiante", "estudiante", "estudiante", "docente", "administrativo,docente")
    lines += [
        f"persona-{n}@bench.example;Ana María;Muñoz {n % 700};{groups[n % 5]}"
        f";Facultad {n % 7};Programa {n % 60};Sede {n % 4}"
        for n in range(accounts)
    ]
    import_accounts(
        "\n".join(lines).encode(), name="bench.csv", keep_good=True, confirm=True, by=SYSTEM
    )
    town = Town()
    for role, name, _at, _posts in staff:
        person = people.person_by_address(f"{name}@bench.example")
        assert person is not None
        town.people.setdefault(role, person.id)
        if role == "requester":
            town.requesters.append(person.id)
            town.units += [unit.id for unit in people.units_of(person.id)]
    town.sender = people.senders_of_unit(town.units[0])[0].id
    return town


def _original(town: Town, state: str) -> None:
    """Walk one case to a state with the services of the desk; the post office is played."""
    from circular.directory.rules import EVERYBODY, Clause, Rule, rule_to_json
    from circular.evidence.actors import Actor
    from circular.workflow import services
    from circular.workflow.acts import Figures
    from circular.workflow.content import Content
    from circular.workflow.models import Request
    from circular.workflow.states import Channel

    one = Rule((Clause(programmes=frozenset({"Programa 7"})),))
    anna = Actor.of(town.people["requester"])
    paula = Actor.of(town.people["communications"], "communications")
    otto = Actor.of(town.people["tic"], "tic")
    now = datetime.now(UTC)
    pk = services.create_draft(
        Content(
            sender=town.sender,
            subject="Jornada de salud y bienestar: horarios y sedes de noviembre",
            text=TEXT,
            audience=dict(rule_to_json(EVERYBODY if state == "sending" else one)),
            wanted_at=now + timedelta(days=4),
            reason="Los servicios son para todos.",
        ),
        by=anna,
        requester=anna.person,
        unit=town.units[0],
        channel=Channel.WEB,
    )
    town.originals[state] = pk
    if state == "draft":
        return
    goal = BEFORE.get(state, state)
    for step in STEPS[: STEPS.index(goal) + 1]:
        _step(town, pk, step)
    match state:
        case "returned":
            services.return_request(pk, by=paula, reason="Falta decir en qué fecha comienza.")
        case "rejected":
            services.reject(pk, by=paula, reason="No es institucional.", channel="La cartelera.")
        case "cancelled":
            services.cancel(pk, by=anna, reason="Ya no se hace.")
        case "scheduled":
            services.schedule(pk, by=otto, scheduled_at=now + timedelta(days=2))
        case "paused":
            services.pause(pk, by=otto)
        case "external":
            proof = services.attach(
                pk, name="reporte.csv", media_type="text/csv", content=b"a;b\n", by=otto
            )
            services.declare_sent(
                pk,
                by=otto,
                figures=Figures(audience=60, accepted=57, refused=2, bounced=1),
                started_at=now - timedelta(hours=2),
                ended_at=now - timedelta(hours=1),
                documents=[proof],
            )
        case _step_itself:
            pass
    _answer(pk, state)
    town.numbers[state] = Request.objects.values_list("filing_number", flat=True).get(pk=pk) or ""


def _step(town: Town, pk: int, step: str) -> None:
    from circular.evidence.actors import CLOCK, Actor
    from circular.workflow import queries, services
    from circular.workflow.models import Request
    from circular.workflow.states import Verdict

    anna = Actor.of(town.people["requester"])
    paula = Actor.of(town.people["communications"], "communications")
    otto = Actor.of(town.people["tic"], "tic")
    row = Request.objects.select_related("version").get(pk=pk)
    digest = row.version.digest if row.version is not None else ""
    match step:
        case "filed":
            services.file_request(pk, by=anna)
        case "in_review":
            services.take(pk, by=paula)
        case "forwarded":
            services.send_test(pk, by=paula)
            services.sign_off(pk, by=anna, seen_digest=digest)
            services.approve(pk, by=paula, seen_digest=digest, seen_count=queries.count_of(row))
        case "accepted":
            services.accept(pk, by=otto)
        case "sending":
            services.start(pk, by=otto)
            _play_post_office(pk, settle=False)
        case "sent":
            _play_post_office(pk, settle=True)
            services.mark_sent(pk, by=CLOCK)
        case "told":
            services.confirm_to_communications(pk, by=otto)
        case "confirmed":
            services.confirm_to_requester(pk, by=paula)
        case "verified":
            services.verify(
                pk,
                by=paula,
                verdict=Verdict.POSITIVE,
                reasons=["totals_balance"],
                checks=[(True, "Los totales cuadran.")],
            )
        case _closed:
            services.close(pk, by=paula)


def _play_post_office(pk: int, *, settle: bool) -> None:
    """Move the recipients of a case, and write what happened to each: two thirds first, then all."""
    from django.db import connection

    from circular.evidence.actors import RELAY
    from circular.mailing.services import note_settled
    from circular.workflow.models import Request

    mailing = Request.objects.values_list("mailing_id", flat=True).get(pk=pk)
    assert mailing is not None
    with connection.cursor() as cursor:
        cursor.execute(
            "WITH moved AS (UPDATE mailing_recipient SET attempts = 1, next_try_at = NULL,"
            " state = CASE WHEN %(settle)s THEN 'accepted' WHEN id %% 500 = 0 THEN 'refused'"
            "  WHEN id %% 500 = 1 THEN 'bounced' WHEN id %% 5000 = 2 THEN 'in_doubt'"
            "  ELSE 'accepted' END,"
            " reason = CASE WHEN %(settle)s THEN '' WHEN id %% 500 = 0 THEN 'relay_refused'"
            "  WHEN id %% 500 = 1 THEN 'bounced' WHEN id %% 5000 = 2 THEN 'hung_up' ELSE '' END"
            " WHERE mailing_id = %(mailing)s AND state IN ('pending', 'in_doubt')"
            " AND (%(settle)s OR id %% 3 > 0) RETURNING id, state, reason)"
            " INSERT INTO outcomes_outcome (recipient_id, mailing_id, at, state, source, reason,"
            " code, enhanced, reply) SELECT id, %(mailing)s, now(), state, 'smtp', reason,"
            " CASE state WHEN 'refused' THEN 550 ELSE 250 END,"
            " CASE state WHEN 'refused' THEN '5.1.1' ELSE '2.0.0' END, 'queued' FROM moved",
            {"settle": settle, "mailing": mailing},
        )
    if settle:
        note_settled(mailing, by=RELAY)


def _answer(pk: int, state: str) -> None:
    """File an answer that came by mail; read, unless it is about a case in review."""
    from circular.evidence.actors import DOOR
    from circular.evidence.services import store_blob
    from circular.workflow import services
    from circular.workflow.models import Correspondence

    raw = f"From: alguien@bench.example\r\nSubject: Re: {state}\r\n\r\nGracias.\r\n".encode()
    services.file_correspondence(
        pk,
        raw_digest=store_blob(raw, media_type="message/rfc822"),
        message_id=f"<{state}@bench.example>",
        address="alguien@bench.example",
        subject=f"Re: {state}",
        text="Gracias.",
        person=None,
        at=datetime.now(UTC),
        by=DOOR,
    )
    if state != "in_review":
        Correspondence.objects.filter(request=pk, direction="in").update(read_at=datetime.now(UTC))


# ---- copies


def _copy_all(town: Town, cases: int) -> None:
    """Copy the originals: every id and reference moves by a stride of its copy, every time back."""
    from django.db import connection, transaction

    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(
            "CREATE TEMP TABLE plan (original bigint, stride bigint, back interval, number text,"
            " unit bigint, requester bigint) ON COMMIT DROP"
        )
        cursor.executemany(
            "INSERT INTO plan VALUES (%s, %s, make_interval(mins => %s), %s, %s, %s)",
            list(_plan(town, cases)),
        )
        cursor.execute(
            "CREATE TEMP TABLE letters ON COMMIT DROP AS SELECT id,"
            ' "case" AS original FROM mailing_mailing WHERE "case" IS NOT NULL'
        )
        cursor.execute(
            "CREATE TEMP TABLE chains ON COMMIT DROP AS"
            " SELECT c.id, coalesce(l.original, c.subject) AS original FROM evidence_chain c"
            " LEFT JOIN letters l ON c.kind = 'mailing' AND l.id = c.subject"
            " WHERE c.kind = 'case' OR l.id IS NOT NULL"
        )
        cursor.execute("ANALYZE")  # or the planner knows nothing of the tables that are joined
        for table, source, moved, said in (
            (
                "workflow_request",
                " WHERE t.id = plan.original",
                ("id", "version_id", "mailing_id"),
                {
                    "filing_number": "CASE WHEN t.filing_number IS NULL THEN NULL ELSE plan.number"
                    " END",
                    "unit_id": "plan.unit",
                    "requester_id": "plan.requester",
                    "idempotency_key": "NULL",
                },
            ),
            (
                "workflow_requestversion",
                " WHERE t.request_id = plan.original",
                ("id", "request_id"),
                {"subject": "t.subject || ' ' || plan.number"},
            ),
            ("workflow_duty", " WHERE t.request_id = plan.original", ("id", "request_id"), {}),
            (
                "workflow_correspondence",
                " WHERE t.request_id = plan.original",
                ("id", "request_id", "mailing_id"),
                {},
            ),
            (
                "workflow_attachment",
                " WHERE t.request_id = plan.original",
                ("id", "request_id"),
                {},
            ),
            ("mailing_mailing", ' WHERE t."case" = plan.original', ("id", "case"), {}),
            (
                "evidence_chain",
                ", chains WHERE chains.original = plan.original AND t.id = chains.id",
                ("id", "subject"),
                {},
            ),
            (
                "evidence_entry",
                ", chains WHERE chains.original = plan.original AND t.chain_id = chains.id",
                ("id", "chain_id"),
                {},
            ),
        ):
            cursor.execute(_copy(table, source, moved, said))


def _plan(town: Town, cases: int) -> Iterator[tuple[int, int, int, str, int, int]]:
    from django.db import connection

    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT greatest((SELECT max(id) FROM evidence_entry), (SELECT max(id) FROM"
            " mailing_mailing), (SELECT max(id) FROM workflow_duty)) + 1000"
        )
        row = cursor.fetchone()
    assert row is not None
    states = [state for state, count in OPEN_PER_MILLE.items() for _ in range(count)]
    states += ["closed"] * (1000 - len(states))
    year = datetime.now(UTC).year
    for copy in range(1, cases - len(town.originals) + 1):
        # A step that shares no factor with a thousand: states alternate instead of standing in rows.
        state = states[copy * 377 % 1000]
        minutes = copy * 1709
        back = 2880 + minutes % (700 * 1440) if state in OVER else minutes % (4 * 1440)
        at = copy % UNITS
        number = f"CIR-{year}-{len(town.originals) + copy:06d}"
        yield (
            town.originals[state],
            row[0] * copy,
            back,
            number,
            town.units[at],
            town.requesters[at],
        )


def _copy(table: str, source: str, moved: tuple[str, ...], said: Mapping[str, str]) -> str:
    from django.db import connection

    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT column_name, data_type FROM information_schema.columns"
            " WHERE table_schema = 'public' AND table_name = %s ORDER BY ordinal_position",
            [table],
        )
        columns = cursor.fetchall()
    values = []
    for name, kind in columns:
        value = f't."{name}"'
        if name in moved:
            value += " + plan.stride"
        elif kind == "timestamp with time zone":
            value += " - plan.back"
        values.append(said.get(name, value))
    names = ", ".join(f'"{name}"' for name, _kind in columns)
    return (
        f"INSERT INTO {table} ({names}) SELECT {', '.join(values)}"  # noqa: S608 - names of our own
        f" FROM plan, {table} t{source}"
    )
