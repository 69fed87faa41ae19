"""What an import costs a program, in an interpreter of its own: CPU and modules."""

import resource
import subprocess
import sys

STATEMENTS = {
    "ours": ("import meshapi", "meshapi.MeshAPI(base_url='http://127.0.0.1', token='rsk_test_a')"),
    "official": (
        "import meshapi",
        "meshapi.MeshAPI(base_url='http://127.0.0.1', token='rsk_test_a')",
    ),
    "openai": ("import openai", "openai.OpenAI(api_key='a')"),
    "anthropic": ("import anthropic", "anthropic.Anthropic(api_key='a')"),
    "litellm": ("import litellm", ""),
    "httpx2": ("import httpx2", "httpx2.Client()"),
    "aiohttp": ("import aiohttp", ""),
    "niquests": ("import niquests", "niquests.Session()"),
}


def used():
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def cpu_of(program):
    before = used()
    subprocess.run([sys.executable, "-c", program], check=True, stdout=subprocess.DEVNULL)
    return used() - before


def modules_of(program):
    program += "\nimport sys; print(len(sys.modules))"
    done = subprocess.run(
        [sys.executable, "-c", program], check=True, stdout=subprocess.PIPE, text=True
    )
    return int(done.stdout.split()[-1])


def cost(run):
    """Above an interpreter that does nothing, each time; the modules are all that there are."""
    statements = STATEMENTS[run.peer]
    program = "\n".join(statements if run.options.get("client") else statements[:1])
    # Compiles what has not been, too.
    modules = modules_of(program)
    for _ in run:
        # The least of some: what the machine does besides makes them longer only.
        whole = min(cpu_of(program) for _ in range(2))
        nothing = min(cpu_of("pass") for _ in range(2))
        run.give(cpu=(whole - nothing) * 1e3, modules=modules)
