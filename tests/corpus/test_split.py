"""Subjects stay where they are."""

import pytest

from lucidmr.corpus.split import SPLITS, Split, anonymous

SUBJECTS = [anonymous(str(number)) for number in range(3000)]


def test_shares_are_as_wanted() -> None:
    split = Split(validation=0.2, test=0.1)
    shares = {name: sum(split.of(subject) == name for subject in SUBJECTS) / len(SUBJECTS) for name in SPLITS}
    assert shares == pytest.approx({"train": 0.7, "validation": 0.2, "test": 0.1}, abs=0.03)


def test_the_split_of_a_subject_never_changes() -> None:
    """Written out: a version that shares subjects out anew would test on what an earlier one trained on."""
    assert [Split().of(subject) for subject in ("a", "b", "c", "d", "e", "f", "g")] == [
        "train",
        "validation",
        "train",
        "validation",
        "train",
        "train",
        "train",
    ]


def test_a_smaller_share_only_gives_subjects_back_to_training() -> None:
    large, small = Split(0.2, 0.2), Split(0.1, 0.1)
    moved = [(large.of(s), small.of(s)) for s in SUBJECTS if large.of(s) != small.of(s)]
    assert {after for _, after in moved} == {"train"}


def test_all_or_nothing() -> None:
    assert {Split(0.0, 0.0).of(subject) for subject in SUBJECTS} == {"train"}
    assert {Split(0.0, 1.0).of(subject) for subject in SUBJECTS} == {"test"}
    assert {Split(1.0, 0.0).of(subject) for subject in SUBJECTS} == {"validation"}


def test_names_are_not_told() -> None:
    assert "Doe" not in anonymous("Doe")
    assert anonymous("Doe") == anonymous("Doe") != anonymous("Roe")


@pytest.mark.parametrize("shares", [(-0.1, 0.1), (0.1, 1.1), (0.6, 0.6), (float("nan"), 0.1)])
def test_impossible_shares_are_refused(shares) -> None:
    with pytest.raises(ValueError, match=r"validation|test"):
        Split(*shares)
