"""The invented Universidad del Macizo: 2,000 accounts, 6 faculties, its offices; always the same.

Units:  the seed is fixed, so every run on every machine makes the same people.
Source:  names are common Colombian given names and surnames, combined at random.
"""

import csv
import io
import random
import unicodedata
from dataclasses import dataclass

DOMAIN = "unimacizo.example"
SEED = 20260323  # any number; fixed so that two demos tell the same story
ACCOUNTS = 2000

FACULTIES: dict[str, tuple[str, ...]] = {
    "Ciencias de la Salud": ("Medicina", "Enfermería", "Fisioterapia", "Fonoaudiología"),
    "Ingeniería": ("Ingeniería Civil", "Ingeniería de Sistemas", "Ingeniería Ambiental"),
    "Ciencias Agrarias": ("Ingeniería Agropecuaria", "Ingeniería Forestal", "Agroindustria"),
    "Derecho y Ciencias Políticas": ("Derecho", "Ciencia Política", "Comunicación Social"),
    "Ciencias Contables y Económicas": ("Contaduría Pública", "Economía", "Administración"),
    "Artes y Educación": ("Licenciatura en Música", "Diseño Gráfico", "Licenciatura en Lenguas"),
}
CAMPUSES = ("Centro", "Norte", "Valle")
OFFICES = (
    "División de Salud y Bienestar",
    "División Financiera",
    "División de Talento Humano",
    "Biblioteca",
    "Registro Académico",
    "Rectoría",
)
GIVEN_NAMES = (
    "Luz Marina", "María Fernanda", "Valentina", "Daniela", "Laura Sofía", "Juliana", "Natalia",
    "Ana Milena", "Diana Carolina", "Paola Andrea", "Yuliana", "Sandra Patricia", "Leidy Johana",
    "Karen Dayana", "Angie Lorena", "Mónica", "Adriana", "Camila", "Sara Lucía", "Isabela",
    "Juan David", "Andrés Felipe", "Carlos Arturo", "Jhon Jairo", "Santiago", "Sebastián",
    "Diego Alejandro", "Óscar Iván", "Luis Fernando", "Jorge Eliécer", "Miguel Ángel", "Nicolás",
    "Brayan Stiven", "Cristian Camilo", "Édgar", "Germán", "Hernán Darío", "Iván", "José Manuel",
    "Samuel", "Tomás", "Wilson", "Yeison", "Álvaro", "Esteban",
)  # fmt: skip
SURNAMES = (
    "Muñoz", "Rodríguez", "Gómez", "Ordóñez", "Campo", "Hoyos", "Velasco", "Guevara", "Bolaños",
    "Chantre", "Sandoval", "Zúñiga", "Fernández", "Martínez", "Pérez", "Ibarra", "Medina", "Ruiz",
    "Trujillo", "Quintero", "Orozco", "Castrillón", "Cerón", "Daza", "Embus", "Imbachí", "Jojoa",
    "Narváez", "Nuñez", "Peña", "Quilindo", "Realpe", "Rengifo", "Solarte", "Tobar", "Urbano",
    "Valencia", "Vidal", "Yasnó", "Zambrano", "Collazos", "Dorado", "Garcés", "López", "Mosquera",
)  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Player:
    """Somebody of the demo who acts: who, as what, with which password."""

    address: str
    name: str
    role: str
    post: str | None
    password: str


REQUESTER = Player(
    address=f"bienestar@{DOMAIN}",
    name="Lucía Muestra",
    role="solicitante",
    post=None,
    password="macizo-bienestar-2026",
)
REVIEWER = Player(
    address=f"p.ejemplo@{DOMAIN}",
    name="Patricia Ejemplo",
    role="Comunicaciones",
    post="comunicaciones",
    password="macizo-comunicaciones-2026",
)
OPERATOR = Player(
    address=f"r.modelo@{DOMAIN}",
    name="Ramiro Modelo",
    role="División TIC",
    post="tic",
    password="macizo-envios-2026",
)
QUALITY = Player(
    address=f"q.ensayo@{DOMAIN}",
    name="Quiteria Ensayo",
    role="calidad",
    post="calidad",
    password="macizo-calidad-2026",
)
ADMINISTRATOR = Player(
    address=f"a.prueba@{DOMAIN}",
    name="Amparo Prueba",
    role="administración",
    post="administracion",
    password="macizo-administracion-2026",
)
PLAYERS = (REQUESTER, REVIEWER, OPERATOR, QUALITY, ADMINISTRATOR)

