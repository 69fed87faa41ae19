"""What later official versions have lost: the batch files up to 0.1.3, the documents of 0.1.7.

The same as `test_official_sdk.py`, for the versions that have them.
"""

import json
import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from interop.cases import old_documents, old_files
from interop.cases.grammar import CASES
from interop.known_differences import check_the_same, play_both
from interop.players import CLIENTS, Player

import meshapi
from meshapi.testing import LocalGateway

GROUPS = {"0.1.3": old_files.__name__, "0.1.7": old_documents.__name__}
OLD = [name for name, case in CASES.items() if case.version in GROUPS]

OFFICIAL = os.environ.get("MESHAPI_OFFICIAL_PYTHON")
OLDER = os.environ.get("MESHAPI_OFFICIAL_OLDER")
with_older_versions = pytest.mark.skipif(
    not (OFFICIAL and OLDER),
    reason="MESHAPI_OFFICIAL_OLDER is not set: tests/interop/README.md says how",
)


@pytest.fixture(scope="module")
def official(gateway: LocalGateway) -> Iterator[dict[str, Player]]:
    assert OFFICIAL is not None
    assert OLDER is not None
    folders = {version: Path(OLDER, version).resolve(strict=True) for version in GROUPS}
    players = {
        version: Player(OFFICIAL, gateway, str(folders[version]), GROUPS[version])
        for version in GROUPS
    }
    yield players
    for player in players.values():
        player.close()


@pytest.fixture(scope="module")
def ours(gateway: LocalGateway) -> Iterator[Player]:
    path = str(Path(meshapi.__file__).parents[1])
    player = Player(sys.executable, gateway, path, *GROUPS.values())
    yield player
    player.close()


@pytest.mark.parametrize("client", CLIENTS)
@pytest.mark.parametrize("case", OLD)
def test_our_package_plays_every_old_case(case: str, client: str, ours: Player) -> None:
    shown = json.dumps(ours.play(case, client).received)
    assert "$raised" not in shown
    assert "$refused" not in shown


@with_older_versions
@pytest.mark.parametrize("client", CLIENTS)
@pytest.mark.parametrize("case", OLD)
def test_both_send_and_receive_the_same(
    case: str, client: str, official: dict[str, Player], ours: Player
) -> None:
    version = CASES[case].version
    theirs, mine = play_both(case, client, official[version], ours)
    check_the_same(theirs, mine)
    sent = {request["headers"].get("x-meshapi-sdk") for request in theirs.requests}
    # 0.1.3 says 0.1.0 of itself.
    assert sent == {f"python/{version.replace('0.1.3', '0.1.0')}"}
