"""The house speaks the language of the person signed in."""

from collections.abc import Callable

from django.http import HttpRequest, HttpResponseBase
from django.utils import translation

Answer = Callable[[HttpRequest], HttpResponseBase]


def personal_language(get_response: Answer) -> Answer:
    """Prefer a person's own language to the browser's; stands after authentication."""

    def answer(request: HttpRequest) -> HttpResponseBase:
        if request.user.is_authenticated:
            translation.activate(request.user.language)
            request.LANGUAGE_CODE = translation.get_language()
        return get_response(request)

    return answer
