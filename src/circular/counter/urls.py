"""Addresses of the counter's pages. In Spanish, because people read and dictate them."""

from django.urls import path, re_path

from circular.counter.views import (
    about,
    acts,
    administration,
    appearance,
    case,
    certificate,
    export,
    frame,
    health,
    letters,
    procedure,
    readiness,
    request,
    sending,
    tray,
    unsorted,
)

NUMBER = r"(?P<number>[A-Z]{1,12}-[0-9]{4}-[0-9]{4,9})"

urlpatterns = [
    path("", tray.home, name="home"),
    path("healthz", health.healthz, name="healthz"),
    path("aspecto.css", appearance.colours, name="colours"),
    path("bandeja", tray.tray, name="tray"),
    path("bandeja/correo", unsorted.unsorted, name="unsorted"),
    path("bandeja/correo/<int:mail_id>", unsorted.mail, name="unsorted-mail"),
    path("bandeja/correo/<int:mail_id>/original", unsorted.original, name="unsorted-original"),
    path("expedientes", tray.cases, name="cases"),
    path("solicitudes/nueva", request.new, name="request-new"),
    path("solicitudes/publico", request.count, name="audience-count"),
    path("borradores/<int:request_id>", request.draft, name="draft"),
    path("borradores/<int:request_id>/mensaje", request.draft_message, name="draft-message"),
    path("borradores/<int:request_id>/descartar", request.discard, name="draft-discard"),
    re_path(rf"^e/{NUMBER}$", case.case, name="case"),
    re_path(rf"^e/{NUMBER}\.json$", case.machine, name="case-machine"),
    re_path(rf"^e/{NUMBER}/cifras$", case.figures, name="case-figures"),
    re_path(rf"^e/{NUMBER}/mensaje$", case.message, name="case-message"),
    re_path(rf"^e/{NUMBER}/constancia$", certificate.certificate, name="certificate"),
    re_path(rf"^e/{NUMBER}/expediente\.zip$", export.case_export, name="case-export"),
    re_path(rf"^e/{NUMBER}/corregir$", request.correct, name="request-correct"),
    re_path(rf"^e/{NUMBER}/asientos/(?P<sequence>[0-9]+)$", case.entry, name="entry"),
    re_path(rf"^e/{NUMBER}/soportes/(?P<document_id>[0-9]+)$", case.document, name="document"),
    re_path(rf"^e/{NUMBER}/cartas/(?P<letter_id>[0-9]+)$", letters.letter, name="letter"),
    re_path(
        rf"^e/{NUMBER}/cartas/(?P<letter_id>[0-9]+)/html$", letters.letter_html, name="letter-html"
    ),
    re_path(
        rf"^e/{NUMBER}/cartas/(?P<letter_id>[0-9]+)/original$",
        letters.letter_original,
        name="letter-original",
    ),
    re_path(rf"^e/{NUMBER}/envio$", sending.sending, name="sending"),
    re_path(rf"^e/{NUMBER}/envio/avance$", sending.progress, name="sending-progress"),
    re_path(
        rf"^e/{NUMBER}/envio/dudas/(?P<recipient_id>[0-9]+)$", sending.resolve, name="resolve-doubt"
    ),
    re_path(rf"^e/{NUMBER}/actos/(?P<slug>[a-z-]+)$", acts.act, name="act"),
    path("procedimiento", procedure.procedure, name="procedure"),
    path("calendario", procedure.calendar, name="calendar"),
    path("ayuda", about.help_page, name="help"),
    path("ayuda/<slug:slug>", about.help_page, name="help-role"),
    path("datos-personales", about.data, name="data"),
    path("accesibilidad", about.accessibility, name="accessibility"),
    path("administracion", administration.index, name="administration"),
    path("administracion/puesta-en-marcha", readiness.first_steps, name="first-steps"),
    path("administracion/marco", frame.frame, name="frame"),
    path("administracion/marco/muestra", frame.frame_preview, name="frame-preview"),
    path("administracion/servidores", administration.relay_list, name="relays"),
    path("administracion/servidores/nuevo", administration.relay, name="relay-new"),
    path("administracion/servidores/<int:relay_id>", administration.relay, name="relay"),
    path(
        "administracion/servidores/<int:relay_id>/probar",
        administration.relay_test,
        name="relay-test",
    ),
    path("administracion/testigos", administration.witness_list, name="witnesses"),
    path("administracion/testigos/nueva", administration.witness, name="witness-new"),
    path("administracion/testigos/<int:witness_id>", administration.witness, name="witness"),
    path("administracion/plazos", administration.limit_list, name="limits"),
    path("administracion/plazos/<slug:stage>/<slug:lane>", administration.limit, name="limit"),
    path("administracion/recesos", administration.recess_list, name="recesses"),
    path(
        "administracion/recesos/<int:recess_id>/quitar",
        administration.recess_remove,
        name="recess-remove",
    ),
    path("administracion/reglas", administration.rules, name="rules"),
]
