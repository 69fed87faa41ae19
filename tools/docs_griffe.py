"""An extension of griffe for the conventions of our docstrings and decorators.

Griffe reads the source without running it, and mkdocstrings renders the result. The extension adds:

- `Fields:` in the docstring of a class describes its attributes; other attributes are listed, too,
  with their types.
- `url, uri: where it is.` stands for two lines.
- A method under `@endpoint` takes each key of its `**fields: Unpack[...]`, with the description
  from the class of its `params`. It returns the result of its call, not the call.
- An indented block right under a line of text is preformatted.
- `` `RateLimitError` `` is a link, if a face exports that name.
"""

import re
import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Optional, Union

from griffe import (
    Alias,
    Attribute,
    Class,
    Docstring,
    DocstringAttribute,
    DocstringParameter,
    DocstringSection,
    DocstringSectionAttributes,
    DocstringSectionKind,
    DocstringSectionParameters,
    Expr,
    ExprSubscript,
    ExprTuple,
    Extension,
    Function,
    Module,
    Object,
    Parameter,
    ParameterKind,
    Parameters,
)

sys.path.insert(0, str(Path(__file__).resolve().parent))

import docs_reference

DECORATORS = {
    "endpoint": "",
    "flow_endpoint": "",
    "list_endpoint": "",
    "_parsing": "",
    "stream_endpoint": "Stream",
    "_tool_run": "ToolRun",
}
"""Decorator of a method -> the type that its result is wrapped in."""

STREAMS = {"ChatCompletionChunk": "ChatCompletionStream", "ResponsesStreamEvent": "ResponsesStream"}
"""Type of the chunks -> the stream that `_typed_stream` makes of them."""

_PAIR = re.compile(r"_as\(lambda: endpoints\.(\w+)")

SECTIONS = ("Args", "Attributes", "Fields", "Raises")

_SECTION = re.compile(rf"^(?:{'|'.join(SECTIONS)}):$")
_HEAD = re.compile(r"^[A-Z]\w*( \w+)?:$")
_GROUP = re.compile(r"^    (\*{0,2}\w+(?:, \*{0,2}\w+)+): (.*)$")
_NAME = re.compile(r"(?<![`\[\w])`([A-Z]\w+)`(?![`\]\w])")

Annotation = Union[str, Expr, None]


