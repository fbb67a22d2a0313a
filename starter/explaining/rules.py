"""The rules by number and name, as docs/rules.md tells them."""

from enum import StrEnum


class Rule(StrEnum):
    """A rule's number."""

    R1 = "R1"
    R2 = "R2"
    R3 = "R3"
    R4 = "R4"
    R5 = "R5"
    R6 = "R6"
    R7 = "R7"
    R8 = "R8"
    R9 = "R9"
    R10 = "R10"
    R11 = "R11"
    R12 = "R12"
    R13 = "R13"
    R14 = "R14"
    R15 = "R15"
    R16 = "R16"
    R17 = "R17"
    R18 = "R18"
    R19 = "R19"


NAMES: dict[Rule, str] = {
    Rule.R1: "Only administrators decide.",
    Rule.R2: "What an account needs before it may pause.",
    Rule.R3: "What stops, and in which order.",
    Rule.R4: "The numbers are kept.",
    Rule.R5: "Web sites need no change.",
    Rule.R6: "What one can still open.",
    Rule.R7: "The fee: $5 on each regular billing date inside the pause.",
    Rule.R8: "The card on file at that moment pays.",
    Rule.R9: "A resume brings everything back as it was.",
    Rule.R10: "Resume and charge never race.",
    Rule.R11: "It ends by itself.",
    Rule.R12: "Nobody is surprised.",
    Rule.R13: "A declined card is not the end.",
    Rule.R14: "A close is for good.",
    Rule.R15: "Pressing twice does it once.",
    Rule.R16: "Faults are survived.",
    Rule.R17: "Temporal learns nothing personal.",
    Rule.R18: "The terms do not change under a pause.",
    Rule.R19: "What is shown is what will be done.",
}
