# The dialogue layer: Rasa 3.6 on Python 3.10, with its own lock.
FROM python:3.10-slim-bookworm

RUN apt-get update && apt-get install -y --no-install-recommends libgomp1 && rm -rf /var/lib/apt/lists/* \
    && useradd --create-home --uid 10001 huiying
WORKDIR /app/bot
COPY bot/requirements.lock ./
RUN pip install --no-cache-dir --no-deps -r requirements.lock
COPY bot .
COPY docker/rasa-start.sh /usr/local/bin/rasa-start
RUN mkdir /data && chown huiying /data
USER huiying
ENV RASA_TELEMETRY_ENABLED=false TF_CPP_MIN_LOG_LEVEL=3
EXPOSE 5005
CMD ["rasa-start"]
