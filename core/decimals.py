"""Write numbers, shares and intervals for people: no `7e-2`, no `100.0 %`, no `– to –`."""

from __future__ import annotations

import math

NONE = "–"  # where there is no number
SMALLEST = 1e-5  # sizes below this are written with a power of ten
LARGEST = 1e6  # sizes from this on too
RAISED = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")


def number(value: float | None, digits: int = 2) -> str:
    """Write a number with so many decimals; one that would be 0 then, with its first significant digit.

    >>> number(None), number(-1.234), number(0.0), number(0.07, 1), number(0.00042), number(-2.5e-12)
    ('–', '−1.23', '0.00', '0.07', '0.0004', '−2 × 10⁻¹²')
    """
    if value is None or math.isnan(value):
        return NONE
    if value != 0.0 and abs(value) < 10.0**-digits:
        return significant(value, 1)
    return f"{value:.{digits}f}".replace("-", "−")


def significant(value: float | None, digits: int = 2) -> str:
    """Write a number with so many significant digits, such as a p value; powers of ten for extreme sizes.

    >>> significant(0.0123), significant(6.2e-05), significant(1.2e-9), significant(0.0), significant(1.0)
    ('0.012', '0.000062', '1.2 × 10⁻⁹', '0', '1')
    >>> significant(1.234e12, 3), significant(1234.0), significant(-0.5), significant(None)
    ('1.23 × 10¹²', '1200', '−0.5', '–')
    """
    if value is None or math.isnan(value):
        return NONE
    if math.isinf(value) or value == 0.0:
        return "0" if value == 0.0 else str(value).replace("-", "−")
    first, power = f"{value:.{digits - 1}e}".split("e")
    if SMALLEST <= abs(value) < LARGEST:
        rounded = float(f"{first}e{power}")
        text = f"{rounded:.{max(digits - 1 - int(power), 0)}f}"
        text = text.rstrip("0").rstrip(".") if "." in text else text
    else:
        first = first.rstrip("0").rstrip(".") if "." in first else first
        text = f"{first} × 10{str(int(power)).translate(RAISED)}"
    return text.replace("-", "−")


def percent(share: float | None, digits: int = 1) -> str:
    """Write a share in percent. All and none are said as such, and nothing else is rounded to them.

    >>> percent(0.1234), percent(1.0), percent(0.9996), percent(0.0004), percent(0.0), percent(None)
    ('12.3 %', '100 %', 'over 99.9 %', 'under 0.1 %', '0 %', '–')
    >>> percent(0.996, 0), percent(0.5, 0), percent(-0.25), percent(1.5, 0)
    ('over 99 %', '50 %', '−25.0 %', '150 %')
    """
    if share is None or math.isnan(share):
        return NONE
    if share in (0.0, 1.0):
        return f"{100 * share:.0f} %"
    least = 10.0**-digits
    text = f"{100.0 * share:.{digits}f}"
    if 0.0 < share < 1.0 and float(text) == 100.0:
        return f"over {100.0 - least:.{digits}f} %"
    if share > 0.0 and float(text) == 0.0:
        return f"under {least:.{digits}f} %"
    return f"{text} %".replace("-", "−")


def span(low: float | None, high: float | None, digits: int = 2) -> str:
    """Write the two ends of an interval; one dash where there are none.

    >>> span(-0.5, 1.0), span(None, float("nan")), span(0.5, None)
    ('−0.50 to 1.00', '–', '0.50 to –')
    """
    ends = number(low, digits), number(high, digits)
    return NONE if ends == (NONE, NONE) else " to ".join(ends)


def hundredths(share: float | None) -> str:
    """Write a share in percent, without the sign, for a column that has it.

    >>> hundredths(0.1234), hundredths(1.0), hundredths(None)
    ('12.3', '100', '–')
    """
    return percent(share).removesuffix(" %")
