# The service: API, worker, action server and sandbox all run from this image.
FROM python:3.11-slim-bookworm

RUN apt-get update && apt-get install -y --no-install-recommends libgomp1 && rm -rf /var/lib/apt/lists/* \
    && useradd --create-home --uid 10001 huiying
WORKDIR /app
COPY requirements.lock ./
# torch: the CPU build, from whatever index or wheel folder the build is given (pip configuration or PIP_* variables).
RUN pip install --no-cache-dir --no-deps -r requirements.lock
COPY pyproject.toml README.md LICENSE ./
COPY knowledge_base knowledge_base
COPY services services
COPY actions actions
COPY bot/export_texts.py bot/export_texts.py
COPY bot/data/nlu bot/data/nlu
COPY bot/forms bot/forms
RUN pip install --no-cache-dir --no-deps -e . && mkdir /data && chown huiying /data
USER huiying
ENV HUIYING_VAR=/data PYTHONUNBUFFERED=1 OTEL_SDK_DISABLED=true
EXPOSE 8000
CMD ["uvicorn", "services.app:create_app", "--factory", "--host", "0.0.0.0", "--port", "8000", "--no-access-log", "--no-server-header", "--proxy-headers", "--forwarded-allow-ips", "*"]
