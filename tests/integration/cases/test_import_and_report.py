"""Past cases, and the report over them, on both databases."""

import json
import statistics
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from openpyxl import Workbook

import services
from services.cases import service as cases
from services.cases.models import Case, CaseEvent
from services.core.clock import SHANGHAI, parse_moment
from services.core.errors import BadRequest, NotFound
from services.sla.calendar import Span, WorkingCalendar

PAST_CASES = Path(services.__file__).resolve().parents[2] / "shared" / "data" / "past_cases.jsonl"
POLICE = "市公安局交通警察支队"


def write(path: Path, *rows: dict[str, Any] | str) -> Path:
    lines = [row if isinstance(row, str) else json.dumps(row, ensure_ascii=False) for row in rows]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def past(number: str, created: str, replied: str | None, **more: Any) -> dict[str, Any]:
    reply = "已办理" if replied else ""
    base = {"case_no": number, "citizen": "A1", "title": "路灯不亮", "text": "请修", "created_at": created}
    return {**base, "reply": reply, "replied_at": replied, **more}


def load(desk: Any, path: Path, **options: Any) -> cases.PastCasesReport:
    result: cases.PastCasesReport = desk.run(cases.import_past_cases, path=path, **options)
    return result


def test_past_cases_keep_their_times_and_get_clocks_under_the_chosen_kind(desk: Any, tmp_path: Path) -> None:
    file = write(
        tmp_path / "past.jsonl",
        past("1", "2019-04-25T09:32:09", "2019-04-26T17:00:00"),
        past("2", "2019-04-25T09:32:09", "2019-04-26T17:00:01"),
    )
    assert load(desk, file).created == 2
    report = desk.report()["overall"]
    assert (report["cases"], report["answered"], report["answer_rate"], report["on_time_rate"]) == (2, 2, 1.0, 0.5)
    detail = desk.detail("GD2019042500001")
    assert (detail.status, detail.department, detail.channel) == ("resolved", "未分配", "import")
    assert detail.first_response_at == detail.resolved_at == parse_moment("2019-04-26T17:00:00")
    assert detail.clocks[0].due_at == parse_moment("2019-04-26T17:00")
    assert [event.type for event in detail.events] == ["opened", "claimed", "replied", "resolved"]
    assert [event.text for event in detail.events] == ["请修", None, "已办理", None]


def test_bad_rows_are_reported_with_their_line_and_the_others_come_in(desk: Any, tmp_path: Path) -> None:
    file = write(
        tmp_path / "past.jsonl",
        past("1", "2019-04-25T09:00:00", None),
        '{"case_no": "2", "title"',
        past("1", "2019-04-25T09:00:00", None),
        past("3", "2019-04-25T09:00:00", "2019-04-24T09:00:00"),
        past("4", "yesterday", None),
        "",
        past("5", "2030-01-01T09:00:00", None),
        past("6", "2019-04-25T09:00:00", None, reply="有答复，但没有时间"),
    )
    report = load(desk, file)
    assert report.created == 2
    assert [entry["row"] for entry in report.rejected] == [2, 3, 4, 5, 7]
    assert all("\n" not in str(entry["reason"]) for entry in report.rejected)
    assert [(entry["row"], str(entry["note"])[:5]) for entry in report.reported] == [
        (1, "没有答复，"),
        (8, "有答复但没"),
    ]


def test_a_sheet_of_past_cases_says_the_same_as_json_lines(desk: Any, tmp_path: Path) -> None:
    book = Workbook()
    page = book.worksheets[0]
    page.append(["历年留言"])
    page.append(["编号", "标题", "内容", "提交时间", "答复", "答复时间"])
    page.append([7, "路灯不亮", "请修", datetime(2019, 4, 25, 9, 32, 9), "已修", "2019年4月26日 17:00"])
    page.append([8, "井盖", "破损", "2019/4/25 9:00", None, None])
    page.append([8, "井盖", "破损", "2019/4/25 9:00", None, None])
    page.append([9, "树", "倒了", "前天", None, None])
    page["A3"].number_format = "0000"
    book.create_sheet("说明").append(["填表说明"])
    book.save(tmp_path / "past.xlsx")
    report = load(desk, tmp_path / "past.xlsx")
    assert report.created == 2
    assert [(one["sheet"], one["row"], one["reason"]) for one in report.rejected] == [
        ("Sheet", 5, "编号与第 4 行重复"),
        ("Sheet", 6, "提交时间不是有效的时间"),
    ]
    assert report.left_out == [{"sheet": "说明", "reason": "前 20 行没有表头（缺少编号、提交时间）"}]
    first = desk.detail("GD2019042500001")
    assert first.created_at == parse_moment("2019-04-25T09:32:09")
    assert first.first_response_at == parse_moment("2019-04-26T17:00")
    rows = (
        "case_no,title,text,created_at,reply,replied_at\n0007,路灯不亮,请修,2019-04-25 09:32:09,已修,2019/4/26 17:00\n"
    )
    (tmp_path / "past.csv").write_text(rows, encoding="gb18030")
    assert load(desk, tmp_path / "past.csv").unchanged == 1


