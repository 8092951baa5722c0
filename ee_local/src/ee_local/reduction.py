"""Reducers: what turns many values into one, or a few.

A reducer takes the values of its inputs with a weight each. Over a region the weight of a pixel is
the share of it that the region covers, unless the reducer is unweighted; over lists and columns
every weight is 1.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ee_local.errors import EngineError

Values = NDArray[np.float64]
Compute = Callable[[Values, Values], dict[str, Any]]


@dataclass(frozen=True)
class Reducer:
    """A reducer of ``inputs`` values at a time.

    ``compute`` takes the values (n, inputs) and weights (n,) of valid rows and gives the outputs by
    name, in order; ``weighted`` says whether partly covered pixels count in part. ``repeated`` is
    True where it is applied to each band (a reducer of one input), so outputs carry band names.
    ``parts`` are the reducers it combines, each with the prefix of its outputs. ``plain`` computes
    the outputs of rows of values that are not all numbers; None where it cannot.
    """

    name: str
    outputs: tuple[str, ...]
    compute: Compute
    inputs: int = 1
    weighted: bool = True
    repeated: bool = True
    parts: tuple[tuple[Reducer, str], ...] = ()
    plain: Callable[[list[list[Any]]], dict[str, Any]] | None = None

    def over_region(self, values: Values, shares: Values, centred: Values) -> dict[str, Any]:
        """Return the outputs over pixels of a region.

        Parameters
        ----------
        values : ndarray, shape (pixel, input)
            Of valid pixels.
        shares, centred : ndarray, shape (pixel,)
            Share that the region covers, and 1 where it holds the centre: the weights of a weighted
            and of an unweighted reducer.
        """
        if self.parts:
            return {prefix + name: value for part, prefix in self.parts
                    for name, value in part.over_region(values, shares, centred).items()}
        weights = shares if self.weighted else centred
        counted = weights > 0
        return self.compute(values[counted], weights[counted])

    def over_rows(self, rows: list[list[Any]], weights: Values | None = None) -> dict[str, Any]:
        """Return the outputs over rows of any values, each row with one value for each input.

        Raises
        ------
        EngineError
            A value is no number, and the reducer needs numbers.
        """
        try:
            table = np.array(rows, dtype=np.float64).reshape(-1, self.inputs)
        except (TypeError, ValueError):
            if self.plain is None:
                raise EngineError(f"Reducer.{self.name}: the values must be numbers.") from None
            return self.plain(rows)
        return self.compute(table, np.ones(len(table)) if weights is None else weights)

    def unweighted(self) -> Reducer:
        """Return the same reducer, for which a pixel counts fully or not at all."""
        parts = tuple((part.unweighted(), prefix) for part, prefix in self.parts)
        return replace(self, weighted=False, parts=parts)
