"""How many pictures a model is evaluated on: fewer for a small test split, for speed."""

# From this many test examples on, the evaluation has its full size.
FULL_STUDY = 5000
_DIGITS = 200
# At least this many digits, and one in a hundred of a small test split.
_FEWEST_DIGITS, _TEST_EXAMPLES_PER_DIGIT = 4, 100
_NON_DIGITS_PER_DIGIT, _FEWEST_NON_DIGITS = 2, 100


def digits_per_condition(test_examples: int) -> int:
    """The number of test digits per corruption and severity, and per kind of rendered picture."""
    if test_examples >= FULL_STUDY:
        return _DIGITS
    return max(_FEWEST_DIGITS, test_examples // _TEST_EXAMPLES_PER_DIGIT)


def non_digits_per_family(digits: int) -> int:
    """The number of non-digits per family, beside that number of digits per condition."""
    return max(_FEWEST_NON_DIGITS, _NON_DIGITS_PER_DIGIT * digits)
