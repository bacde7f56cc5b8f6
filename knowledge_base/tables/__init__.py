"""Tables that people hand over, read into rows: JSON Lines, CSV and XLSX, each bounded. Knows nothing of entries.

COLUMNS = Columns({"id": ("编号",), "question": ("问题",)}, required=("question",))
table = read_table(path.name, read_file(path), COLUMNS)
for row in table:                       # Row(number, sheet, values, notes, problem)
    row.values["question"]              # Cell, or a JSON value; None: an empty cell; a key that lacks: no such column
table.skipped, table.remarks            # sheets left out and why, what is to be said of headings: known at the end
"""

from knowledge_base.tables.cells import Cell, guard, plain, unguard
from knowledge_base.tables.columns import Columns
from knowledge_base.tables.days import day_of, moment_of
from knowledge_base.tables.json_lines import parse_json
from knowledge_base.tables.limits import Limits
from knowledge_base.tables.reading import Remark, Row, Skipped, Table, read_file, read_table

__all__ = [
    "Cell",
    "Columns",
    "Limits",
    "Remark",
    "Row",
    "Skipped",
    "Table",
    "day_of",
    "guard",
    "moment_of",
    "parse_json",
    "plain",
    "read_file",
    "read_table",
    "unguard",
]
