"""`meshapi.testing`: the face of the local gateway that users' tests import."""

import pydoc
import subprocess
import sys

import pytest
from house.fresh import modules_after

import meshapi.testing
from meshapi.gateway.models import FAILING_MODELS, FAILING_REALTIME_MODELS


def test_it_has_the_gateway_and_what_it_can_be_told() -> None:
    assert {"LocalGateway", "RecordedRequest", "create_app", "reply", "completion"} <= {
        *meshapi.testing.__all__
    }
    assert all(hasattr(meshapi.testing, name) for name in meshapi.testing.__all__)


def test_its_page_in_pydoc_has_every_name_and_every_model_that_fails() -> None:
    page = pydoc.plain(pydoc.render_doc(meshapi.testing))
    for name in (*meshapi.testing.__all__, *FAILING_MODELS, *FAILING_REALTIME_MODELS):
        assert name in page


@pytest.mark.slow
def test_import_meshapi_loads_nothing_of_it() -> None:
    loaded = modules_after("import meshapi", "meshapi.MeshAPI(token='rsk_test_face')")
    assert not [name for name in loaded if name.startswith(("meshapi.testing", "meshapi.gateway"))]


@pytest.mark.slow
@pytest.mark.parametrize("missing", ["starlette", "uvicorn", "python_multipart"])
@pytest.mark.parametrize("module", ["meshapi.testing", "meshapi.gateway"])
def test_without_its_extra_it_says_what_to_install(missing: str, module: str) -> None:
    program = (
        f"import sys; sys.modules[{missing!r}] = None\n"
        f"try:\n    from {module} import LocalGateway\n"
        "except ImportError as error:\n    print(error)"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], check=True, capture_output=True, text=True, timeout=60
    )
    assert "pip install '.[gateway]'" in done.stdout
    assert missing in done.stdout
