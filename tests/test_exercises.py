"""Every exercise: as given it fails, solved it passes, each wrong answer is told what is wrong."""

import pytest

import greetlab as gl
from greetlab.lessons.checking import judge
from greetlab.lessons.exercises import NOTEBOOKS, all_exercises

EXERCISES = list(all_exercises().values())
WRONG = [
    pytest.param(exercise, make, part, id=f"{exercise.name}-{number}")
    for exercise in EXERCISES
    for number, (make, part) in enumerate(exercise.wrong, start=1)
]


def names(exercise):
    return exercise.name


@pytest.mark.parametrize("exercise", EXERCISES, ids=names)
def test_as_given_it_fails_with_a_sentence_of_its_own(exercise):
    verdict = judge(exercise.name, exercise.unsolved())
    assert verdict.status == "fail", verdict
    assert_sentence(verdict.sentence)
    others = [judge(exercise.name, make()).sentence for make, _ in exercise.wrong]
    assert len(exercise.wrong) >= 3
    assert len({part for _, part in exercise.wrong}) == len(exercise.wrong)
    assert verdict.sentence not in others


@pytest.mark.parametrize("exercise", EXERCISES, ids=names)
def test_solved_it_passes(exercise):
    assert judge(exercise.name, exercise.solution()).ok


@pytest.mark.parametrize(("exercise", "make", "part"), WRONG)
def test_a_typical_wrong_answer_is_told_what_is_wrong(exercise, make, part):
    verdict = judge(exercise.name, make())
    assert verdict.status == "fail", verdict
    assert part in verdict.sentence
    assert_sentence(verdict.sentence)


@pytest.mark.parametrize("exercise", EXERCISES, ids=names)
def test_what_its_own_words_forbid_does_not_pass(exercise):
    """Found: 02.luck-of-many, which is about pick_first, passed with round_robin."""
    assert exercise.forbidden
    for make in exercise.forbidden:
        verdict = judge(exercise.name, make())
        assert verdict.status == "fail", verdict
        assert_sentence(verdict.sentence)


@pytest.mark.parametrize("exercise", EXERCISES, ids=names)
def test_what_it_cannot_look_at_is_unknown(exercise):
    for value in (object(), None, True):
        verdict = judge(exercise.name, value)
        assert verdict.status == "unknown"
        assert_sentence(verdict.sentence)


def test_every_notebook_has_exercises_under_its_number():
    numbers = {name.split(".")[0] for name in all_exercises()}
    assert numbers == {f"{number:02}" for number, _ in enumerate(NOTEBOOKS, start=1)}


def test_check_prints_one_line_and_returns_it(capsys):
    verdict = gl.check("02.who-chose")
    assert capsys.readouterr().out == f"{verdict}\n"
    assert (verdict.status, verdict.ok) == ("unknown", False)
    assert "Find the event" in verdict.sentence


def test_an_exercise_that_there_is_not():
    with pytest.raises(LookupError, match=r"no exercise '09.x': there is 01.three-addresses, "):
        gl.check("09.x", 1)


def assert_sentence(text):
    assert text.endswith(".")
    assert "\n" not in text
    assert "None" not in text
