"""The components of the look as template tags and filters; `docs` for them is the mock pages' markup."""

from datetime import date, datetime, timedelta
from functools import lru_cache

from django import template
from django.forms import (
    BaseForm,
    BoundField,
    CheckboxInput,
    CheckboxSelectMultiple,
    ClearableFileInput,
    RadioSelect,
    Select,
)
from django.template.loader import render_to_string
from django.templatetags.static import static
from django.utils import timezone, translation
from django.utils.html import format_html
from django.utils.safestring import SafeString

from circular.counter import formats, labels, parts

register = template.Library()


def _language() -> str:
    return formats.language_of(translation.get_language())


@register.simple_tag
@lru_cache(maxsize=512)  # a list of cases draws the same few over and over
def icon(name: str) -> SafeString:
    """Draw one icon of the sprite; a word always stands beside it."""
    return format_html(
        '<svg class="c-i" aria-hidden="true"><use href="{}#i-{}"/></svg>',
        static("circular/icons.svg"),
        name,
    )


@register.filter
def figure(value: int | None) -> str:
    """Write 14286 as 14.286; nothing as nothing."""
    return "" if value is None else formats.figure(int(value), _language())


@register.simple_tag
def percent(part: int, whole: int, digits: int = 0) -> str:
    """Write a share as 67 %."""
    return formats.percent(part, whole, _language(), digits=digits)


@register.filter
def lowered(value: object) -> str:
    """Write a text as part of a sentence."""
    return formats.lowered(str(value))


@register.filter
def octets(value: int) -> str:
    """Write a size as 38 kB."""
    return formats.octets(value, _language())


@register.filter
def moment(value: datetime | None) -> str:
    """Write a time as 18 nov, 14:26."""
    if value is None:
        return ""
    local = timezone.localtime(value)
    return formats.moment(local, _language(), now=timezone.localtime())


@register.filter
def moment_seconds(value: datetime | None) -> str:
    """Write a time as 18 nov, 14:26:10: for sending only."""
    if value is None:
        return ""
    local = timezone.localtime(value)
    return formats.moment(local, _language(), now=timezone.localtime(), seconds=True)


@register.filter
def moment_long(value: datetime | None) -> str:
    """Write a time as 18 nov 2026, 14:26."""
    if value is None:
        return ""
    return formats.moment_with_year(timezone.localtime(value), _language())


@register.filter
def moment_near(value: datetime | None) -> str:
    """Write a time as hoy, 15:00 or jueves 19 nov, 10:31."""
    if value is None:
        return ""
    return formats.moment_near(timezone.localtime(value), _language(), now=timezone.localtime())


@register.filter
def clock_time(value: datetime | None) -> str:
    """Write the hour alone, with seconds: 14:26:10."""
    return "" if value is None else timezone.localtime(value).strftime("%H:%M:%S")


@register.filter
def day(value: date | datetime | None) -> str:
    """Write a day as 18 nov 2026."""
    if value is None:
        return ""
    if isinstance(value, datetime):
        value = timezone.localtime(value).date()
    return formats.day(value, _language(), today=date.min)


@register.filter
def iso(value: datetime | None) -> str:
    """Write a time for the machine: the datetime attribute of <time>."""
    return "" if value is None else value.isoformat()


@register.filter
def business(value: timedelta) -> str:
    """Write a business span as 6 h 5 min."""
    return formats.business(value)


@register.filter
def seal(value: str) -> str:
    """Write a digest as 8f2c…a4e1."""
    return formats.seal(value)


@register.filter
def seal_long(value: str) -> str:
    """Write a digest as 8f2c 19d7 … 03b6 a4e1."""
    return formats.seal_long(value)


@register.simple_tag
def ring(
    done: int | parts.Ring,
    now: int | None = None,
    late: bool = False,
    size: int = 44,
    figure: bool = True,
) -> SafeString:
    """Draw the five activities as a ring with its sentence."""
    if not isinstance(done, parts.Ring):
        done = parts.ring_of(done, now=now, late=late, size=size, figure=figure)
    return _drawn(done, translation.get_language())


