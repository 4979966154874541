"""A person's browser without the pictures: reads a page, fills in its forms, keeps its cookies.

It sends back exactly the fields that the page offers, as a browser would, so whatever a page
forgets to offer the demo cannot do either.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from html.parser import HTMLParser
from http.cookiejar import CookieJar
from urllib.error import HTTPError
from urllib.parse import urlencode, urljoin, urlsplit
from urllib.request import HTTPCookieProcessor, OpenerDirector, Request, build_opener

from typing_extensions import override

WAIT = 30  # seconds for one page; a page that takes longer is down


class PageProblemError(Exception):
    """A page answered with something a person could not go on from."""

    def __init__(self, address: str, status: int, said: str) -> None:
        super().__init__(f"{address} answered {status}: {said}")
        self.status = status
        self.said = said


@dataclass(slots=True)
class Form:
    """One form as the page offers it: where it goes and what it would send untouched."""

    action: str
    method: str
    act: str
    fields: dict[str, list[str]] = field(default_factory=dict)
    buttons: list[tuple[str, str]] = field(default_factory=list)


@dataclass(slots=True)
class Page:
    """One page that was answered with 200."""

    address: str
    text: str
    forms: list[Form] = field(default_factory=list)
    links: dict[str, str] = field(default_factory=dict)  # by data-act
    title: str = ""
    errors: str = ""

    def form(self, act: str) -> Form | None:
        """Return the form that carries out an act, or None when the page does not offer it."""
        return next((form for form in self.forms if form.act == act), None)


class _PageReader(HTMLParser):
    """Collect forms, marked links, the title and the error summary."""

    def __init__(self, page: Page) -> None:
        super().__init__()
        self._page = page
        self._form: Form | None = None
        self._select: tuple[str, bool] | None = None
        self._option: list[str | None] | None = None
        self._text_area: str | None = None
        self._collect: str | None = None
        self._depth = 0

    @override
    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        has = dict(attrs)
        if tag == "title":
            self._collect = "title"
        if self._collect == "errors" and tag == "div":
            self._depth += 1
        elif "c-errors" in (has.get("class") or "").split():
            self._collect, self._depth = "errors", 1
        if tag == "form":
            address = urljoin(self._page.address, has.get("action") or "") or self._page.address
            self._form = Form(
                address, (has.get("method") or "get").lower(), has.get("data-act") or ""
            )
            self._page.forms.append(self._form)
        elif tag == "a" and has.get("data-act"):
            self._page.links[str(has["data-act"])] = urljoin(
                self._page.address, has.get("href") or ""
            )
        if self._form is not None and "disabled" not in has:
            self._control(tag, has)

    def _control(self, tag: str, has: dict[str, str | None]) -> None:
        assert self._form is not None
        name = has.get("name") or ""
        kind = (has.get("type") or "").lower()
        if tag == "input" and name and kind not in {"submit", "button", "file", "image"}:
            if kind not in {"checkbox", "radio"} or "checked" in has:
                value = has.get("value")
                fallback = "on" if kind in {"checkbox", "radio"} else ""
                self._form.fields.setdefault(name, []).append(fallback if value is None else value)
        elif tag == "textarea" and name:
            self._text_area = name
            self._form.fields.setdefault(name, []).append("")
        elif tag == "select" and name:
            self._select = (name, "multiple" in has)
        elif tag == "option" and self._select:
            name, multiple = self._select
            value = has.get("value") or ""
            if "selected" in has or (not multiple and name not in self._form.fields):
                self._form.fields[name] = [
                    *(self._form.fields.get(name, []) if multiple else []),
                    value,
                ]
        elif tag == "button" and name and kind in {"", "submit"}:
            self._form.buttons.append((name, has.get("value") or ""))

    @override
    def handle_endtag(self, tag: str) -> None:
        match tag:
            case "form":
                self._form = None
            case "select":
                self._select = None
            case "textarea":
                self._text_area = None
            case "title" if self._collect == "title":
                self._collect = None
            case "div" if self._collect == "errors":
                self._depth -= 1
                if not self._depth:
                    self._collect = None

    @override
    def handle_data(self, data: str) -> None:
        if self._collect == "title":
            self._page.title += data
        elif self._collect == "errors":
            self._page.errors += " " + data.strip()
        if self._text_area and self._form is not None:
            # HTML: one line break directly after <textarea> is not part of the value.
            before = self._form.fields[self._text_area][-1]
            self._form.fields[self._text_area][-1] = before + (
                data.removeprefix("\n") if not before else data
            )


class Browser:
    """One person's session with the pages."""

    def __init__(self, base_url: str) -> None:
        self._base_url = base_url
        self._opener: OpenerDirector = build_opener(HTTPCookieProcessor(CookieJar()))

    def open(self, address: str) -> Page:
        """Fetch a page by its path or whole address.

        Raises:  PageProblemError when the answer is not 200, OSError when there is none.
        """
        return self._ask(Request(urljoin(self._base_url, address)))  # noqa: S310 - our own pages

    def send(
        self,
        form: Form,
        values: Mapping[str, str | list[str]] | None = None,
        *,
        button: tuple[str, str] | None = None,
    ) -> Page:
        """Send a form back with some fields filled in; its other fields go as they stand."""
        filled = dict(form.fields)
        for name, value in (values or {}).items():
            filled[name] = value if isinstance(value, list) else [value]
        pairs = [(name, value) for name, given in filled.items() for value in given]
        if button is not None:
            pairs.append(button)
        body = urlencode(pairs).encode()
        if form.method == "get":
            return self.open(f"{form.action}?{body.decode()}")
        origin = "{0.scheme}://{0.netloc}".format(urlsplit(self._base_url))
        return self._ask(
            Request(  # noqa: S310 - our own pages
                form.action, data=body, headers={"Referer": form.action, "Origin": origin}
            )
        )

    def _ask(self, request: Request) -> Page:
        request.add_header("Accept-Language", "es-CO")
        try:
            with self._opener.open(request, timeout=WAIT) as answer:
                page = Page(answer.geturl(), answer.read().decode("utf-8", "replace"))
        except HTTPError as error:
            wrong = Page(request.full_url, error.read().decode("utf-8", "replace"))
            _PageReader(wrong).feed(wrong.text)
            said = wrong.errors.strip() or wrong.title.strip()
            raise PageProblemError(request.full_url, error.code, said) from error
        if page.text.lstrip().startswith("<"):
            _PageReader(page).feed(page.text)
        return page