def test_a_later_file_without_the_reply_takes_nothing_away(desk: Any, tmp_path: Path) -> None:
    load(desk, write(tmp_path / "a.jsonl", past("1", "2019-04-25T09:00:00", "2019-04-26T09:00:00")))
    bare = {"case_no": "1", "created_at": "2019-04-25T09:00:00"}
    for row in (bare, {**bare, "reply": None, "replied_at": None}):
        assert load(desk, write(tmp_path / "b.jsonl", row)).unchanged == 1
    assert desk.report()["overall"]["answered"] == 1


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"created_at": "0001-01-01T00:00:00"}, "提交时间不是有效的时间"),
        ({"created_at": None}, "缺少提交时间"),
        ({"created_at": 20190425}, "提交时间不是有效的时间"),
        ({"case_no": ""}, "编号是空的"),
        ({"case_no": "1\0"}, "编号含有空字符（NUL）"),
        ({"text": ["请修"]}, "内容应为文字"),
        ({"text": "请修\ud800"}, "内容含有残缺的字符"),
        ({"replied_at": "2019-04-24T09:00:00"}, "答复时间早于提交时间"),
    ],
)
def test_a_row_that_is_no_case_is_refused_with_its_column_and_reason(
    desk: Any, tmp_path: Path, change: dict[str, Any], reason: str
) -> None:
    row = json.dumps({**past("1", "2019-04-25T09:00:00", None), **change})
    report = load(desk, write(tmp_path / "past.jsonl", row, past("2", "2019-04-25T09:00:00", None)))
    assert ([(one["row"], one["reason"]) for one in report.rejected], report.created) == ([(1, reason)], 1)


def test_a_reply_without_its_time_is_neither_answered_nor_open_and_counts_as_not_in_time(
    desk: Any, tmp_path: Path
) -> None:
    file = write(
        tmp_path / "past.jsonl",
        past("1", "2019-04-25T09:00:00", "2019-04-25T10:00:00"),
        past("2", "2019-04-25T09:00:00", None, reply="有答复，但没有时间"),
    )
    load(desk, file)
    row = desk.report()["overall"]
    assert (row["cases"], row["answered"], row["reply_time_unknown"]) == (2, 1, 1)
    assert (row["open"], row["overdue"], row["on_time_rate"], row["on_time_rate_n"]) == (0, 0, 0.5, 2)


def test_an_unanswered_past_case_is_open_and_overdue_but_raises_no_alarm(desk: Any, tmp_path: Path) -> None:
    load(desk, write(tmp_path / "past.jsonl", past("1", "2019-04-25T09:00:00", None)))
    row = desk.report()["overall"]
    assert (row["answered"], row["open"], row["overdue"], row["on_time_rate"]) == (0, 1, 1, 0.0)
    assert desk.sweep().due == 0
    # At an earlier moment it was not overdue yet.
    early = desk.report(now=parse_moment("2019-04-26T09:00"))["overall"]
    assert (early["open"], early["overdue"], early["on_time_rate"]) == (1, 0, None)


def test_importing_again_changes_nothing_and_another_kind_recomputes(desk: Any, tmp_path: Path) -> None:
    file = write(
        tmp_path / "past.jsonl",
        past("1", "2019-04-25T09:00:00", "2019-05-05T10:00:00"),
        past("2", "2019-04-25T09:00:00", None),
    )
    load(desk, file)
    again = load(desk, file)
    assert (again.created, again.updated, again.unchanged) == (0, 0, 2)
    assert desk.report()["overall"]["on_time_rate"] == 0.0
    other = load(desk, file, kind="complaint")
    assert (other.created, other.updated, other.unchanged) == (0, 2, 0)
    assert desk.report()["overall"]["on_time_rate"] == 0.5
    assert desk.count(CaseEvent) == 5


def test_a_reply_that_a_later_file_brings_settles_the_case(desk: Any, tmp_path: Path) -> None:
    load(desk, write(tmp_path / "a.jsonl", past("1", "2019-04-25T09:00:00", None)))
    report = load(desk, write(tmp_path / "b.jsonl", past("1", "2019-04-25T09:00:00", "2019-04-26T09:00:00")))
    assert (report.created, report.updated) == (0, 1)
    row = desk.report()["overall"]
    assert (row["answered"], row["open"], row["overdue"], row["on_time_rate"]) == (1, 0, 0, 1.0)
    assert desk.detail("GD2019042500001").next_due_at is None


def test_an_unknown_kind_policy_or_file_is_refused(desk: Any, tmp_path: Path) -> None:
    file = write(tmp_path / "past.jsonl", past("1", "2019-04-25T09:00:00", None))
    with pytest.raises(BadRequest):
        load(desk, file, kind="poem")
    with pytest.raises(NotFound, match="示范政策"):
        load(desk, file, policy="别的政策")
    with pytest.raises(BadRequest, match=r"nothing\.jsonl"):
        load(desk, tmp_path / "nothing.jsonl")
    assert desk.count(Case) == 0


