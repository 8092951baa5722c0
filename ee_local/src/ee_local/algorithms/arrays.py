"""``Array``, and images that hold an array in each pixel."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from ee_local import elements as el
from ee_local.errors import EngineError
from ee_local.grid import Grid
from ee_local.pixels import DOUBLE, Band, Image, Pixels, PixelType, integer_type
from ee_local.pixels import read_all as read_bands
from ee_local.reduction import Reducer
from ee_local.registry import function


def _axis(array: np.ndarray, axis: int, name: str) -> int:
    if not 0 <= axis < array.ndim:
        raise EngineError(f"{name}: axis is {axis}; the array has {array.ndim} dimensions.")
    return axis


@function("Array")
def make(values: Any, kind: PixelType | None) -> np.ndarray:
    """Return an array from nested lists of numbers."""
    try:
        found = np.asarray(values)
    except ValueError:
        raise EngineError("Array: the lists have different lengths.") from None
    if found.dtype.kind not in "iufb":
        raise EngineError("Array: only numbers can be in an array.")
    return found.astype(kind.dtype()) if kind else found


@function("Array.toList")
def to_list(array: np.ndarray) -> list[Any]:
    """Return the array as nested lists."""
    return array.tolist()


@function("Array.get")
def get(array: np.ndarray, position: list[int]) -> float:
    """Return the number at a position."""
    if len(position) != array.ndim:
        raise EngineError(f"Array.get: the position has {len(position)} numbers for "
                          f"{array.ndim} dimensions.")
    try:
        return array[tuple(position)].item()
    except IndexError:
        raise EngineError(f"Array.get: there is nothing at {position}; the array is "
                          f"{' × '.join(map(str, array.shape))}.") from None


@function("Array.length")
def length(array: np.ndarray) -> np.ndarray:
    """Return the lengths of the axes."""
    return np.array(array.shape)


@function("Array.slice")
def sliced(array: np.ndarray, axis: int, start: int, end: int | None, step: int) -> np.ndarray:
    """Return a part of the array along an axis."""
    index = [slice(None)] * array.ndim
    index[_axis(array, axis, "Array.slice")] = slice(start, end, step)
    return array[tuple(index)]


@function("Array.transpose", "Array.matrixTranspose")
def transpose(array: np.ndarray, one: int, two: int) -> np.ndarray:
    """Return the array with two axes exchanged."""
    grown = np.atleast_2d(array).T if array.ndim == 1 and max(one, two) == 1 else array
    if grown is not array:
        return grown.T
    return np.swapaxes(array, _axis(array, one, "Array.transpose"),
                       _axis(array, two, "Array.transpose"))


@function("Array.project")
def project(array: np.ndarray, axes: list[int]) -> np.ndarray:
    """Return the array without the axes that are not named, which must be of length 1."""
    gone = tuple(a for a in range(array.ndim) if a not in axes)
    if any(array.shape[a] != 1 for a in gone):
        raise EngineError("Array.project: an axis that is left out is longer than 1.")
    return array.squeeze(axis=gone)


@function("Array.cat")
def cat(arrays: list[np.ndarray], axis: int) -> np.ndarray:
    """Return arrays as one, along an axis."""
    try:
        return np.concatenate([np.atleast_1d(a) if a.ndim > axis
                               else a.reshape(*a.shape, *[1] * (axis + 1 - a.ndim))
                               for a in arrays], axis=axis)
    except ValueError as error:
        raise EngineError(f"Array.cat: {error}.") from None


@function("Array.reduce")
def reduce(array: np.ndarray, reducer: Reducer, axes: list[int],
           field: int | None) -> np.ndarray:
    """Return a reducer of one input along one axis, which stays with length 1."""
    if len(axes) != 1 or reducer.inputs != 1 or len(reducer.outputs) != 1:
        raise EngineError("Array.reduce: only one axis and reducers of one input and output are "
                          "implemented by the local Earth Engine.")
    axis = _axis(array, axes[0], "Array.reduce")

    def one(values: np.ndarray) -> Any:
        found = reducer.compute(values[:, None].astype(np.float64), np.ones(len(values)))
        return next(iter(found.values()))
    return np.expand_dims(np.apply_along_axis(one, axis, array), axis)


@function("Array.argmax")
def argmax(array: np.ndarray) -> list[int]:
    """Return the position of the largest number."""
    return [int(i) for i in np.unravel_index(array.argmax(), array.shape)]


@function("Array.dotProduct")
def dot(one: np.ndarray, two: np.ndarray) -> float:
    """Return the dot product of two vectors."""
    if one.ndim != 1 or one.shape != two.shape:
        raise EngineError("Array.dotProduct: two vectors of the same length are needed.")
    return float(one @ two)


@function("Array.matrixMultiply")
def matrix_multiply(one: np.ndarray, two: np.ndarray) -> np.ndarray:
    """Return the product of two matrices."""
    if one.ndim != 2 or two.ndim != 2 or one.shape[1] != two.shape[0]:
        raise EngineError("Array.matrixMultiply: the matrices do not fit.")
    return one @ two


@function("Array.matrixTrace")
def trace(array: np.ndarray) -> float:
    """Return the sum of a matrix's diagonal."""
    return float(np.trace(array))


@function("Array.matrixInverse")
def inverse(array: np.ndarray) -> np.ndarray:
    """Return the inverse of a square matrix."""
    try:
        return np.linalg.inv(array)
    except np.linalg.LinAlgError as error:
        raise EngineError(f"Array.matrixInverse: {error}.") from None


@function("Array.identity")
def identity(size: int) -> np.ndarray:
    """Return the identity matrix."""
    if not 1 <= size <= 1000:
        raise EngineError(f"Array.identity: size is {size}; it must be 1 to 1000.")
    return np.eye(size, dtype=int)


