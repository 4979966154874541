"""What each role needs to know to do its part, in the words of the pages. Only what the program does.

A page is a few steps in order; each may lead to where it is done. Roles that share an office share
nothing here: whoever plays two parts reads two pages.
"""

from dataclasses import dataclass

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from circular.people.roles import Role


@dataclass(frozen=True, slots=True)
class Advice:
    """One step: what it is about, what to do, and where."""

    title: str | Promise
    words: str | Promise
    door: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Help:
    """The help of one role."""

    slug: str
    title: str | Promise
    opening: str | Promise
    steps: tuple[Advice, ...]


HELP: dict[Role, Help] = {
    Role.REQUESTER: Help(
        slug="solicitar",
        title=_("Solicitar un correo masivo"),
        opening=_(
            "Usted pide que un mensaje llegue a muchas personas y sigue su solicitud hasta el cierre."
        ),
        steps=(
            Advice(
                _("Escriba la solicitud"),
                _(
                    "En el formulario elige remitente, destinatarios y día, y ve el mensaje como"
                    " llegará. Puede guardar el borrador y seguir después."
                ),
                "request-new",
            ),
            Advice(
                _("O envíela por correo"),
                _(
                    "Escriba al buzón de solicitudes desde su cuenta. Recibe un enlace de un solo"
                    " uso; la solicitud queda radicada cuando la confirma en esa página."
                ),
            ),
            Advice(
                _("Revise la prueba"),
                _(
                    "Cuando Comunicaciones envía el mensaje de prueba, dé el visto bueno en el"
                    " expediente. El visto bueno vale solo para ese texto."
                ),
                "cases",
            ),
            Advice(
                _("Si se la devuelven"),
                _(
                    "El expediente dice qué falta. Corrija y presente otra vez: la anterior se guarda."
                ),
                "tray",
            ),
            Advice(
                _("Al final"),
                _(
                    "Recibe la confirmación con las cifras del envío. «Aceptado» quiere decir que el"
                    " servidor de correo lo recibió, no que la persona lo leyó."
                ),
            ),
        ),
    ),
    Role.COMMUNICATIONS: Help(
        slug="revisar",
        title=_("Revisar y aprobar"),
        opening=_(
            "Usted recibe las solicitudes, las revisa, las aprueba y confirma que se enviaron."
        ),
        steps=(
            Advice(
                _("Tome un asunto de su bandeja"),
                _(
                    "Lo que está vencido o es urgente está arriba. Quien lo toma lo tiene hasta soltarlo."
                ),
                "tray",
            ),
            Advice(
                _("Envíe la prueba, devuelva o rechace"),
                _(
                    "Devolver pide una corrección; rechazar termina el asunto y sugiere otro canal."
                    " Las dos llevan su razón a quien solicita."
                ),
            ),
            Advice(
                _("Apruebe"),
                _(
                    "La aprobación vale para ese texto y ese público: si algo cambia, se aprueba otra vez."
                ),
            ),
            Advice(
                _("Confirme y verifique"),
                _(
                    "Cuando TIC envía, confirme a quien solicitó y mire la verificación: cuentas que"
                    " cuadran y el mismo mensaje en las cuentas testigo."
                ),
                "cases",
            ),
            Advice(
                _("Lo que llega por teléfono o en papel"),
                _("Regístrelo a nombre de la dependencia; el acuse va al buzón que usted escriba."),
                "request-new",
            ),
        ),
    ),
    Role.APPROVER: Help(
        slug="autorizar",
        title=_("Autorizar un público"),
        opening=_("Algunos públicos necesitan la autorización de un cargo: el suyo."),
        steps=(
            Advice(
                _("Lo que espera por usted"),
                _("Abra el asunto, mire el mensaje, el público y su cuenta, y apruebe o devuelva."),
                "tray",
            ),
            Advice(
                _("Mire un público sin pedir nada"),
                _("Cuente cualquier combinación del directorio. No se ven nombres."),
                "directory:audiences",
            ),
        ),
    ),
    Role.TIC: Help(
        slug="enviar",
        title=_("Enviar"),
        opening=_("Usted acepta lo aprobado, lo envía, atiende lo que queda en duda y confirma."),
        steps=(
            Advice(
                _("Acepte o devuelva"),
                _("Mire las comprobaciones del expediente. Una objeción técnica lo devuelve."),
                "tray",
            ),
            Advice(
                _("Programe o comience"),
                _(
                    "La página del envío muestra las cifras mientras sale. Puede pausar, reanudar y"
                    " cancelar lo que falta; antes de cancelar se dice a cuántas personas toca."
                ),
            ),
            Advice(
                _("Resuelva las dudas"),
                _(
                    "«En duda» es quien pudo recibirlo o no, porque la conexión se cortó. Usted decide"
                    " si se da por aceptado, se ofrece otra vez o se deja."
                ),
            ),
            Advice(
                _("Si se envió por otros medios"),
                _("Declare las cifras y adjunte el soporte. Todo lo demás sigue igual."),
            ),
            Advice(
                _("Servidores y procesos"),
                _("Pruebe el servidor de salida y vea si hay procesos en marcha."),
                "relays",
            ),
        ),
    ),
    Role.QUALITY: Help(
        slug="calidad",
        title=_("Auditar"),
        opening=_(
            "Usted lee todos los expedientes y puede llevarse las pruebas; no actúa en ellos."
        ),
        steps=(
            Advice(
                _("Busque un expediente"),
                _("Por radicado, asunto, dependencia, estado o clase."),
                "cases",
            ),
            Advice(
                _("Cada actividad tiene su prueba"),
                _("Debajo de cada una están el hecho, la hora, el cargo y el sello de su asiento."),
            ),
            Advice(
                _("Descargue el expediente"),
                _(
                    "Trae los asientos, los mensajes y un programa corto que los comprueba sin Circular."
                ),
            ),
        ),
    ),
    Role.DATA_PROTECTION: Help(
        slug="datos-personales",
        title=_("Proteger los datos personales"),
        opening=_("Usted ve qué datos hay, de dónde vienen y a quién se escribió."),
        steps=(
            Advice(_("Qué se guarda"), _("Está en la página de tratamiento de datos."), "data"),
            Advice(
                _("El directorio"),
                _("Busque una cuenta y vea la fecha y el nombre de la lista de la que vino."),
                "directory:accounts",
            ),
            Advice(
                _("Los expedientes"),
                _("Cada envío dice a qué público fue y por qué. Puede descargarlos."),
                "cases",
            ),
        ),
    ),
    Role.PROCESS_OWNER: Help(
        slug="dirigir",
        title=_("Dirigir el proceso"),
        opening=_(
            "Usted recibe el aviso cuando algo sigue sin atender después de los recordatorios."
        ),
        steps=(
            Advice(
                _("Lo que se demora"),
                _("La carta dice qué cargo lo debe y desde cuándo. El expediente dice por qué."),
                "cases",
            ),
            Advice(
                _("El procedimiento"),
                _("La versión vigente, y cuántos expedientes siguen cada una."),
                "procedure",
            ),
        ),
    ),
    Role.ADMINISTRATOR: Help(
        slug="administrar",
        title=_("Administrar la casa"),
        opening=_(
            "Usted pone en orden personas, cargos, remitentes, servidores y plazos. No revisa ni envía."
        ),
        steps=(
            Advice(
                _("Puesta en marcha"),
                _("Una página mira lo que falta para poder enviar y lleva a donde se hace."),
                "first-steps",
            ),
            Advice(
                _("Personas y cargos"),
                _("Los permisos vienen del cargo que alguien ocupa hoy, también por encargo."),
                "people:posts",
            ),
            Advice(
                _("Directorio"),
                _("Cada lista importada es la verdad entera: antes de importar se ve qué cambia."),
                "directory:import",
            ),
        ),
    ),
}
