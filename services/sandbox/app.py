"""Stand-in departmental systems over HTTP, for demonstrations and tests. Imports nothing of the application.

    SANDBOX_KEY=... python -m services.sandbox --port 8090

Each system speaks its own dialect (pinyin field names, codes), as real ones do; see README.md beside this file.
"""

import hmac
import math
from collections import deque
from datetime import date
from html import escape
from typing import Annotated, Any

from fastapi import Depends, FastAPI, Header, HTTPException, Request, Response
from fastapi.responses import HTMLResponse, JSONResponse
from pydantic import BaseModel, ConfigDict, Field

from services.sandbox.data import LANDMARKS, ROADS, Place, make_records
from services.sandbox.faults import SYSTEMS, Error, Faults

SMS_KEPT = 500
LOOPBACK = frozenset({"127.0.0.1", "::1"})
TELEPHONE = (
    '<!doctype html><html lang="zh-CN"><meta charset="utf-8"><meta http-equiv="refresh" content="5">'
    '<meta name="viewport" content="width=device-width, initial-scale=1"><title>沙箱短信</title>'
    "<h1>沙箱短信</h1><p>示范环境发出的短信都在这里，最新的在最上面。</p><ol>{rows}</ol></html>"
)


class Sms(BaseModel):
    id: int
    phone: str = Field(max_length=20)
    text: str = Field(max_length=500)


class StatusQuery(BaseModel):
    hphm: str | None = None
    dabh: str | None = None
    hh: str | None = None


class Control(BaseModel):
    model_config = ConfigDict(extra="forbid")

    system: str
    delay_seconds: float = Field(0.0, ge=0, le=120)
    error: Error | None = None
    times: int | None = Field(None, ge=1)


class VehicleQuery(BaseModel):
    hphm: str
    hpzl: str
    fdjh: str


class LicenceQuery(BaseModel):
    dabh: str
    sfzh4: str


class BillQuery(BaseModel):
    yw: str
    hh: str


class MatterQuery(BaseModel):
    bjbh: str
    sjh4: str


class OutageQuery(BaseModel):
    dz: str | None = None
    wd: float | None = None
    jd: float | None = None


class PlaceQuery(BaseModel):
    lat: float | None = None
    lng: float | None = None
    place: str | None = None
    kind: str | None = None
    limit: int = Field(10, ge=1, le=50)


