"""The case file as one archive that anybody can check without Circular. Asked for by POST: it leaves
an entry."""

import tempfile
import zipfile
from pathlib import Path

from django.contrib.auth.decorators import login_required
from django.http import FileResponse, Http404, HttpRequest, HttpResponseBase
from django.views.decorators.http import require_POST

from circular.counter import desk, queries
from circular.evidence.export import export_case
from circular.people.roles import Permission


@require_POST
@login_required
def case_export(request: HttpRequest, number: str) -> HttpResponseBase:
    """Hand out the case file."""
    reader = desk.require(request, Permission.EXPORT_EVIDENCE)
    row = queries.case_by_number(reader, number)
    if row is None:
        raise Http404
    # Deleted by the file's own end: a whole case does not fit into memory for sure.
    bundle = tempfile.TemporaryFile(suffix=".zip")  # noqa: SIM115 (FileResponse closes it)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name) / number
        export_case(row.pk, folder, by=desk.actor(request))
        with zipfile.ZipFile(bundle, "w", zipfile.ZIP_DEFLATED) as archive:
            for path in sorted(folder.rglob("*")):
                if path.is_file():
                    archive.write(path, Path(number) / path.relative_to(folder))
    bundle.seek(0)
    return FileResponse(bundle, as_attachment=True, filename=f"{number}.zip")
