"""What a long message asks: its question without greetings and background, for the word indexes."""

from __future__ import annotations

import re

# Shorter messages are a question as they stand.
_LONG = 30
# Fewer characters than this name no subject.
_SHORTEST = 8
# A story may hold a question of its own on the way; what is wanted stands in the last ones.
_QUESTIONS = 2
_CLAUSE_END = re.compile(r"(?<=[,。!;?.\s])")
_ASKS = re.compile(
    r"怎么|怎样|如何|咋|吗|什么|啥|哪|谁|多少|多久|多长|几|能不能|可不可以|是不是|是否|有没有|要不要|需不需要|用不用|"
    r"该不该|为何|行不行|\?|呢"
)


def request_of(text: str) -> str:
    """The last clauses of a long cleaned `text` that ask something; `text` itself when short or nothing asks.

    >>> request_of("您好,我是外地过来打工的,租房子住了三年多,平时上班忙没空跑,请问居住证到期了怎么续签?谢谢")
    '请问居住证到期了怎么续签?'
    """
    if len(text) < _LONG:
        return text
    asking = [clause for clause in _CLAUSE_END.split(text) if _ASKS.search(clause)]
    request = "".join(asking[-_QUESTIONS:])
    return request if len(request) >= _SHORTEST else text