def _pairwise(name: str, compute: Callable[[Any, Any], Any], text: str) -> None:
    def applied(one: np.ndarray, two: np.ndarray) -> np.ndarray:
        if one.shape != two.shape and 0 not in (one.ndim, two.ndim):
            raise EngineError(f"Array.{name}: the arrays have the shapes {one.shape} and "
                              f"{two.shape}; they must be the same.")
        with np.errstate(all="ignore"):
            return np.asarray(compute(one, two))

    applied.__doc__ = text
    function(f"Array.{name}")(applied)


for _name, _compute, _text in (
    ("add", np.add, "The sums."), ("subtract", np.subtract, "The differences."),
    ("multiply", np.multiply, "The products."), ("divide", np.divide, "The quotients."),
    ("max", np.maximum, "The larger numbers."), ("min", np.minimum, "The smaller numbers."),
    ("pow", lambda a, b: np.power(a.astype(float), b), "The powers."),
    ("eq", lambda a, b: (a == b) * 1, "1 where the numbers are equal."),
    ("neq", lambda a, b: (a != b) * 1, "1 where the numbers differ."),
    ("lt", lambda a, b: (a < b) * 1, "1 where the left number is less."),
    ("lte", lambda a, b: (a <= b) * 1, "1 where the left number is not greater."),
    ("gt", lambda a, b: (a > b) * 1, "1 where the left number is greater."),
    ("gte", lambda a, b: (a >= b) * 1, "1 where the left number is not less."),
):
    _pairwise(_name, _compute, _text)

for _name, _one, _text in (
    ("abs", np.abs, "The numbers without their signs."), ("sqrt", np.sqrt, "The square roots."),
    ("round", lambda a: np.floor(a + 0.5), "The nearest whole numbers."),
    ("floor", np.floor, "The next whole numbers below."), ("exp", np.exp, "e to the numbers."),
    ("log", np.log, "The natural logarithms."),
    ("not", lambda a: (a == 0) * 1, "1 where a number is 0."),
):
    def _applied(array: np.ndarray, compute: Callable[[Any], Any] = _one) -> np.ndarray:
        with np.errstate(all="ignore"):
            return np.asarray(compute(array))

    _applied.__doc__ = _text
    function(f"Array.{_name}")(_applied)


@function("Image.toArray")
def image_to_array(image: Image, axis: int) -> Image:
    """Return the bands of each pixel as one array, in a band named ``array``."""
    if axis != 0:
        raise EngineError("Image.toArray: only axis 0 is implemented by the local Earth Engine.")

    def read(grid: Grid) -> Pixels:
        values, mask = read_bands(image, grid)
        return Pixels(np.moveaxis(values, 0, -1), mask)
    first = image.first("Image.toArray")
    return image.plain([Band("array", PixelType("double", None, None, 1), read, first.projection,
                             first.size)])


def _vectors(image: Image, where: str) -> Band:
    band = image.first(where)
    if band.type.dimensions != 1:
        raise EngineError(f"{where}: the band {band.name!r} holds no vectors.")
    return band


@function("Image.arrayFlatten")
def array_flatten(image: Image, labels: list[Any], separator: str) -> Image:
    """Return a band for each number of the pixels' vectors."""
    band = _vectors(image, "Image.arrayFlatten")
    if len(labels) != 1 or not isinstance(labels[0], list):
        raise EngineError("Image.arrayFlatten: a list of one list of names is needed.")

    def part(k: int) -> Callable[[Grid], Pixels]:
        def read(grid: Grid) -> Pixels:
            pixels = band.read(grid)
            if pixels.valid.any() and pixels.values.shape[-1] != len(labels[0]):
                raise EngineError(f"Image.arrayFlatten: the vectors have "
                                  f"{pixels.values.shape[-1]} numbers for {len(labels[0])} names.")
            flat = pixels.values[..., k] if pixels.values.ndim == 3 else pixels.values
            return Pixels(flat, pixels.mask)
        return read
    return image.plain([band.derived(part(k), DOUBLE).renamed(str(n))
                        for k, n in enumerate(labels[0])])


@function("Image.arrayGet")
def array_get(image: Image, position: Image) -> Image:
    """Return the number at a position in each pixel's vector."""
    band, place = _vectors(image, "Image.arrayGet"), position.first("Image.arrayGet")

    def read(grid: Grid) -> Pixels:
        pixels, at = band.read(grid), place.read(grid)
        if pixels.values.ndim == 2:
            return Pixels(pixels.values, pixels.mask)
        index = np.clip(at.values.astype(int), 0, pixels.values.shape[-1] - 1)
        found = np.take_along_axis(pixels.values, index[..., None], axis=-1)[..., 0]
        return Pixels(found, pixels.valid & at.valid & (index == at.values))
    return image.plain([band.derived(read, DOUBLE)])


@function("Image.arrayArgmax")
def array_argmax(image: Image) -> Image:
    """Return the position of the largest number in each pixel's vector, as a vector of one."""
    band = _vectors(image, "Image.arrayArgmax")

    def read(grid: Grid) -> Pixels:
        pixels = band.read(grid)
        if pixels.values.ndim == 2:
            return pixels
        return Pixels(pixels.values.argmax(axis=-1).astype(np.float64)[..., None], pixels.mask)
    kind = integer_type("int32")
    return image.plain([band.derived(read, kind._replace(dimensions=1))])


@function("FeatureCollection.makeArray")
def make_array(items: el.Collection, names: list[str], name: str) -> el.Collection:
    """Return the features with an array of some of their properties."""
    return items.with_elements(
        el.with_properties(e, {**e.properties, name: np.asarray(
            [el.get(e, n) for n in names], dtype=np.float64)}) for e in items.elements)
