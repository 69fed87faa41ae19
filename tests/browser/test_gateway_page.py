"""The local gateway's page in a real browser: wide and narrow, light and dark, by keyboard."""

from collections.abc import Iterator
from typing import Any

import pytest

from meshapi import APIStatusError, MeshAPI, RetryPolicy
from meshapi.testing import LocalGateway
from support.browser import PROGRAM, Tab, browser

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not PROGRAM, reason="needs a browser: nox -s browser"),
]

WIDE, PHONE = (1280, 800), (390, 844)
TOKEN = "rsk_test_browser"
ODD = "<img src=x onerror=alert(1)>"
TURNED = "\u202eliame\u202c"

LIVE = "document.getElementById('state').textContent === 'Live'"
BUTTONS = "[...document.querySelectorAll('#list button')]"
CHOSEN = "document.querySelector('#list button[aria-current=true]')?.dataset.number"
OPENED = "document.querySelector('.details h2')"


@pytest.fixture(scope="module")
def tab() -> Iterator[Tab]:
    with browser() as opened:
        yield opened


@pytest.fixture
def gateway() -> Iterator[LocalGateway]:
    with LocalGateway(TOKEN, words_per_second=0) as running:
        quick = RetryPolicy(initial_delay=0.001, max_delay=0.001)
        with MeshAPI(base_url=running.url, token=TOKEN, retry=quick) as client:
            messages: Any = [{"role": "user", "content": f"Repeat: {ODD} {TURNED} {TOKEN}"}]
            client.chat.completions.create(model="openai/gpt-4o-mini", messages=messages)
            client.chat.completions.create(model="mesh/flaky", messages=messages)
            with client.chat.completions.stream(model="auto", messages=messages) as stream:
                list(stream)
        yield running


def show(tab: Tab, gateway: LocalGateway, size: "tuple[int, int]", *, dark: bool = False) -> None:
    tab.open(gateway.url, *size, dark=dark)
    tab.wait(f"{LIVE} && {BUTTONS}.length === 5")


@pytest.mark.parametrize("size", [WIDE, PHONE], ids=["wide", "phone"])
def test_it_shows_what_was_sent_and_what_came_back(
    tab: Tab, gateway: LocalGateway, size: "tuple[int, int]"
) -> None:
    show(tab, gateway, size)
    tab.run(f"{BUTTONS}[4].click()")
    tab.wait(f"{OPENED}?.textContent.includes('/v1/chat/completions')")
    shown = tab.run("document.body.innerText")
    assert ODD in shown
    # Nothing looks other than it is.
    assert r"\u202eliame\u202c" in shown
    assert TOKEN not in tab.run("document.documentElement.outerHTML")
    # Nothing sticks out, so that nobody has to scroll sideways.
    assert tab.run("document.documentElement.scrollWidth <= innerWidth")
    assert tab.run(
        "[...document.querySelectorAll('.details *')].every(one => "
        "one.getBoundingClientRect().right <= innerWidth + 1)"
    )
    assert tab.complaints == []
    # Tabs outlive gateways: the one before may be in the list.
    assert all(url.startswith(("http://127.0.0.1:", "data:")) for url in tab.requests)


def test_a_request_appears_by_itself_and_is_announced(tab: Tab, gateway: LocalGateway) -> None:
    show(tab, gateway, WIDE)
    with MeshAPI(base_url=gateway.url, token=TOKEN) as client:
        client.models.list()
    tab.wait(f"{BUTTONS}.length === 6")
    assert "/v1/models" in tab.run(f"{BUTTONS}[0].textContent")
    tab.wait("document.getElementById('news').textContent.includes('GET /v1/models, 200')")
    gateway.reset()
    tab.run("document.getElementById('clear').click()")
    tab.wait(f"{BUTTONS}.length === 0")


def test_a_fault_can_be_switched_on(tab: Tab, gateway: LocalGateway) -> None:
    show(tab, gateway, WIDE)
    tab.run("document.getElementById('fault').value = 'failure'")
    tab.run("document.querySelector('#next button').click()")
    tab.wait("document.getElementById('waiting').textContent === '500'")
    with MeshAPI(base_url=gateway.url, token=TOKEN, max_retries=0) as client:
        with pytest.raises(APIStatusError) as raised:
            client.models.list()
        assert raised.value.status == 500
    tab.wait("document.getElementById('off').hidden")


def test_it_can_be_used_by_keyboard(tab: Tab, gateway: LocalGateway) -> None:
    show(tab, gateway, WIDE)
    for _ in range(12):
        if tab.run("Boolean(document.activeElement.closest('#list'))"):
            break
        tab.press("Tab")
    first = tab.run("document.activeElement.dataset.number")
    tab.press("ArrowDown")
    tab.wait(f"{CHOSEN} === '{int(first) - 1}'")
    tab.wait(f"{OPENED}")
    # The focus is to be seen.
    assert tab.run("getComputedStyle(document.activeElement).outlineStyle") == "solid"
    tab.press("Enter")
    tab.wait("document.activeElement.id === 'details'")
    tab.press("Escape")
    tab.wait(f"document.activeElement.dataset.number === '{int(first) - 1}'")
    # In a field, Escape is the field's.
    tab.run("document.getElementById('words').focus()")
    tab.press("Escape")
    assert tab.run("document.activeElement.id") == "words"


