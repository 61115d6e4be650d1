"""Holds the rows of the patient archive, the page that asks for a fresh second step; all of it is invented."""

from typing import Final, NamedTuple


class Patient(NamedTuple):
    """One row of the archive."""

    number: str
    name: str
    born: int
    ward: str
    discharged: str


PATIENTS: Final = (
    Patient("P-20417", "Marta Svensson", 1951, "Cardiology", "4 February 2026"),
    Patient("P-20433", "Jonas Weil", 1988, "Surgery", "9 February 2026"),
    Patient("P-20458", "Irène Dubois", 1967, "Internal medicine", "17 February 2026"),
    Patient("P-20460", "Tomasz Zielinski", 2014, "Pediatrics", "18 February 2026"),
    Patient("P-20502", "Amina Yusuf", 1979, "Maternity", "1 March 2026"),
)
