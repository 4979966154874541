"""An audience in words and figures that add up: the sentence, the groups, the overlap, a sample."""

from typing import Any

from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from circular.counter import formats, labels, trays
from circular.directory import queries as directory
from circular.directory.rules import Field, Phrase, Rule, RuleError, describe, rule_from_json


def joined(words: list[str]) -> str:
    """Join words as a sentence does: a, b y c."""
    if len(words) < 2:
        return "".join(words)
    last = words[-1]
    # Spanish says "e" before the sound of i.
    conjunction = _("e") if last[:1].lower() in "ií" or last[:2].lower() == "hi" else _("y")
    return f"{', '.join(words[:-1])} {conjunction} {last}"


def group_name(group: str) -> str:
    """Return a group as people call it."""
    return str(labels.GROUPS.get(group, group))


def phrase_words(phrase: Phrase) -> str:
    """Say one combination: who, then where."""
    who = joined([group_name(group).lower() for group in phrase.groups]) or _("todas las personas")
    where = []
    for field, values in phrase.places:
        match field:
            case Field.UNITS:
                text = ngettext(
                    "de la dependencia %(list)s", "de las dependencias %(list)s", len(values)
                )
            case Field.PROGRAMMES:
                text = ngettext("del programa %(list)s", "de los programas %(list)s", len(values))
            case Field.FACULTIES:
                text = ngettext(
                    "de la facultad %(list)s", "de las facultades %(list)s", len(values)
                )
            case _other:
                text = ngettext("de la sede %(list)s", "de las sedes %(list)s", len(values))
        where.append(text % {"list": joined(list(values))})
    return " ".join([who, *where])


def sentence(rule: Rule) -> str:
    """Say a whole audience; the combinations are joined by a semicolon where they are long."""
    said = [phrase_words(phrase) for phrase in describe(rule)]
    if not said:
        return _("nadie todavía")
    if all(len(one) < 30 for one in said):
        return joined(said) + "."
    return "; ".join(said) + "."


def rule_of_json(value: object) -> Rule | None:
    """Read a stored rule; None where there is none yet."""
    if not value:
        return None
    try:
        return rule_from_json(value)
    except RuleError:
        return None


def figures(rule: Rule, *, frozen: int = 0, sample: bool = True) -> dict[str, Any]:
    """Return an audience as its sheet shows it: today's figures, and the frozen one if there is."""
    broken = directory.breakdown(rule)
    source = directory.source_date()
    count = frozen or broken.total
    return {
        "people": ngettext("%(count)s persona", "%(count)s personas", count)
        % {"count": formats.figure(count, trays.lang())},
        "sentence": sentence(rule),
        "rows": [(group_name(row.group) or _("Sin grupo"), row.count) for row in broken.groups],
        "repeated": -broken.repeated,
        "in_several": broken.in_several,
        "total": broken.total,
        "frozen": frozen,
        "source": source.at if source is not None else None,
        "sample": [
            ", ".join(
                filter(None, [joined([group_name(group) for group in row.groups]), row.place])
            )
            for row in directory.sample(rule)
        ]
        if sample
        else [],
    }
