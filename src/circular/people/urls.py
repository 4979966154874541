"""Addresses of signing in, of one's own account, and of the administration of people."""

from django.urls import path

from circular.people.views import account, administration, signing_in

app_name = "people"
urlpatterns = [
    path("entrar", signing_in.enter, name="enter"),
    path("entrar/contrasena", signing_in.enter_with_password, name="enter_with_password"),
    path("entrar/codigo", signing_in.ask_for_code, name="ask_for_code"),
    path("entrar/codigo/escribir", signing_in.enter_code, name="enter_code"),
    path("entrar/llave", signing_in.enter_with_passkey, name="enter_with_passkey"),
    path("salir", signing_in.leave, name="leave"),
    path("invitacion/<str:token>", signing_in.accept_invitation, name="invitation"),
    path("primer-acceso/<str:token>", signing_in.first_access, name="first_access"),
    path("cuenta", account.account, name="account"),
    path("cuenta/contrasena", account.change_password, name="change_password"),
    path("cuenta/llaves/opciones", account.passkey_options, name="passkey_options"),
    path("cuenta/llaves", account.add_passkey, name="add_passkey"),
    path("cuenta/llaves/<int:key_id>/quitar", account.remove_passkey, name="remove_passkey"),
    path("administracion/personas", administration.people, name="people"),
    path("administracion/personas/invitar", administration.invite, name="invite"),
    path("administracion/personas/<int:person_id>", administration.person, name="person"),
    path(
        "administracion/personas/<int:person_id>/invitar",
        administration.invite_again,
        name="invite_again",
    ),
    path("administracion/cargos", administration.posts, name="posts"),
    path("administracion/cargos/nuevo", administration.post, name="post_new"),
    path("administracion/cargos/<int:post_id>", administration.post, name="post"),
    path("administracion/cargos/<int:post_id>/asignar", administration.appoint, name="appoint"),
    path(
        "administracion/asignaciones/<int:holding_id>/terminar",
        administration.end_holding,
        name="end_holding",
    ),
    path("administracion/dependencias", administration.units, name="units"),
    path("administracion/dependencias/nueva", administration.unit, name="unit_new"),
    path("administracion/dependencias/<int:unit_id>", administration.unit, name="unit"),
    path("administracion/remitentes", administration.senders, name="senders"),
    path("administracion/remitentes/nuevo", administration.sender, name="sender_new"),
    path("administracion/remitentes/<int:sender_id>", administration.sender, name="sender"),
    path("administracion/institucion", administration.institution, name="institution"),
]