def test_progress_is_told_up_to_the_last_row(desk: Any, tmp_path: Path) -> None:
    rows = [past(str(number), "2019-04-25T09:00:00", None) for number in range(401)]
    told: list[tuple[int, int]] = []
    load(desk, write(tmp_path / "past.jsonl", *rows), progress=lambda done, total: told.append((done, total)))
    assert told == [(200, 401), (400, 401), (401, 401)]


def test_the_report_by_department_and_month_with_interpolated_percentiles(desk: Any) -> None:
    def answer_after(minutes: int, **case: Any) -> None:
        opened = desk.at("2026-11-20T10:00").open(**case)
        desk.clock.advance(timedelta(minutes=minutes))
        desk.do(cases.reply, opened.case_no, desk.li, text="好", resolve=True)

    for minutes in (10, 20, 60, 110):
        answer_after(minutes, department=POLICE)
    answer_after(60 * 24 * 7)
    desk.at("2026-10-30T10:00").open()
    desk.at("2026-11-30T10:00")
    report = desk.report(by="department")
    assert [row["key"] for row in report["rows"]] == ["市公安局交通警察支队", "未分配"]
    police, none = report["rows"]
    assert police["first_response_minutes"] == {
        "p50": 40.0, "p90": 95.0, "working_p50": 40.0, "working_p90": 95.0,
    }  # fmt: skip
    assert (none["cases"], none["answered"], none["on_time_rate"], none["overdue"]) == (2, 1, 0.0, 1)
    assert none["first_response_minutes"]["p50"] == 60 * 24 * 7
    assert none["first_response_minutes"]["working_p50"] == 5 * 390
    assert none["backlog_age_days"] == {"p50": 31.0, "p90": 31.0}
    assert police["backlog_age_days"] == {"p50": None, "p90": None}
    overall = report["overall"]
    assert (overall["cases"], overall["answered"], overall["on_time_rate"]) == (6, 5, round(4 / 6, 4))
    assert (report["open_cases"], report["overdue_cases"]) == (1, 1)
    months = desk.report(by="month")["rows"]
    assert [(row["key"], row["cases"]) for row in months] == [("2026-10", 1), ("2026-11", 5)]
    start, end = cases.period("2026-11-01", "2026-11-30")
    assert desk.report(start=start, end=end)["overall"]["cases"] == 5


def test_the_report_as_of_an_earlier_moment_knows_nothing_of_later_answers(desk: Any) -> None:
    opened = desk.open()
    desk.at("2026-11-23T10:00").do(cases.reply, opened.case_no, desk.li, text="好", resolve=True)
    before = desk.report(now=parse_moment("2026-11-23T09:00"))["overall"]
    assert (before["answered"], before["open"], before["first_response_minutes"]["p50"]) == (0, 1, None)
    assert desk.report()["overall"]["open"] == 0


def test_an_empty_report_has_every_field_and_no_invented_rate(desk: Any) -> None:
    row = desk.report(by="month")
    assert row["rows"] == []
    overall = row["overall"]
    assert (overall["cases"], overall["answer_rate"], overall["on_time_rate"]) == (0, None, None)
    assert set(overall) >= {
        "cases", "answered", "answer_rate", "on_time_rate", "first_response_minutes", "resolution_minutes", "open",
        "overdue", "backlog_age_days", "reopened", "satisfaction",
    }  # fmt: skip


@pytest.mark.skipif(not PAST_CASES.exists(), reason="../shared/data/past_cases.jsonl is not here")
def test_the_report_over_real_past_cases_equals_a_direct_computation(desk: Any) -> None:
    desk.at("2020-02-01T00:00")
    assert load(desk, PAST_CASES, kind="consultation").created == 2816
    rows = [json.loads(line) for line in PAST_CASES.read_text(encoding="utf-8").splitlines()]
    calendar = WorkingCalendar((Span(540, 720), Span(810, 1020)))
    answered = [(parse_moment(row["created_at"]), parse_moment(row["replied_at"])) for row in rows if row["replied_at"]]
    in_time = sum(reply <= calendar.end_of_working_day(created, 1) for created, reply in answered)
    report = desk.report(by="month")
    overall = report["overall"]
    assert (overall["cases"], overall["answered"], overall["reply_time_unknown"]) == (2816, 2815, 1)
    assert overall["on_time_rate"] == round(in_time / 2816, 4)
    minutes = [(reply - created).total_seconds() / 60 for created, reply in answered]
    cuts = statistics.quantiles(minutes, n=10, method="inclusive")
    assert overall["first_response_minutes"]["p50"] == pytest.approx(cuts[4], abs=0.01)
    assert overall["first_response_minutes"]["p90"] == pytest.approx(cuts[8], abs=0.01)
    working = statistics.median(calendar.minutes_between(*times) for times in answered)
    assert overall["first_response_minutes"]["working_p50"] == pytest.approx(working, abs=0.01)
    months = {row["key"]: row["cases"] for row in report["rows"]}
    assert sum(months.values()) == 2816
    first = parse_moment(rows[0]["created_at"]).astimezone(SHANGHAI).strftime("%Y-%m")
    assert months[first] == sum(row["created_at"].startswith(first) for row in rows)
