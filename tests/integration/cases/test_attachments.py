"""A photo that a citizen sends, from the chat to the clerk's console and to nobody else."""

import io
from typing import Any

import sqlalchemy as sa
from PIL import Image

from services.conversations.attachments import PER_CONVERSATION
from services.conversations.models import Attachment
from tests.integration.cases import test_citizen_http as citizens

hall = citizens.hall


def photo() -> bytes:
    file = io.BytesIO()
    Image.new("RGB", (60, 40), "green").save(file, "JPEG")
    return file.getvalue()


def send(hall: citizens.Hall, conversation: str, content: bytes, key: str = "1", who: str = "citizen") -> Any:
    return hall.client.post(
        f"/api/v1/conversations/{conversation}/attachments",
        headers={"Authorization": f"Bearer {hall.tokens[who]}"},
        files={"file": ("IMG_13800138000.jpg", content, "image/jpeg")},
        data={"client_message_id": key},
    )


def attached(hall: citizens.Hall, conversation: str) -> dict[str, Any]:
    page = hall.call("citizen", "GET", f"/conversations/{conversation}/messages").json()
    found: dict[str, Any] = next(one for one in page["messages"] if one["type"] == "file")["data"]["attachment"]
    return found


def test_a_photo_goes_into_the_open_case_and_wakes_a_case_that_waited_for_it(hall: citizens.Hall) -> None:
    conversation = hall.citizen()
    case_no = hall.case_of(conversation)
    hall.call("li", "POST", f"/cases/{case_no}/claim")
    hall.call("li", "POST", f"/cases/{case_no}/hold", text="请发一张照片")
    answer = send(hall, conversation, photo()).json()
    assert answer["case_no"] == case_no
    kase = hall.call("li", "GET", f"/cases/{case_no}").json()
    assert kase["status"] == "in_progress"
    assert "added" in [event["type"] for event in kase["events"]]
    file = next(message for message in kase["transcript"] if message["type"] == "file")["data"]["attachment"]
    assert file["media_type"] == "image/jpeg"
    shown = hall.call("li", "GET", f"/cases/{case_no}/attachments/{file['id']}")
    assert (shown.status_code, shown.headers["content-type"]) == (200, "image/jpeg")
    assert Image.open(io.BytesIO(shown.content)).size == (60, 40)
    assert "sandbox" in shown.headers["content-security-policy"]


def test_without_a_case_the_citizen_is_asked_what_it_is_about(hall: citizens.Hall) -> None:
    conversation = hall.citizen()
    answer = send(hall, conversation, photo()).json()
    assert [option["title"] for option in answer["messages"][0]["options"]] == ["我要反映问题", "转人工"]
    own = f"/conversations/{conversation}/attachments/{attached(hall, conversation)['id']}"
    assert hall.call("citizen", "GET", own).status_code == 200


def test_a_photo_sent_twice_is_there_once(hall: citizens.Hall) -> None:
    conversation = hall.citizen()
    first, again = (send(hall, conversation, photo()).json() for _ in range(2))
    assert again == first
    with hall.container.database.unit_of_work(read_only=True) as uow:
        assert uow.session.scalar(sa.select(sa.func.count()).select_from(Attachment)) == 1


def test_nobody_else_sees_it(hall: citizens.Hall) -> None:
    conversation = hall.citizen()
    case_no = hall.case_of(conversation)
    send(hall, conversation, photo())
    file = attached(hall, conversation)["id"]
    other = hall.citizen("stranger")
    for path in (f"/conversations/{conversation}/attachments/{file}", f"/conversations/{other}/attachments/{file}"):
        assert hall.call("stranger", "GET", path).status_code == 404
    assert hall.client.get(f"/api/v1/cases/{case_no}/attachments/{file}").status_code == 401
    assert hall.call("li", "GET", f"/cases/none/attachments/{file}").status_code == 404
    assert send(hall, conversation, photo(), "2", who="stranger").status_code == 404


def test_it_is_encrypted_at_rest_and_keeps_no_file_name(hall: citizens.Hall) -> None:
    conversation = hall.citizen()
    send(hall, conversation, photo())
    with hall.container.database.unit_of_work(read_only=True) as uow:
        kept = uow.session.scalars(sa.select(Attachment)).one()
    assert kept.content_encrypted.startswith("gAAAA")  # a Fernet token
    assert "13800138000" not in str(hall.call("citizen", "GET", f"/conversations/{conversation}/messages").json())


def test_bad_files_too_large_ones_and_too_many_are_refused(hall: citizens.Hall) -> None:
    conversation = hall.citizen()
    assert send(hall, conversation, b"no picture").status_code == 422
    assert send(hall, conversation, b"\xff\xd8" + b"0" * hall.container.settings.attachment_limit).status_code == 413
    assert send(hall, conversation, photo(), key="").status_code == 422
    with hall.container.database.unit_of_work() as uow:
        for number in range(PER_CONVERSATION):
            uow.session.add(
                Attachment(
                    id=str(number),
                    conversation_id=conversation,
                    seq=1,
                    media_type="image/jpeg",
                    content_encrypted="",
                    created_at=hall.clock.now(),
                )
            )
        uow.commit()
    assert send(hall, conversation, photo(), "9").status_code == 429