POST_BOXES = {
    "comunicaciones": f"comunicaciones@{DOMAIN}",
    "tic": f"tic@{DOMAIN}",
    "calidad": f"calidad@{DOMAIN}",
    "administracion": f"circular@{DOMAIN}",
    "lider": f"gestion.estrategica@{DOMAIN}",
}
WITNESSES = (f"testigo1@{DOMAIN}", f"testigo2@{DOMAIN}")


@dataclass(frozen=True, slots=True, kw_only=True)
class SampleAccount:
    """One institutional account as the accounts file states it."""

    address: str
    id: str
    given_name: str
    family_name: str
    groups: tuple[str, ...]
    unit: str
    faculty: str
    programme: str
    campus: str


def _plain(text: str) -> str:
    """Return letters a to z only, as account names are made."""
    decomposed = unicodedata.normalize("NFD", text.lower())
    return "".join(letter for letter in decomposed if "a" <= letter <= "z")


def accounts() -> list[SampleAccount]:
    """Return the 2,000 accounts, the requester's among them, each address once."""
    chance = random.Random(SEED)  # noqa: S311 - a sample, not a secret
    taken = {REQUESTER.address}
    people = [
        SampleAccount(
            address=REQUESTER.address,
            id="100000",
            given_name="Lucía",
            family_name="Muestra",
            groups=("administrative",),
            unit="División de Salud y Bienestar",
            faculty="",
            programme="",
            campus="Centro",
        )
    ]
    while len(people) < ACCOUNTS:
        given, first, second = chance.choice(GIVEN_NAMES), *chance.sample(SURNAMES, 2)
        name = f"{_plain(given.split()[0])}.{_plain(first)}"
        address = f"{name}@{DOMAIN}"
        for number in range(2, 100):
            if address not in taken:
                break
            address = f"{name}{number}@{DOMAIN}"
        taken.add(address)
        kind = chance.choices(("student", "teaching", "administrative", "both"), (78, 12, 8, 2))[0]
        faculty = chance.choice(tuple(FACULTIES)) if kind != "administrative" else ""
        people.append(
            SampleAccount(
                address=address,
                id=str(100000 + len(people)),
                given_name=given,
                family_name=f"{first} {second}",
                groups=("student", "administrative") if kind == "both" else (kind,),
                unit=chance.choice(OFFICES) if kind in {"administrative", "both"} else "",
                faculty=faculty,
                programme=chance.choice(FACULTIES[faculty]) if faculty else "",
                campus=chance.choices(CAMPUSES, (6, 3, 1))[0],
            )
        )
    return people


def accounts_csv() -> bytes:
    """Return the accounts as the CSV file that an office would export."""
    text = io.StringIO()
    writer = csv.writer(text, delimiter=";")
    writer.writerow(
        (
            "correo",
            "id",
            "nombres",
            "apellidos",
            "grupos",
            "dependencia",
            "facultad",
            "programa",
            "sede",
        )
    )
    for person in accounts():
        groups = ";".join(person.groups)
        writer.writerow(
            (
                person.address,
                person.id,
                person.given_name,
                person.family_name,
                groups,
                person.unit,
                person.faculty,
                person.programme,
                person.campus,
            )
        )
    return text.getvalue().encode()


def mailboxes() -> list[str]:
    """Return every mailbox of the university: accounts, offices, players and witnesses."""
    everybody = {person.address for person in accounts()}
    everybody.update(POST_BOXES.values(), WITNESSES, (player.address for player in PLAYERS))
    return sorted(everybody - unknown_mailboxes())


def unknown_mailboxes() -> set[str]:
    """Return the three accounts whose mailbox the server no longer knows: they are refused."""
    return {person.address for person in accounts()[500:503]}


def bouncing_mailboxes() -> set[str]:
    """Return the two accounts that are taken and bounce a moment later."""
    return {person.address for person in accounts()[900:902]}
