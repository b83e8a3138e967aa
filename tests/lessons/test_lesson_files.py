"""Test lesson files: those that ship can be played, and a wrong one gets a line with its file and field."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from msgspec import to_builtins

import gradtui
from gradtui.ascii_text import in_ascii
from gradtui.lessons.lesson import (
    COLUMNS,
    MOST_LESSON_LINES,
    Lesson,
    LessonError,
    LessonStep,
    check_experiments,
    columns_of,
    parse,
    wrapped,
)
from gradtui.lessons.library import (
    LessonEntry,
    languages,
    lessons,
    load,
    note_step,
    open_lesson,
    progress_path,
    read_progress,
    wanted_language,
    words_of,
)
from gradtui.toml_text import parse as parse_toml
from gradtui.ui.screens.lab.lesson_pane import _notice, _question, broken, spelled

ALL = [entry for language in languages() for entry in lessons(language)]


@pytest.mark.parametrize("entry", ALL, ids=lambda entry: f"{entry.language}-{entry.lesson.lesson}")
def test_every_lesson_that_ships_names_known_experiments_and_its_sources(entry: LessonEntry) -> None:
    lesson = entry.lesson
    check_experiments(lesson, lesson.lesson)
    assert lesson.about
    assert columns_of(lesson.title) <= 40
    assert any(step.source for step in lesson.step) or lesson.lesson in ("bars", "script")
    for step in lesson.step:
        assert step.question is None or step.notice, "one is told what there was to notice"
        if step.question is not None:
            assert len(wrapped(step.question.hint, 70)) <= 3
            assert all(columns_of(choice.text) <= 70 for choice in step.question.choices)


def test_the_lessons_have_names_of_their_own_and_an_order() -> None:
    names = [entry.lesson.lesson for entry in lessons()]
    assert names[:5] == ["bars", "vanishing", "product", "exploding", "degradation"]
    assert len(set(names)) == len(names)
    assert open_lesson("2") == open_lesson("vanishing")


TRANSLATED = [entry for entry in ALL if entry.language != "en"]
ROWS = 10
"""The lines of text that the pane of a lesson can have."""


def _without_texts(lesson: Lesson) -> object:
    """All that decides how a lesson is played: what is left where its texts and sources are taken out."""
    raw = to_builtins(lesson)
    for step in raw["step"]:
        question = step["question"]
        for part in (step, question or {}, *(question or {}).get("choices", ())):
            for name in ("title", "text", "do", "notice", "source", "ask", "hint"):
                if name in part:
                    part[name] = bool(part[name])
    return raw["lesson"], raw["step"]


_NUMBER = re.compile(r"(?<![A-Za-z\d.])[-−]?\d+(?:[.,]\d+)*(?:e[-−]?\d+)?")


def _numbers(step: LessonStep) -> list[list[str]]:
    """The figures of each text of a step, those of all choices together."""
    asked = step.question
    choices = " ".join(choice.text for choice in asked.choices) if asked else ""
    texts = (
        step.text,
        step.do,
        step.notice,
        step.source,
        asked.ask if asked else "",
        asked.hint if asked else "",
    )
    return [sorted(_NUMBER.findall(text)) for text in (*texts, choices)]


def test_no_lesson_counts_the_charts_between_two_metrics() -> None:
    """A new metric stands between others: a step names the chart that it is about, and the lab shows it."""
    for entry in ALL:
        for step in entry.lesson.step:
            assert not re.search(r"\bm (twice|once|again|three)|次 m", step.do), step.do


@pytest.mark.parametrize("entry", TRANSLATED, ids=lambda entry: f"{entry.language}-{entry.lesson.lesson}")
def test_a_translation_asks_the_same_of_the_same_experiments(entry: LessonEntry) -> None:
    (english,) = [one.lesson for one in lessons() if one.lesson.lesson == entry.lesson.lesson]
    assert _without_texts(entry.lesson) == _without_texts(english)
    for step, original in zip(entry.lesson.step, english.step, strict=True):
        # What is pressed, and what is read off the screen, is the same in all languages.
        keys = re.compile(r"[←→↑↓]|\bspace\b|\bpage up\b|\besc\b|\b[a-zA-Z0-9]\b")
        assert set(keys.findall(step.do.lower())) == set(keys.findall(original.do.lower())) - {"a"}, step.do
        assert _numbers(step) == _numbers(original), "a figure that one language has and the other has not"
        if entry.language == "zh":
            assert re.search("[\u4e00-\u9fff]", step.text)
            assert not step.notice or re.search("[\u4e00-\u9fff]", step.notice)


def test_all_lessons_are_translated_into_chinese() -> None:
    assert [entry.language for entry in lessons("zh")] == ["zh"] * 15


@pytest.mark.parametrize("entry", ALL, ids=lambda entry: f"{entry.language}-{entry.lesson.lesson}")
def test_every_page_of_a_lesson_has_room_beneath_the_charts_of_a_small_terminal(entry: LessonEntry) -> None:
    """Also with the verdict on a wrong answer, and with the hint instead of the text."""
    say = words_of(entry.language)
    for step in (*entry.lesson.step, *map(spelled, entry.lesson.step)):
        wrong = (
            max((choice.text for choice in step.question.choices), key=columns_of, default="")
            if step.question
            else ""
        )
        verdict = (False, say(f"Not this: {wrong}. H gives a hint."))
        for parts in (
            _question(step, verdict, False, say),
            _question(step, verdict, True, say),
            _notice(step, (True, wrong), say),
        ):
            lines = [line.plain for part in parts for line in broken(part, COLUMNS)]
            assert len(lines) <= ROWS, lines
            assert all(columns_of(line) <= COLUMNS for line in lines), lines
            assert "".join("".join(lines).split()) == "".join("".join(part.plain for part in parts).split())
            assert not [line for line in lines if line[0] in "，。、；：！？）" or line[-1] in "（"], lines


def test_formulas_are_spelled_where_a_terminal_has_only_ascii() -> None:
    step = lessons()[2].lesson.step[2]
    assert "(1/4)²⁰ = 9e-13" in step.text
    assert "(1/4)^20 = 9e-13" in in_ascii(spelled(step).text)
    for entry in lessons():
        for step in map(spelled, entry.lesson.step):
            said = f"{step.text} {step.notice}"
            assert in_ascii(said).count("?") == said.count("?"), "a sign without a stand-in"


def test_what_is_said_around_a_lesson_is_translated_where_it_is_said() -> None:
    """Each text that is translated stands in the code, so that none of them is out of use."""
    package = Path(gradtui.__file__).parent
    files = ("lessons/answers.py", "ui/app_lessons.py", *(f"ui/screens/lab/{name}.py" for name in SCREENS))
    code = "".join((package / file).read_text() for file in files)
    for key in parse_toml((package / "lessons/zh/words.toml").read_text()):
        for piece in re.split(r"\{\}| · ", key):
            assert piece.strip(" .") in code, key
    assert words_of("zh")("layer 3 has 1.2e-09") == "第 3 层的值是 1.2e-09"
    assert words_of("zh")("梯度消失 · 1 of 4 · 有多弱？") == "梯度消失 · 1/4 · 有多弱？"
    assert words_of("en")("Hint: look") == words_of("")("Hint: look") == "Hint: look"


SCREENS = ("lesson_guide", "lesson_pane")

GOOD = """
lesson = "mine"
title = "Mine"
[[step]]
title = "One"
text = "Look."
experiment = "sigmoid-20"
[step.question]
kind = "layer"
ask = "Which?"
hint = "Look."
quantity = { of = "grad_norm" }
"""

WRONG = {
    "no TOML": ("lesson =\ntitle = 1", "line 1"),
    "no title": ('lesson = "mine"\n[[step]]\ntitle = "One"\ntext = "Look."', "title"),
    "no steps": ('lesson = "mine"\ntitle = "Mine"', "step"),
    "unknown field": (GOOD.replace('ask = "Which?"', 'ask = "Which?"\nasks = 1'), "step 1.question: "),
    "wrong type": (GOOD.replace('"Look."\nexperiment', "5\nexperiment"), "step 1.text"),
    "unknown kind": (GOOD.replace('"layer"', '"lay"'), "step 1.question.kind"),
    "unknown metric": (GOOD.replace("grad_norm", "grad_nrm"), "step 1: question.quantity.of"),
    "unknown preset": (GOOD.replace("sigmoid-20", "sigmoid-21"), "step 1: experiment"),
    "bad change": (GOOD.replace('"sigmoid-20"', '"sigmoid-20"\nset = { "net.0.width" = -1 }'), "net.0.width"),
    "too long": (GOOD.replace('text = "Look."', f'text = "{"word " * 120}"'), "step 1: text"),
    "no right choice": (
        GOOD.replace('"layer"', '"choice"')
        .replace('quantity = { of = "grad_norm" }', 'choices = [{ text = "a" }, { text = "b" }]'),
        "step 1: question.choices",
    ),
    "no layer": (GOOD.replace('"layer"', '"number"'), "step 1: question.quantity.layer"),
    "no choices": (
        GOOD.replace('"layer"', '"choice"').replace('"grad_norm"', '"loss"'),
        "step 1: question.choices",
    ),
}  # fmt: skip


def test_a_good_file_of_another_person_is_a_lesson(tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    path.write_text(GOOD)
    assert load(path).lesson == "mine"
    assert open_lesson(str(path)).language == ""


@pytest.mark.parametrize("name", WRONG)
def test_a_wrong_file_gets_one_line_with_the_file_and_the_field(name: str, tmp_path: Path) -> None:
    text, field = WRONG[name]
    path = tmp_path / "mine.toml"
    path.write_text(text)
    with pytest.raises(LessonError) as error:
        load(path)
    line = str(error.value)
    assert line.startswith(f"{path}: ")
    assert field in line
    assert "\n" not in line


def test_files_that_cannot_be_read_are_named(tmp_path: Path) -> None:
    with pytest.raises(LessonError, match=r"no\.toml"):
        load(tmp_path / "no.toml")
    (tmp_path / "bytes.toml").write_bytes(b"\xff\xfe")
    with pytest.raises(LessonError, match="UTF-8"):
        load(tmp_path / "bytes.toml")
    with pytest.raises(LessonError, match="did you mean"):
        open_lesson("vanishin")


def test_lines_are_counted_in_columns_of_a_terminal() -> None:
    assert wrapped("one two three", 7) == ["one two", "three"]
    assert wrapped("one\ntwo\n\nthree", 80) == ["one two", "three"], "an empty line begins a paragraph"
    assert wrapped("梯度消失", 4) == ["梯度", "消失"]
    assert wrapped("梯度\n消失", 80) == ["梯度消失"], "no blank where a line of the file ends"
    assert wrapped("消失。\nAdam", 80) == ["消失。Adam"]
    assert wrapped("梯度消失，爆炸", 8) == ["梯度消", "失，爆炸"], "no comma begins a line"
    assert wrapped("看（图）", 6) == ["看", "（图）"]
    assert len(wrapped("word " * 60, 76)) <= MOST_LESSON_LINES


def test_the_language_is_the_settings_or_the_locales() -> None:
    assert wanted_language("", {}) == "en"
    assert wanted_language("", {"LANG": "C.UTF-8"}) == "en"
    assert wanted_language("", {"LANG": "zh_CN.UTF-8"}) == "zh"
    assert wanted_language("", {"LC_ALL": "de_AT@euro", "LANG": "zh_CN.UTF-8"}) == "de"
    assert wanted_language("en", {"LANG": "zh_CN.UTF-8"}) == "en"
    assert [entry.lesson.lesson for entry in lessons("xx")] == [entry.lesson.lesson for entry in lessons()]


def test_progress_is_kept_and_a_damaged_file_is_none(home: Path) -> None:
    assert read_progress() == {}
    note_step("bars", 2)
    note_step("bars", 1)
    note_step("product", 1)
    assert read_progress() == {"bars": [1, 2], "product": [1]}
    for text in ("[]", "{", '{"bars": 3}', '{"bars": ["x", -1, 2.5]}'):
        progress_path().write_text(text)
        assert read_progress() in ({}, {"bars": []})
    note_step("bars", 3)
    assert read_progress() == {"bars": [3]}


def test_the_shipped_texts_are_parsed_strictly() -> None:
    text = Path(gradtui.__file__).with_name("lessons").joinpath("en/01-bars.toml").read_text()
    with pytest.raises(LessonError, match="at most"):
        parse(text.replace('title = "Train a net', f'notice = "{"word " * 200}"\ntitle = "Train a net', 1)
              .replace("notice = \"\"\"\nAll bars", "source = \"\"\"\nAll bars", 1), "01")  # fmt: skip


def test_json_lists_them(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    from gradtui.cli import main

    monkeypatch.setenv("LC_ALL", "C.UTF-8")
    assert main(["learn", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert [list(one) for one in told] == [["lesson", "title", "language"]] * len(told)
    assert told[0] == {"lesson": "bars", "title": "A gradient per layer", "language": "en"}
    assert main(["learn", "no-such"]) == 2
    assert capsys.readouterr().err.count("\n") == 1
    assert main(["learn"]) == 0
    assert "vanishing" in capsys.readouterr().out
