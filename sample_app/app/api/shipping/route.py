"""Typed on edge: the same types, the same answers; pydantic's core is WebAssembly there."""

from dataclasses import dataclass
from decimal import Decimal
from typing import Annotated, Literal

from pydantic import BaseModel, Field

from runtimes import status

runtime = "edge"
cors = {"origins": ["http://localhost:5173"]}  # the front end in web/


class Parcel(BaseModel):
    weight: float = Field(gt=0)
    to: str = Field(min_length=2, max_length=2)
    speed: Literal["normal", "express"] = "normal"


@dataclass
class Price:
    amount: Decimal
    currency: str = "EUR"


@dataclass
class TooHeavy:
    error: str
    most: int


def POST(*, body: Parcel) -> Price | Annotated[TooHeavy, status(409)]:
    if body.weight > 30:
        return TooHeavy("this is freight", most=30)
    rate = Decimal("2.50") if body.speed == "express" else Decimal("1.00")
    return Price((4 + rate * Decimal(body.weight)).quantize(Decimal("0.01")))