def create_app(seed: int, *, api_key: str, today: date) -> FastAPI:
    """The systems with records that follow from `seed` and `today`; every call must carry `api_key`."""
    records = make_records(seed, today)
    faults = Faults()
    inbox: deque[Sms] = deque(maxlen=SMS_KEPT)
    app = FastAPI(title="Sandbox departmental systems", docs_url=None, redoc_url=None)

    def with_key(x_api_key: Annotated[str, Header()] = "") -> None:
        if not hmac.compare_digest(x_api_key.encode(), api_key.encode()):
            raise HTTPException(401, "API key missing or wrong")

    guarded = [Depends(with_key)]

    @app.middleware("http")
    async def suffer(request: Request, call_next: Any) -> Response:
        system = request.url.path.strip("/").split("/")[0]
        if system in SYSTEMS:
            broken = await faults.apply(system)
            if broken is not None:
                return broken
        answer: Response = await call_next(request)
        return answer

    @app.get("/healthz")
    def healthz() -> dict[str, str]:
        return {"status": "ok"}

    @app.get("/_control", dependencies=guarded)
    def control_state() -> dict[str, Any]:
        return faults.state()

    @app.post("/_control", dependencies=guarded)
    async def control(wanted: Control) -> dict[str, Any]:
        try:
            faults.set(wanted.system, wanted.delay_seconds, wanted.error, wanted.times)
        except KeyError:
            raise HTTPException(422, f"system is one of {', '.join(SYSTEMS)}") from None
        return faults.state()

    @app.post("/violations/vehicle", dependencies=guarded)
    def vehicle(query: VehicleQuery) -> dict[str, Any]:
        known = records.vehicles.get((query.hphm, query.hpzl))
        # An unknown plate and a wrong engine number answer alike, so that nobody learns which plates exist.
        if known is None or len(query.fdjh) < 4 or not known[0].endswith(query.fdjh):
            return {"code": "1002", "msg": "信息不匹配"}
        return {"code": "0000", "data": {"hphm": query.hphm, "list": known[1]}}

    @app.post("/violations/licence", dependencies=guarded)
    def licence(query: LicenceQuery) -> dict[str, Any]:
        known = records.licences.get(query.dabh)
        if known is None or known[0] != query.sfzh4:
            return {"code": "1002", "msg": "信息不匹配"}
        return {"code": "0000", "data": {"dabh": query.dabh, "list": known[1]}}

    @app.post("/utilities/bills", dependencies=guarded)
    def bills(query: BillQuery) -> Response:
        known = records.bills.get((query.yw, query.hh))
        if known is None:
            return JSONResponse({"code": "2001", "msg": "户号不存在"}, status_code=404)
        return JSONResponse({"code": "0000", "data": {"hh": query.hh, "ye": known[0], "zd": known[1]}})

    @app.post("/progress/query", dependencies=guarded)
    def matter(query: MatterQuery) -> dict[str, Any]:
        known = records.matters.get(query.bjbh)
        # An unknown number and a wrong phone answer alike.
        if known is None or known["sjh4"] != query.sjh4:
            return {"code": "3001", "msg": "信息不匹配"}
        return {"code": "0000", "data": {name: value for name, value in known.items() if name != "sjh4"}}

    @app.post("/outages/planned", dependencies=guarded)
    def planned(query: OutageQuery) -> dict[str, Any]:
        """By the road in the address, or near a position (where the first road lies)."""
        if query.dz is None and (query.wd is None or query.jd is None):
            return {"code": "5001", "msg": "地址无法识别"}
        road = next((one for one in ROADS if query.dz and one in query.dz), ROADS[0] if query.dz is None else None)
        return {"code": "0000", "data": records.outages.get(road, []) if road else []}

    @app.get("/{system}/ping", dependencies=guarded)
    def ping(system: str) -> dict[str, Any]:
        if system not in SYSTEMS:
            raise HTTPException(404, "no such system")
        return {"code": "0000"}

    @app.post("/status/vehicle", dependencies=guarded)
    def vehicle_status(query: StatusQuery) -> dict[str, Any]:
        return _status(records.vehicle_status.get(query.hphm or ""))

    @app.post("/status/licence", dependencies=guarded)
    def licence_status(query: StatusQuery) -> dict[str, Any]:
        return _status(records.licence_status.get(query.dabh or ""))

    @app.post("/status/outages", dependencies=guarded)
    def outages(query: StatusQuery) -> dict[str, Any]:
        return {"code": "0000", "data": records.outage_notices.get(query.hh or "", [])}

    @app.post("/sms/send", dependencies=guarded)
    def send_sms(message: Sms) -> dict[str, str]:
        # The same message again is the first one, as gateways do.
        if all(known.id != message.id for known in inbox):
            inbox.append(message)
        return {"code": "0000"}

    @app.get("/sms/messages", dependencies=guarded)
    def sms(phone: str | None = None) -> list[dict[str, Any]]:
        """What was sent, the newest last: the demo's telephone."""
        return [one.model_dump() for one in inbox if phone in (None, one.phone)]

    @app.get("/sms", response_class=HTMLResponse)
    def telephone(request: Request) -> HTMLResponse:
        """The telephone to look at, without the key; for whoever sits at this machine only."""
        if request.client is None or request.client.host not in LOOPBACK:
            raise HTTPException(404, "Not Found")
        rows = "".join(f"<li><b>{escape(one.phone)}</b><p>{escape(one.text)}</p></li>" for one in reversed(inbox))
        return HTMLResponse(TELEPHONE.replace("{rows}", rows or "<li>还没有短信</li>"))

    @app.post("/places/nearby", dependencies=guarded)
    def nearby(query: PlaceQuery) -> dict[str, Any]:
        centre = _centre(query)
        if centre is None:
            return {"code": "4001", "msg": "位置无法识别"}
        wanted = [one for one in records.places if not query.kind or _is_of_kind(one, query.kind)]
        ranked = sorted(((_metres(centre, (one.lat, one.lng)), one) for one in wanted), key=lambda pair: pair[0])
        return {"code": "0000", "data": [_wire(one, metres) for metres, one in ranked[: query.limit]]}

    return app


def _status(known: dict[str, str] | None) -> dict[str, Any]:
    return {"code": "0000", "data": known} if known else {"code": "5001", "msg": "没有登记"}


_KIND_WORDS = {
    "厕": "公共厕所",
    "卫生间": "公共厕所",
    "洗手间": "公共厕所",
    "停车": "停车场",
    "泊车": "停车场",
    "政务": "政务服务大厅",
    "办事": "政务服务大厅",
    "大厅": "政务服务大厅",
    "派出所": "派出所",
    "公安": "派出所",
    "警": "派出所",
    "医": "社区卫生服务中心",
    "卫生服务": "社区卫生服务中心",
    "诊所": "社区卫生服务中心",
    "图书": "图书馆",
    "公园": "公园",
    "婚": "婚姻登记处",
    "民政": "婚姻登记处",
    "车管": "车管所",
    "充电": "充电站",
}


def _is_of_kind(place: Place, words: str) -> bool:
    return place.kind == words or any(word in words and kind == place.kind for word, kind in _KIND_WORDS.items())


def _centre(query: PlaceQuery) -> tuple[float, float] | None:
    if query.lat is not None and query.lng is not None:
        return query.lat, query.lng
    return next((centre for name, centre in LANDMARKS.items() if query.place and name in query.place), None)


def _metres(one: tuple[float, float], other: tuple[float, float]) -> int:
    """Great-circle distance (haversine on a sphere of 6,371,000 m)."""
    lat1, lat2 = math.radians(one[0]), math.radians(other[0])
    half = math.sin((lat2 - lat1) / 2) ** 2
    half += math.cos(lat1) * math.cos(lat2) * math.sin(math.radians(other[1] - one[1]) / 2) ** 2
    return round(2 * 6_371_000 * math.asin(math.sqrt(half)))


def _wire(place: Place, metres: int) -> dict[str, Any]:
    return {
        "mc": place.name,
        "lx": place.kind,
        "dz": place.address,
        "dh": place.phone,
        "wd": place.lat,
        "jd": place.lng,
        "jl": metres,
        "kfsj": [{"xq": days, "kssj": opens, "jssj": closes} for days, opens, closes in place.hours],
    }