@lru_cache(
    maxsize=512
)  # few rings are different; drawing one for each row is half of a list's time
def _drawn(ring: parts.Ring, language: str | None) -> SafeString:
    del language  # the sentence in the ring is said in the language in force
    return render_to_string("circular/parts/ring.html", {"ring": ring})


@register.inclusion_tag("circular/parts/state.html")
def state(code: str) -> dict[str, object]:
    """Show a state of a request: colour, icon and word."""
    return {"pill": labels.state_pill(code)}


@register.inclusion_tag("circular/parts/pill.html")
def pill(tone: str, icon: str, word: str) -> dict[str, object]:
    """Show any other state in the same three ways."""
    return {
        "tone": tone if not tone or tone.startswith("c-") else f"c-{tone}",
        "icon": icon,
        "word": word,
    }


@register.inclusion_tag("circular/parts/note.html")
def note(tone: str, icon: str, fact: str, rest: str = "") -> dict[str, object]:
    """Tell one fact and what to do."""
    return {"tone": f"c-{tone}", "icon": icon, "fact": fact, "rest": rest}


@register.inclusion_tag("circular/parts/errors.html")
def errors(form: BaseForm, heading: str = "") -> dict[str, object]:
    """List what must be corrected, each with a link to its field."""
    found = []
    for name, messages in form.errors.items():
        if name == "__all__":
            found += [("", message) for message in messages]
            continue
        bound = form[name]
        anchor = bound.id_for_label or bound.auto_id
        if isinstance(bound.field.widget, (RadioSelect, CheckboxSelectMultiple)):
            anchor = str(bound.auto_id)
        found += [(anchor, message) for message in messages]
    return {"found": found, "heading": heading}


@register.inclusion_tag("circular/parts/field.html")
def field(bound: BoundField, css: str = "") -> dict[str, object]:
    """Draw a whole field: label, hint, error, control, in this order."""
    widget = bound.field.widget
    kind = "input"
    if isinstance(widget, (RadioSelect, CheckboxSelectMultiple)):
        kind = "pick"
    elif isinstance(widget, CheckboxInput):
        kind = "check"
    described = []
    if bound.help_text:
        described.append(f"{bound.auto_id}-h")
    if bound.errors:
        described.append(f"{bound.auto_id}-e")
    attributes: dict[str, str | bool] = {}
    if described:
        attributes["aria-describedby"] = " ".join(described)
    if bound.errors:
        attributes["aria-invalid"] = "true"
    if kind == "check":
        attributes["class"] = "form-check-input"
    elif kind == "input":
        select = isinstance(widget, Select)
        attributes["class"] = "form-select" if select else "form-control"
        if isinstance(widget, ClearableFileInput):
            attributes["class"] = "form-control"
    control = "" if kind == "pick" else bound.as_widget(attrs=attributes)
    return {"bound": bound, "control": control, "kind": kind, "css": css}


@register.inclusion_tag("circular/parts/clock.html")
def clock(value: parts.Clock, css: str = "") -> dict[str, object]:
    """Show what is left of a time limit."""
    return {"clock": value, "css": css}


@register.inclusion_tag("circular/parts/totals.html")
def totals(value: parts.Totals, doubts_url: str = "") -> dict[str, object]:
    """Draw the bar and the equation under it."""
    return {"totals": value, "doubts_url": doubts_url}


@register.inclusion_tag("circular/parts/checks.html")
def checks(values: tuple[parts.Check, ...], css: str = "") -> dict[str, object]:
    """List reasons, each as a check."""
    return {"checks": values, "css": css}


@register.inclusion_tag("circular/parts/acts.html", takes_context=True)
def acts(context: template.Context, value: parts.Acts) -> dict[str, object]:
    """Show what the reader may do now, what not yet and why."""
    return {"acts": value, "csrf_token": context.get("csrf_token")}


@register.inclusion_tag("circular/parts/line.html")
def line(phases: tuple[parts.Phase, ...]) -> dict[str, object]:
    """Draw the route of the procedure with the evidence under each activity."""
    return {"phases": phases}


@register.inclusion_tag("circular/parts/row.html")
def row(value: parts.Row) -> dict[str, object]:
    """Draw one matter of a tray."""
    return {"row": value}
