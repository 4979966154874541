"""Read an audience rule typed on one line, for people at a terminal. Pure.

`grupo=estudiante,docente facultad="Ciencias de la Salud" | sede=Norte` is two clauses; `todos` is
everybody; a JSON object is read as `rules.rule_to_json` writes it.
"""

import json
import shlex

from circular.directory.rules import EVERYBODY, Field, Rule, RuleError, rule_from_json
from circular.directory.tables import GROUP_WORDS, folded

FIELD_WORDS: dict[str, Field] = {
    word: field
    for field, words in {
        Field.GROUPS: "grupo grupos group groups",
        Field.FACULTIES: "facultad facultades faculty faculties",
        Field.PROGRAMMES: "programa programas programme programmes program programs",
        Field.CAMPUSES: "sede sedes campus campuses",
        Field.UNITS: "dependencia dependencias unit units",
    }.items()
    for word in words.split()
}
EVERYBODY_WORDS = frozenset({"todos", "todas", "everybody", "all"})


def rule_from_text(text: str) -> Rule:
    """Read the rule.

    Raises:  RuleError with a code for whatever is no rule
    """
    if text.lstrip().startswith("{"):
        try:
            return rule_from_json(json.loads(text))
        except (json.JSONDecodeError, RecursionError) as wrong:
            raise RuleError("not_json", "the text begins like JSON and is none") from wrong
    if folded(text) in EVERYBODY_WORDS:
        return EVERYBODY
    try:
        words = shlex.shlex(text, posix=True, punctuation_chars="|")
        words.whitespace_split = True
        tokens = list(words)
    except ValueError as wrong:
        raise RuleError("open_quote", "a quote is not closed") from wrong
    clauses: list[dict[Field, list[str]]] = [{}]
    for token in tokens:
        if set(token) == {"|"}:
            clauses.append({})
            continue
        name, equals, values = token.partition("=")
        field = FIELD_WORDS.get(folded(name))
        if not equals or field is None:
            raise RuleError("unknown_field", f"not field=value: {token[:60]!r}")
        clauses[-1].setdefault(field, []).extend(_values(field, values))
    if any(not clause for clause in clauses):
        raise RuleError("empty_clause", "a clause says nothing; write 'todos' for everybody")
    return rule_from_json(
        {
            "clauses": [
                {field.value: values for field, values in clause.items()} for clause in clauses
            ]
        }
    )


def _values(field: Field, text: str) -> list[str]:
    values = [value.strip() for value in text.split(",")]
    if field is not Field.GROUPS:
        return values
    known = [GROUP_WORDS.get(folded(value)) for value in values]
    if None in known:
        raise RuleError("unknown_group", f"no such group in {text[:60]!r}")
    return [group for group in known if group is not None]
