"""How many pictures a model is tried on: fewer where the test split is small, so that a small training ends soon."""

# A test split of so many is studied in full.
LARGE = 5000
# Digits for each corruption and severity, and for each kind of picture.
_DIGITS, _FEWEST_DIGITS, _ONE_IN = 200, 4, 100
# Non-digits of each family, for each of those digits.
_NEGATIVES, _FEWEST_NEGATIVES = 2, 100


def digits(test: int) -> int:
    """How many digits of a test split of this size are corrupted in each way, and rendered in each."""
    return _DIGITS if test >= LARGE else max(_FEWEST_DIGITS, test // _ONE_IN)


def negatives(count: int) -> int:
    """How many non-digits of each family go with so many digits."""
    return max(_FEWEST_NEGATIVES, _NEGATIVES * count)