class MeshAPIExtension(Extension):
    """Changes what griffe has read of a package, after it has read all of it."""

    def __init__(self) -> None:
        super().__init__()
        self._targets = docs_reference.targets()
        # Path of a class -> name of a field -> its description under `Fields:`.
        self._said: dict[str, dict[str, str]] = {}

    def on_package(self, *, pkg: Module, **kwargs: Any) -> None:
        """Rewrite docstrings first, because signatures use the docstrings of other classes."""
        _export(pkg)
        found = list(_objects(pkg))
        for each in found:
            if each.docstring is not None:
                self._rewrite(each, each.docstring)
        for each in found:
            if isinstance(each, Function):
                self._show_parameters(each)
        for each in found:
            if isinstance(each, Class):
                self._list_attributes(each)

    def _rewrite(self, owner: Object, docstring: Docstring) -> None:
        text = _with_trees(docstring.value)
        lines = list(_without_sentences(list(_ungrouped(_joined(text)))))
        text = "\n".join(_preformatted(lines))
        if isinstance(owner, Class):
            text = re.sub(r"^Fields:$", "Attributes:", text, flags=re.MULTILINE)
        docstring.value = self._linked(text, owner.name)

    def _linked(self, text: str, own: str) -> str:
        def link(found: "re.Match[str]") -> str:
            target = self._targets.get(found[1])
            return f"[`{found[1]}`][{target}]" if target and found[1] != own else found[0]

        lines = text.split("\n")
        in_code = False
        for number, line in enumerate(lines):
            starts_code = line.startswith("    ") and (number == 0 or not lines[number - 1])
            in_section = number and _SECTION.match(lines[number - 1])
            in_code = (in_code and (line.startswith("    ") or not line)) or starts_code
            if not in_code or in_section:
                lines[number] = _NAME.sub(link, line)
        return "\n".join(lines)

    # Classes

    def _list_attributes(self, cls: Class) -> None:
        described = self._descriptions(cls)
        public = [
            attribute
            for attribute in _fields(cls)
            if attribute.name not in described or attribute.parent is not cls
        ]
        own = [each for each in public if each.parent is cls and each.docstring is None]
        if not own and not described:
            return
        if cls.docstring is None:
            return
        section = _section(cls.docstring, DocstringSectionKind.attributes)
        if section is None:
            section = DocstringSectionAttributes([])
            cls.docstring.parsed.append(section)
        for entry in section.value:
            member = cls.members.get(entry.name)
            if isinstance(member, Attribute):
                entry.annotation, _ = _bare(member.annotation)
                entry.description += _default(member)
        for each in own:
            annotation, _ = _bare(each.annotation)
            entry = DocstringAttribute(each.name, annotation=annotation, description="")
            entry.description = _default(each).strip()
            section.value.append(entry)
        order = {name: place for place, name in enumerate(cls.members)}
        section.value.sort(key=lambda entry: order.get(entry.name, len(order)))

    def _descriptions(self, cls: Class) -> dict[str, str]:
        """Return the descriptions of fields in a class and its bases."""
        if cls.path not in self._said:
            said: dict[str, str] = {}
            for base in cls.resolved_bases:
                if isinstance(base, Class):
                    said.update(self._descriptions(base))
            if cls.docstring is not None:
                section = _section(cls.docstring, DocstringSectionKind.attributes)
                if section is not None:
                    said.update((entry.name, entry.description) for entry in section.value)
            self._said[cls.path] = said
        return self._said[cls.path]

    # Functions

    def _show_parameters(self, function: Function) -> None:
        # First, because the docstring takes the return type from here.
        for decorator in function.decorators:
            written = str(decorator.value)
            pair = _PAIR.search(written)
            if pair is not None:
                # The class for blocking clients.
                function.returns = pair[1]
            elif written == "_typed_stream":
                function.returns = STREAMS[str(_result(function.returns, ""))]
            elif written in DECORATORS:
                function.returns = _result(function.returns, DECORATORS[written])
        self._unpack(function)

    def _unpack(self, function: Function) -> None:
        """Replace `**fields: Unpack[...]` by its keys."""
        overloads = function.overloads or []
        for parameter in function.parameters:
            annotation = parameter.annotation
            if overloads and parameter.kind is ParameterKind.var_keyword:
                # The implementation of overloads does not have their types.
                annotation = overloads[-1].parameters[parameter.name].annotation
            if (
                parameter.kind is ParameterKind.var_keyword
                and isinstance(annotation, ExprSubscript)
                and str(annotation.left).rpartition(".")[2] == "Unpack"
            ):
                break
        else:
            return
        keys = self._class(function, annotation.slice)
        if keys is None:
            return
        described = dict(self._descriptions(keys))
        for other in function.parameters:
            for name in re.findall(r"\w+", str(other.annotation or "")):
                known = self._class(function, name)
                if other is not parameter and known is not None:
                    described.update(self._descriptions(known))
        positional = [each for each in function.parameters if each.name != parameter.name]
        keywords = [
            Parameter(
                each.name,
                annotation=(bare := _bare(each.annotation, keys))[0],
                kind=ParameterKind.keyword_only,
                default=None if bare[1] else "...",
            )
            for each in _fields(keys)
        ]
        # Required parameters come first.
        keywords.sort(key=lambda each: each.default is not None)
        # Keep the replaced parameter until its line in the docstring has been looked up.
        function.parameters = Parameters(*positional, *keywords, parameter)
        owner = function.parent if function.name == "__init__" else function
        if owner is not None and owner.docstring is not None:
            _describe(owner.docstring, parameter.name, keywords, described)
        function.parameters = Parameters(*positional, *keywords)

    def _class(self, function: Function, name: Any) -> Optional[Class]:
        try:
            path = name.canonical_path if isinstance(name, Expr) else function.resolve(name)
            found = function.modules_collection[path]
            found = found.final_target if isinstance(found, Alias) else found
        except Exception:
            # A builtin, or a name of another library.
            return None
        return found if isinstance(found, Class) else None


def _export(package: Module) -> None:
    """Add to a face the names that it exports, as griffe does not follow all of its imports."""
    for face in docs_reference.FACES:
        if face.partition(".")[0] != package.name:
            continue
        module = package if face == package.name else package[face.partition(".")[2]]
        for name, home in docs_reference.homes(face).items():
            if home != face and not home.startswith("meshapi.gateway"):
                module.set_member(name, Alias(name, f"{home}.{name}"))


def _objects(owner: Any) -> Iterator[Any]:
    yield owner
    for member in list(owner.members.values()):
        if not member.is_alias:
            yield from _objects(member)


def _section(docstring: Docstring, kind: DocstringSectionKind) -> Optional[DocstringSection]:
    return next((each for each in docstring.parsed if each.kind is kind), None)


def _fields(cls: Class) -> list[Attribute]:
    """Return the public typed attributes of a class and its bases, in the order of the source."""
    found: dict[str, Attribute] = {}
    for base in cls.resolved_bases:
        if isinstance(base, Class):
            found.update((each.name, each) for each in _fields(base))
    for member in cls.members.values():
        if isinstance(member, Attribute) and member.annotation and member.name[0] != "_":
            is_property = "property" in member.labels
            is_constant = str(member.annotation).startswith("ClassVar")
            if not is_property and not is_constant:
                found[member.name] = member
    return list(found.values())


