"""The channel over real HTTP, with a stand-in for Rasa behind it."""

import asyncio
import json
import socket
import urllib.error
import urllib.request

import pytest
from channels import HuiyingInput, InvalidMessage, payload, read_inbound
from sanic import Sanic

TOKEN = "a-token"


async def _call(port, path, body=None, token=TOKEN):
    def send():
        request = urllib.request.Request(f"http://127.0.0.1:{port}{path}", data=body)
        if token is not None:
            request.add_header("Authorization", f"Bearer {token}")
        try:
            with urllib.request.urlopen(request, timeout=60) as answer:
                return answer.status, json.load(answer)
        except urllib.error.HTTPError as error:
            return error.code, json.load(error)

    return await asyncio.to_thread(send)


def exchange(on_new_message, *calls):
    """Serve the channel on a free port and make the calls one after another."""

    async def run():
        Sanic.test_mode = True
        app = Sanic(f"channel_{id(calls)}")
        app.blueprint(HuiyingInput(TOKEN).blueprint(on_new_message), url_prefix="/webhooks/huiying")
        listener = socket.socket()
        listener.bind(("127.0.0.1", 0))
        server = await app.create_server(sock=listener, return_asyncio_server=True, access_log=False)
        try:
            await server.startup()
            await server.before_start()
            port = listener.getsockname()[1]
            return [await _call(port, *call) for call in calls]
        finally:
            server.close()

    return asyncio.run(run())


def message(**changes):
    return json.dumps({"sender": "c1", "message": "你好", "metadata": {}, **changes}).encode()


WEBHOOK = "/webhooks/huiying/webhook"


async def echo(received):
    await received.output_channel.send_custom_json(received.sender_id, {"type": "text", "text": received.text})
    await received.output_channel.send_text_message(received.sender_id, "好的")


def test_payloads_come_back_in_order_and_a_plain_text_becomes_one():
    [(status, answer)] = exchange(echo, (WEBHOOK, message()))
    assert status == 200
    assert answer == {"messages": [{"type": "text", "text": "你好"}, {"type": "text", "text": "好的", "route": "faq"}]}


def test_nobody_without_the_token_gets_in_but_health_is_open():
    results = exchange(
        echo, (WEBHOOK, message(), None), (WEBHOOK, message(), "wrong"), ("/webhooks/huiying/", None, None)
    )
    assert [status for status, _ in results] == [401, 401, 200]


def test_a_failing_turn_answers_500_and_logs_nothing_of_the_message(caplog):
    async def fail(received):
        raise RuntimeError(received.text)

    [(status, answer)] = exchange(fail, (WEBHOOK, message(message="我的秘密")))
    assert (status, answer) == (500, {"error": "processing failed"})
    assert "秘密" not in caplog.text


def test_a_turn_without_a_word_is_answered_on_the_route_that_was_decided():
    async def silent(received):
        received.metadata["route"] = "query_bill"

    [(status, answer)] = exchange(silent, (WEBHOOK, message()))
    assert status == 200
    assert answer["messages"][0]["route"] == "query_bill"
    assert "转人工" in answer["messages"][0]["text"]


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b"{", 400),
        (b"[]", 400),
        (message(sender=""), 422),
        (message(sender="x" * 129), 422),
        (message(message="  "), 422),
        (message(message="x" * 4001), 422),
        (message(metadata=[]), 422),
        (message(metadata={"entities": [1]}), 422),
        (message(metadata={"knowledge": {"hits": [{}] * 21}}), 422),
        (message(message="x" * 70_000), 413),
    ],
)
def test_a_body_that_breaks_the_contract_is_refused(body, status):
    with pytest.raises(InvalidMessage) as refused:
        read_inbound(body)
    assert refused.value.status == status


def test_a_leading_slash_is_no_command_and_offsets_survive_the_trimming():
    inbound = read_inbound(message(message="  /restart", metadata={"entities": [{"start": 2, "end": 4}]}))
    assert inbound.text == "／restart"
    assert inbound.metadata["entities"] == [{"start": 0, "end": 2}]


def test_a_channel_without_a_token_cannot_be_built():
    with pytest.raises(ValueError, match="RASA_TOKEN"):
        HuiyingInput("")


def test_a_custom_object_is_passed_on_as_it_is():
    assert payload({"recipient_id": "c", "custom": {"type": "faq_miss", "route": "faq"}}) == {
        "type": "faq_miss",
        "route": "faq",
    }
