"""Addresses of signing in, of one's own account, and of the administration of people."""

from django.urls import path

from circular.people.views import account, signing_in

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
]