def test_a_stream_is_shown_as_text_and_only_its_own_part_scrolls(
    tab: Tab, gateway: LocalGateway
) -> None:
    show(tab, gateway, WIDE)
    tab.run(f"{BUTTONS}[0].click()")
    tab.wait("document.querySelector('[aria-label=\"Text of the answer\"]')")
    assert ODD in tab.run("document.querySelector('[aria-label=\"Text of the answer\"]').innerText")
    assert tab.run("document.querySelectorAll('.chunks tbody tr').length") > 4
    assert tab.run("document.documentElement.scrollHeight <= innerHeight")


def test_a_row_that_changes_stays_the_same_element(tab: Tab, gateway: LocalGateway) -> None:
    """Otherwise a click would be lost, and the focus, while a long response comes in."""
    show(tab, gateway, WIDE)
    tab.run(f"window.row = {BUTTONS}[0], row.focus(), lines.forEach(draw)")
    assert tab.run(f"row === {BUTTONS}[0] && document.activeElement === row")


def test_the_filter_says_if_nothing_matches(tab: Tab, gateway: LocalGateway) -> None:
    show(tab, gateway, WIDE)
    for words, shown, said in (("FLAKY 503", 2, ""), ("nothing", 0, "None of 5 requests")):
        tab.run(f"document.getElementById('words').value = {words!r}")
        tab.run("document.getElementById('words').dispatchEvent(new Event('input'))")
        assert tab.run(f"{BUTTONS}.filter(one => one.offsetParent).length") == shown
        assert said in tab.run("document.getElementById('none').textContent")


def test_on_a_phone_details_take_the_screen_and_give_it_back(
    tab: Tab, gateway: LocalGateway
) -> None:
    show(tab, gateway, PHONE)
    tab.run(f"{BUTTONS}[0].click()")
    tab.wait("document.querySelector('.back')?.offsetParent")
    assert tab.run("document.querySelector('.calls').offsetParent") is None
    tab.press("Escape")
    tab.wait("document.querySelector('.calls').offsetParent !== null")


def test_every_control_has_a_name(tab: Tab, gateway: LocalGateway) -> None:
    show(tab, gateway, WIDE)
    tab.run(f"{BUTTONS}[2].click()")
    tab.wait(OPENED)
    nodes = tab.call("Accessibility.getFullAXTree")["nodes"]
    controls = [
        node
        for node in nodes
        if not node["ignored"]
        and node["role"]["value"] in {"button", "combobox", "searchbox", "textbox", "region"}
    ]
    assert len(controls) > 6
    assert [node for node in controls if not node.get("name", {}).get("value")] == []


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_texts_have_contrast(tab: Tab, gateway: LocalGateway, dark: bool) -> None:
    """Source: https://www.w3.org/TR/WCAG22/#contrast-minimum (4.5 to 1)"""
    show(tab, gateway, WIDE, dark=dark)
    tab.run(f"{BUTTONS}[2].click()")
    tab.wait(OPENED)
    tab.run("document.getAnimations().forEach(one => one.finish())")
    low = tab.run("""(() => {
        const rgb = text => text.match(/[\\d.]+/g).map(Number);
        const light = ([r, g, b]) => [r, g, b].map(one => one / 255)
            .map(one => one <= 0.04045 ? one / 12.92 : ((one + 0.055) / 1.055) ** 2.4)
            .reduce((sum, one, place) => sum + one * [0.2126, 0.7152, 0.0722][place], 0);
        const ground = one => {
            for (; one; one = one.parentElement) {
                const found = rgb(getComputedStyle(one).backgroundColor);
                if (found.length === 3 || found[3] === 1) return found;
            }
            return [255, 255, 255];
        };
        const walk = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
        const low = [];
        while (walk.nextNode()) {
            const one = walk.currentNode.parentElement;
            if (!walk.currentNode.data.trim() || !one.offsetParent) continue;
            if (["SCRIPT", "OPTION"].includes(one.tagName)) continue;
            const [a, b] = [light(rgb(getComputedStyle(one).color)), light(ground(one))];
            const ratio = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
            if (ratio < 4.5) low.push([walk.currentNode.data, ratio]);
        }
        for (const one of document.querySelectorAll("#words")) {
            const hint = light(rgb(getComputedStyle(one, "::placeholder").color));
            const [a, b] = [hint, light(ground(one))];
            const ratio = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
            if (ratio < 4.5) low.push(["placeholder", ratio]);
        }
        // What shows where a field is: 3 to 1.
        for (const one of document.querySelectorAll("input, select")) {
            const [a, b] = [light(rgb(getComputedStyle(one).borderTopColor)), light(ground(one))];
            const ratio = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
            if (ratio < 3) low.push([one.id, ratio]);
        }
        return low;
    })()""")
    assert low == []
