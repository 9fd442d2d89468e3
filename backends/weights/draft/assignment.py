"""The best assignment of rows to columns: Kuhn 1955, in the form of Jonker and Volgenant 1987, a row at a time."""

from __future__ import annotations

from collections.abc import Sequence

LARGE = 1e9
MOST = 400  # rows beyond which they are taken in order


def assigned(worth: Sequence[Sequence[float]]) -> list[tuple[int, int]]:
    """Pairs of rows and columns whose worth is largest together; none of a worth below 0."""
    rows, columns = len(worth), len(worth[0]) if worth else 0
    if max(rows, columns) > MOST:
        return [(i, i) for i in range(min(rows, columns)) if worth[i][i] >= 0]
    size = max(rows, columns)
    cost = [
        [-worth[i][j] if i < rows and j < columns and worth[i][j] >= 0 else 0.0 for j in range(size)]
        for i in range(size)
    ]
    column_of = _solved(cost)
    return [(i, j) for i, j in enumerate(column_of) if i < rows and j < columns and worth[i][j] >= 0]


def _solved(cost: Sequence[Sequence[float]]) -> list[int]:
    """For each row its column, so that the sum is smallest."""
    size = len(cost)
    row_price, column_price = [0.0] * (size + 1), [0.0] * (size + 1)
    row_at = [0] * (size + 1)  # of each column, both counted from 1
    for row in range(1, size + 1):
        row_at[0], column = row, 0
        least, seen, way = [LARGE] * (size + 1), [False] * (size + 1), [0] * (size + 1)
        while row_at[column]:
            seen[column] = True
            current, delta, following = row_at[column], LARGE, 0
            for j in range(1, size + 1):
                if seen[j]:
                    continue
                slack = cost[current - 1][j - 1] - row_price[current] - column_price[j]
                if slack < least[j]:
                    least[j], way[j] = slack, column
                if least[j] < delta:
                    delta, following = least[j], j
            for j in range(size + 1):
                if seen[j]:
                    row_price[row_at[j]] += delta
                    column_price[j] -= delta
                else:
                    least[j] -= delta
            column = following
        while column:
            row_at[column] = row_at[way[column]]
            column = way[column]
    found = [0] * size
    for j in range(1, size + 1):
        found[row_at[j] - 1] = j - 1
    return found