def _bare(annotation: Annotation, keys: Optional[Class] = None) -> tuple[Annotation, bool]:
    """Return a type without `Required` and the like, and whether its key is required."""
    total = keys is None or str(keys.keywords.get("total", "True")) == "True"
    if isinstance(annotation, ExprSubscript):
        outer = str(annotation.left).rpartition(".")[2]
        if outer in ("Required", "NotRequired"):
            return annotation.slice, outer == "Required"
        if outer == "Annotated" and isinstance(annotation.slice, ExprTuple):
            inner = annotation.slice.elements[0]
            return (inner if isinstance(inner, Expr) else str(inner)), total
    return annotation, total


def _default(attribute: Attribute) -> str:
    value = str(attribute.value or "")
    says_something = re.fullmatch(r"True|[1-9][\d_]*(\.\d+)?|0\.\d+|\d+\.\d+|(['\"]).+\2", value)
    return f" Default: `{value}`." if says_something else ""


def _result(returns: Annotation, wrapper: str) -> Annotation:
    if not isinstance(returns, ExprSubscript):
        return returns
    inner = returns.slice
    if isinstance(inner, ExprTuple):
        inner = inner.elements[-1]
    if wrapper:
        return ExprSubscript(wrapper, inner)
    return inner if isinstance(inner, Expr) else str(inner)


def _describe(
    docstring: Docstring, replaced: str, keywords: list[Parameter], described: dict[str, str]
) -> None:
    section = _section(docstring, DocstringSectionKind.parameters)
    if section is None:
        section = DocstringSectionParameters([])
        docstring.parsed.append(section)
    named = {entry.name.lstrip("*"): entry for entry in section.value}
    named.pop(replaced, None)
    for keyword in keywords:
        if keyword.name not in named:
            named[keyword.name] = DocstringParameter(
                keyword.name,
                annotation=keyword.annotation,
                description=described.get(keyword.name, ""),
            )
    section.value[:] = named.values()


def _with_trees(text: str) -> str:
    """Return the text with drawings of trees preformatted."""
    paragraphs = text.split("\n\n")
    for number, each in enumerate(paragraphs):
        if re.search(r"^[├└]", each, re.MULTILINE):
            paragraphs[number] = textwrap.indent(each, "    ")
    return "\n\n".join(paragraphs)


def _joined(text: str) -> list[str]:
    """Return the lines of a docstring, with all names before a colon on one line."""
    return re.sub(r"^(    \w+(?:, \w+)*,)\n +(?=\w+[,:])", r"\1 ", text, flags=re.MULTILINE).split(
        "\n"
    )


def _without_sentences(lines: list[str]) -> Iterator[str]:
    """Move sentences that name no error out of `Raises:`, as text after the section."""
    sentences: list[str] = []
    section: list[str] = []
    for line in [*lines, None]:
        if line == "Raises:" and not section:
            section = [line]
        elif section and line is not None and (line.startswith("    ") or not line):
            is_sentence = re.match(r"    \S", line) and not re.match(r"    [\w., ]+: ", line)
            is_more = line.startswith("     ") and bool(sentences)
            (sentences if is_sentence or is_more else section).append(line)
        else:
            if section:
                yield from section if len(list(filter(None, section))) > 1 else ()
                if sentences:
                    prefix = "" if len(list(filter(None, section))) > 1 else "Raises: "
                    yield from ("", prefix + " ".join(each.strip() for each in sentences), "")
                section, sentences = [], []
            if line is not None:
                yield line


def _ungrouped(lines: list[str]) -> Iterator[str]:
    """Split `a, b: text` in a section into two lines with the same text."""
    section = ""
    group: list[str] = []
    for number, line in enumerate(lines):
        if _SECTION.match(line):
            section = line
        elif line and not line.startswith(" "):
            section = ""
        found = _GROUP.match(line) if section and section != "Raises:" else None
        if found is None:
            yield line
            continue
        group = found[1].split(", ")
        following: list[str] = []
        for after in lines[number + 1 :]:
            if not after.startswith("     "):
                break
            following.append(after)
        for name in group[:-1]:
            yield f"    {name}: {found[2]}"
            yield from following
        yield f"    {group[-1]}: {found[2]}"


def _preformatted(lines: list[str]) -> Iterator[str]:
    before = ""
    for line in lines:
        is_text = bool(before) and not before.startswith((" ", "-", "*"))
        if is_text and line.startswith("    ") and not _HEAD.match(before):
            # The second line of `Source:` continues the first.
            if before.startswith("Source:"):
                yield line.strip()
                before = "Source:"
                continue
            yield ""
        yield line
        before = line
